//! A UDF that misbehaves. It returns points unchanged until a point has the field `trouble`, and
//! then misbehaves as its option says. The fault tests run it.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use udf_runtime::options::OptionType;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, Tick, udf};

/// The kinds of misbehavior.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, OptionType)]
enum Kind {
    /// Nothing.
    #[default]
    None,
    /// Panics with a short text.
    Panic,
    /// Panics with a text of 1 MiB.
    PanicLong,
    /// Panics with a text of several lines and a color code.
    PanicLines,
    /// Panics with a payload that is not text.
    PanicOdd,
    /// Returns an error with a source.
    Error,
    /// Returns an error of 1 MiB.
    ErrorLong,
    /// Never returns.
    Hang,
    /// Works for `amount` milliseconds.
    Work,
    /// Works for `amount` milliseconds and emits nothing.
    Silent,
    /// Works for 30 milliseconds per point, and never returns from the point with the time
    /// `amount`.
    Stuck,
    /// Emits the point `amount` times.
    Flood,
    /// Emits the point 1000 times, then works for `amount` milliseconds.
    FloodWork,
    /// Emits on another thread until the connection refuses, and logs the error.
    Thread,
    /// Emits the point `amount` times on another thread, without a pause.
    ThreadFlood,
    /// Emits a field that is NaN.
    Nan,
    /// Emits a field that is NaN `amount` times, each time through its remote.
    NanRemote,
    /// Emits a field that is infinite.
    Infinite,
    /// Emits a point without fields.
    Empty,
    /// Prints to stdout and to stderr.
    Print,
    /// Runs another program that reads stdin to the end.
    Cat,
    /// Logs a line of 1 MiB.
    LogLong,
    /// Logs several lines and color codes.
    LogLines,
    /// Logs `amount` lines.
    LogFlood,
    /// Logs a value whose `Display` logs.
    LogShown,
    /// Panics in `init`.
    PanicInit,
    /// Returns an error from `init`.
    ErrorInit,
    /// Returns an error of 1 MiB from `init`.
    ErrorInitLong,
    /// Panics in the next tick.
    PanicTick,
    /// Returns an error from the next tick.
    ErrorTick,
    /// Never returns from the next tick.
    HangTick,
    /// Panics at the end of the input.
    PanicFinish,
    /// Returns an error at the end of the input.
    ErrorFinish,
    /// Emits a point at the end of the input.
    Last,
    /// Emits `amount` points at the end of the input.
    FloodFinish,
    /// Logs a warning in the next tick.
    LogTick,
    /// Emits a point in the next tick.
    PointTick,
    /// Never returns from `stop`.
    HangStop,
    /// Panics in `stop`.
    PanicStop,
    /// Panics while its state is saved.
    PanicSnapshot,
    /// Returns an error while its state is saved.
    ErrorSnapshot,
    /// Panics while its state is restored.
    PanicRestore,
}

/// Returns points unchanged until a point has the field `trouble`.
#[udf(wants = stream, provides = stream, tick = "50ms", on_missing = pass)]
struct Troubled {
    /// Misbehavior when a point has the field `trouble`.
    #[option(default = Kind::None)]
    kind: Kind,
    /// Amount of the misbehavior.
    #[option(default = 0)]
    amount: u64,
    #[state]
    kept: Kept,
    is_due: bool,
    remote: Option<udf_runtime::Remote<Stream>>,
}

/// A state that fails to save or to restore on request.
#[derive(Debug, Default)]
struct Kept {
    breaks: Kind,
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.breaks {
            Kind::PanicSnapshot => panic!("the state is broken"),
            Kind::ErrorSnapshot => Err(serde::ser::Error::custom("the state is broken")),
            breaks => serializer.serialize_bool(breaks == Kind::PanicRestore),
        }
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        assert!(!bool::deserialize(deserializer)?, "the state is broken");
        Ok(Kept::default())
    }
}

impl StreamUdf for Troubled {
    fn init(&mut self, task: &Task<Stream>) -> Result<()> {
        self.kept.breaks = self.kind;
        self.remote = Some(task.remote().clone());
        match self.kind {
            Kind::PanicInit => panic!("no start today"),
            Kind::ErrorInit => Err(Box::new(Wrapped(full_disk()))),
            Kind::ErrorInitLong => Err("x\n".repeat(1 << 19).into()),
            _ => Ok(()),
        }
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        if self.kind != Kind::Silent {
            out.pass(point)?;
        }
        if point.field("trouble").is_none() {
            return Ok(());
        }
        self.is_due = true;
        match self.kind {
            Kind::Panic => panic!("out of luck"),
            Kind::PanicLong => panic!("{}", "x".repeat(1 << 20)),
            Kind::PanicLines => panic!("one\r\ntwo\x1b[31m\nthree"),
            Kind::PanicOdd => std::panic::panic_any(7_u8),
            Kind::Error => return Err(Box::new(Wrapped(full_disk()))),
            Kind::ErrorLong => return Err("x".repeat(1 << 20).into()),
            Kind::Hang => hang(),
            Kind::Work | Kind::Silent => thread::sleep(Duration::from_millis(self.amount)),
            Kind::Stuck if point.time() == self.amount.cast_signed() => hang(),
            Kind::Stuck => thread::sleep(Duration::from_millis(30)),
            Kind::Flood => {
                for _ in 1..self.amount {
                    out.pass(point)?;
                }
            }
            Kind::FloodWork => {
                for _ in 1..1000 {
                    out.pass(point)?;
                }
                thread::sleep(Duration::from_millis(self.amount));
            }
            Kind::Thread => {
                let remote = self.remote.take().ok_or("there was trouble before")?;
                let point = point.to_buf();
                thread::spawn(move || {
                    loop {
                        let told = remote.emit(|out| out.pass(&point.as_point()));
                        if let Err(error) = told {
                            tracing::info!("the thread was told: {error}");
                            return;
                        }
                    }
                });
            }
            Kind::ThreadFlood => {
                let remote = self.remote.take().ok_or("there was trouble before")?;
                let (point, amount) = (point.to_buf(), self.amount);
                thread::spawn(move || {
                    remote.emit(|out| (0..amount).try_for_each(|_| out.pass(&point.as_point())))
                });
            }
            Kind::Nan => out.edit(point).field("usage", f64::NAN).send()?,
            Kind::NanRemote => {
                let remote = self.remote.as_ref().ok_or("there was no init")?;
                for _ in 0..self.amount {
                    remote.emit(|out| out.edit(point).field("usage", f64::NAN).send())?;
                }
            }
            Kind::Infinite => out.edit(point).field("usage", f64::NEG_INFINITY).send()?,
            Kind::Empty => out.build("empty").send()?,
            Kind::Print => {
                println!("printed to stdout");
                eprintln!("printed to stderr");
            }
            Kind::Cat => {
                std::process::Command::new("cat").stdout(std::process::Stdio::null()).status()?;
            }
            Kind::LogLong => tracing::warn!("{}", "x".repeat(1 << 20)),
            Kind::LogLines => tracing::warn!("one\r\ntwo\x1b[31m\nthree"),
            Kind::LogFlood => {
                for line in 0..self.amount {
                    tracing::info!("the flood rises to {line}");
                }
            }
            Kind::LogShown => tracing::warn!(value = ?Talkative, "logged"),
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        match self.kind {
            Kind::PanicFinish => panic!("no end"),
            Kind::ErrorFinish => Err("no end".into()),
            Kind::FloodFinish => (0..self.amount.cast_signed()).try_for_each(|time| {
                Ok(out.build("last").time(time).field("value", 1.0).send()?)
            }),
            Kind::Last => Ok(out.build("last").time(9).field("value", 1.0).send()?),
            _ => Ok(()),
        }
    }

    fn stop(&mut self) {
        tracing::info!("stop was called");
        match self.kind {
            Kind::PanicStop => panic!("no stop"),
            Kind::HangStop => hang(),
            _ => {}
        }
    }
}

impl Tick for Troubled {
    fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        match self.kind {
            Kind::PanicTick if self.is_due => panic!("out of time"),
            Kind::ErrorTick if self.is_due => Err("out of time".into()),
            Kind::HangTick if self.is_due => hang(),
            Kind::LogTick if std::mem::take(&mut self.is_due) => {
                tracing::warn!("it ticks");
                Ok(())
            }
            Kind::PointTick if std::mem::take(&mut self.is_due) => {
                Ok(out.build("tick").tag("by", "clock").field("late", false).send()?)
            }
            _ => Ok(()),
        }
    }
}

/// A value whose `Display` logs.
struct Talkative;

impl std::fmt::Debug for Talkative {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _span = tracing::info_span!("shown", twice = true).entered();
        tracing::info!("I am shown");
        f.write_str("Talkative")
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the file cannot be written")]
struct Wrapped(#[source] std::io::Error);

fn full_disk() -> std::io::Error {
    std::io::Error::other("no space left on device")
}

fn hang() -> ! {
    loop {
        thread::park();
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<Troubled>()
}
