//! The shared things of a process.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(feature = "main")]
use super::has_no_reload;
use super::{Argument, ArgumentError, Arguments, Shared};
use crate::agent::error::{Error, MAX_TEXT, Result, line_without, panic_text};
use crate::agent::sync::{Mutex, lock};

type Thing = Arc<dyn Any + Send + Sync>;

/// A type that implements [`Shared`], as data.
#[derive(Clone, Copy)]
pub struct SharedType {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
    #[cfg_attr(not(feature = "main"), expect(dead_code, reason = "`main` opens the thing"))]
    pub(crate) arguments: &'static [Argument],
    open: fn(&Arguments) -> Result<Thing>,
    #[cfg_attr(not(feature = "main"), expect(dead_code, reason = "`main` handles SIGHUP"))]
    reload: fn(&Thing) -> Result<()>,
}

impl SharedType {
    /// Returns the functions of this type.
    pub const fn of<T: Shared>() -> Self {
        SharedType {
            id: TypeId::of::<T>,
            name: type_name::<T>,
            arguments: T::ARGUMENTS,
            open: |arguments| Ok(Arc::new(T::open(arguments)?)),
            reload: |thing| thing.downcast_ref::<T>().map_or(Ok(()), Shared::reload),
        }
    }

    /// Returns the last part of the type's name, for messages.
    pub(crate) fn name(&self) -> &'static str {
        let name = (self.name)();
        let path = name.split('<').next().unwrap_or(name);
        path.rsplit("::").next().unwrap_or(path)
    }

    /// Returns whether both are the same type.
    pub(crate) fn is(&self, other: &SharedType) -> bool {
        (self.id)() == (other.id)()
    }
}

impl fmt::Debug for SharedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The reason why a shared thing is not open.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// An argument is missing or invalid.
    #[error(transparent)]
    Argument(ArgumentError),
    /// `open` has failed.
    #[error("cannot open {name}: {text}")]
    Failed { name: &'static str, text: String },
    /// There are no arguments to open it with.
    #[error(
        "the UDF shares {name}, but nothing has supplied it; call `.shared(Arc::new(...))` of the \
         test or the handler, or run the UDF with `udf_runtime::main`"
    )]
    NotSupplied { name: &'static str },
}

/// The shared things of a process, each opened once.
#[derive(Clone, Default)]
pub struct Resources {
    /// `None` if the things are supplied, and not opened.
    arguments: Option<Arc<Arguments>>,
    /// Locked while a thing is opened, so that no other connection also opens it.
    things: Arc<Mutex<Vec<(SharedType, Thing)>>>,
}

impl Resources {
    /// Creates resources that are opened with these arguments.
    #[cfg(feature = "main")]
    pub(crate) fn new(arguments: Arguments) -> Self {
        Resources { arguments: Some(Arc::new(arguments)), ..Resources::default() }
    }

    /// Supplies a thing. It replaces an earlier thing of the same type.
    pub(crate) fn supply<T: Shared>(&mut self, thing: Arc<T>) {
        let ty = SharedType::of::<T>();
        // Copies of these resources stay as they are.
        let mut things = lock(&self.things).clone();
        things.retain(|(known, _)| !known.is(&ty));
        things.push((ty, thing));
        self.things = Arc::new(Mutex::new(things));
    }

    /// Opens each thing that is not open yet.
    pub(crate) fn open(&self, types: &[SharedType]) -> Result<(), OpenError> {
        if types.is_empty() {
            return Ok(());
        }
        let mut things = lock(&self.things);
        for ty in types {
            if things.iter().any(|(known, _)| known.is(ty)) {
                continue;
            }
            let name = ty.name();
            let Some(arguments) = &self.arguments else {
                return Err(OpenError::NotSupplied { name });
            };
            let begun = Instant::now();
            let opened = catch_unwind(AssertUnwindSafe(|| (ty.open)(arguments)));
            let opened = opened.unwrap_or_else(|panic| Err(panicked(&*panic)));
            let thing = opened.map_err(|error| match error.downcast() {
                Ok(error) => OpenError::Argument(*error),
                Err(error) => {
                    let secrets = arguments.secrets();
                    let text = line_without(&secrets, error.as_ref(), MAX_TEXT / 2);
                    OpenError::Failed { name, text }
                }
            })?;
            tracing::debug!("opened {name} in {:?}", rounded(begun.elapsed()));
            things.push((*ty, thing));
        }
        Ok(())
    }

    /// Returns the thing of this type, if it is open.
    pub(crate) fn get<T: Shared>(&self) -> Option<Arc<T>> {
        let things = lock(&self.things);
        let ty = SharedType::of::<T>();
        let (_, thing) = things.iter().find(|(known, _)| known.is(&ty))?;
        Arc::clone(thing).downcast().ok()
    }

    /// Reloads each open thing, and logs the result. Returns whether any open thing can be
    /// reloaded. A thing that is not open yet needs no reload: `open` will read the new data.
    #[cfg(feature = "main")]
    pub(crate) fn reload(&self) -> bool {
        let things = lock(&self.things).clone();
        let mut any = false;
        for (ty, thing) in things {
            let (name, begun) = (ty.name(), Instant::now());
            // After a panic, the thing stays in use. `Current` is not poisoned. A poisoned lock of
            // the author fails the tasks that use it.
            let reloaded = catch_unwind(AssertUnwindSafe(|| (ty.reload)(&thing)));
            let reloaded = reloaded.unwrap_or_else(|panic| Err(panicked(&*panic)));
            let time = rounded(begun.elapsed());
            match reloaded {
                Ok(()) => tracing::info!("SIGHUP: reloaded {name} in {time:?}"),
                Err(error) if has_no_reload(&error) => continue,
                Err(error) => {
                    let secrets = self.arguments.iter().flat_map(|arguments| arguments.secrets());
                    let secrets: Vec<_> = secrets.collect();
                    let error = line_without(&secrets, error.as_ref(), MAX_TEXT / 2);
                    tracing::error!(
                        "SIGHUP: cannot reload {name}, after {time:?}; the old data stays in use: {error}"
                    );
                }
            }
            any = true;
        }
        any
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    format!("it panicked: {}", panic_text(panic)).into()
}

/// Returns the time in whole microseconds, or milliseconds if it is long.
fn rounded(time: Duration) -> Duration {
    match time.as_millis() {
        ..10 => Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
        millis => Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)),
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let things = lock(&self.things);
        f.debug_list().entries(things.iter().map(|(ty, _)| ty)).finish()
    }
}

#[cfg(all(test, feature = "main"))]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    static OPENED: AtomicU32 = AtomicU32::new(0);

    /// Counts how often it is opened. Its reload panics.
    struct Opened;

    impl Shared for Opened {
        fn open(_: &Arguments) -> Result<Self> {
            OPENED.fetch_add(1, Relaxed);
            Ok(Opened)
        }

        fn reload(&self) -> Result<()> {
            panic!("a reload that panics");
        }
    }

    /// Has nothing to reload.
    struct Constant;

    impl Shared for Constant {
        fn open(_: &Arguments) -> Result<Self> {
            Ok(Constant)
        }
    }

    /// Panics at once.
    struct Broken;

    impl Shared for Broken {
        fn open(_: &Arguments) -> Result<Self> {
            panic!("no good");
        }
    }

    /// Repeats its secrets in the error of its `open`.
    struct Talks;

    impl Shared for Talks {
        const ARGUMENTS: &'static [Argument] =
            &[Argument::secret("SHORT", "A token"), Argument::secret("LONG", "A longer token")];

        fn open(arguments: &Arguments) -> Result<Self> {
            let (short, long): (String, String) =
                (arguments.value("SHORT")?, arguments.value("LONG")?);
            Err(format!("no entry with {short} or {long}").into())
        }
    }

    #[test]
    fn an_error_shows_no_part_of_a_secret() {
        let arguments = Arguments::of::<Talks>(&[("SHORT", "s3c"), ("LONG", "s3cret")]);
        let opened = Resources::new(arguments).open(&[SharedType::of::<Talks>()]);
        let error = opened.expect_err("it always fails").to_string();
        assert_eq!(error, "cannot open Talks: no entry with *** or ***");
    }

    #[test]
    fn each_type_is_opened_once_and_survives_a_panic_of_its_reload() {
        let resources = Resources::new(Arguments::default());
        let opened = SharedType::of::<Opened>();
        for types in [&[opened, opened][..], &[opened]] {
            resources.clone().open(types).expect("it opens");
        }
        assert_eq!(OPENED.load(Relaxed), 1);
        let before = resources.get::<Opened>().expect("it is open");
        assert!(resources.reload());
        let after = resources.get::<Opened>().expect("it is still open");
        assert!(Arc::ptr_eq(&before, &after));
        // The lock is free, and not poisoned.
        resources.open(&[SharedType::of::<Constant>()]).expect("it opens");
    }

    #[test]
    fn only_a_thing_with_a_reload_is_reloaded() {
        let resources = Resources::new(Arguments::default());
        resources.open(&[SharedType::of::<Constant>()]).expect("it opens");
        assert!(!resources.reload());
    }

    #[test]
    fn a_thing_that_cannot_be_made_is_named() {
        let text = |resources: &Resources| {
            let opened = resources.open(&[SharedType::of::<Broken>()]);
            opened.map_err(|error| error.to_string())
        };
        let error = text(&Resources::new(Arguments::default()));
        assert_eq!(error, Err("cannot open Broken: it panicked: no good".to_owned()));
        let error = text(&Resources::default()).expect_err("nothing supplies it");
        assert!(error.starts_with("the UDF shares Broken, but nothing has supplied it"), "{error}");
    }
}
