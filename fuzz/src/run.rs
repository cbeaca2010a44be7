//! Runs a target over its seeds, past findings, and mutants of inputs with new observations.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use udf_text::message::panic_text;

use crate::mutate::mutate;
use crate::{Target, Trace};

/// A check that takes longer is reported as a hang.
const HANG: Duration = Duration::from_secs(30);

/// The maximum number of kept inputs. Beyond it, new inputs replace kept ones.
const MOST_KEPT: usize = 4096;

/// The settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long to run mutants.
    pub time: Duration,
    /// The seed of the random numbers.
    pub seed: u64,
    /// The directory of findings, with one directory per target. A run begins with the past
    /// findings.
    pub findings: PathBuf,
}

/// The result of a run without a finding.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    /// The number of inputs.
    pub runs: u64,
    /// The number of kept inputs.
    pub kept: usize,
    /// The number of different observations.
    pub seen: usize,
}

/// An input that breaks a promise.
#[derive(Debug)]
pub struct Finding {
    /// The name of the target.
    pub target: &'static str,
    /// The message of the panic.
    pub message: String,
    /// The input, shrunk as far as possible.
    pub input: Vec<u8>,
    /// The file with the input. None if it could not be written.
    pub path: Option<PathBuf>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { target, message, input, path } = self;
        write!(f, "{target} breaks with {input:02x?}: {message}")?;
        match path {
            Some(path) => write!(f, "; the input is in {}", path.display()),
            None => Ok(()),
        }
    }
}

/// Runs `target`.
///
/// # Errors
/// Returns the first finding. If an input hangs, the process exits after it has written the input
/// to a file.
pub fn run(target: &Target, settings: &Settings) -> Result<Summary, Box<Finding>> {
    quiet();
    let folder = settings.findings.join(target.name);
    let watch = Watch::start(target.name, folder.clone());
    let mut rng = Rng::with_seed(settings.seed);
    let (mut seen, mut kept, mut runs) = (HashSet::new(), Vec::<Vec<u8>>::new(), 0);
    let mut random = rng.fork();
    let mut try_one = |input: Vec<u8>, kept: &mut Vec<Vec<u8>>| {
        watch.begin(&input);
        let outcome = check(target, &input);
        watch.end();
        runs += 1;
        match outcome {
            Ok(trace) => {
                let new = trace.seen().iter().filter(|what| seen.insert(**what)).count();
                if new > 0 {
                    if kept.len() >= MOST_KEPT {
                        kept.swap_remove(random.usize(..kept.len()));
                    }
                    kept.push(input);
                }
                Ok(())
            }
            Err(_) => Err(finding(target, input, &folder)),
        }
    };
    for input in found(&folder).into_iter().chain((target.seeds)()) {
        try_one(input.clone(), &mut kept)?;
        // Seeds are always kept.
        kept.push(input);
    }
    kept.push(Vec::new());
    let end = Instant::now() + settings.time;
    while Instant::now() < end {
        for _ in 0..16 {
            // Recently kept inputs are mutated more often.
            let recent = kept.len().saturating_sub(64);
            let from =
                if rng.bool() { rng.usize(recent..kept.len()) } else { rng.usize(..kept.len()) };
            let other = rng.usize(..kept.len());
            let mutant = mutate(target, &kept[from], &kept[other], &mut rng);
            try_one(mutant, &mut kept)?;
        }
    }
    let kept = kept.len();
    Ok(Summary { runs, kept, seen: seen.len() })
}

/// Runs `target` once, over the input of a finding.
///
/// # Errors
/// Returns the message of the panic, if the input still breaks the target.
pub fn replay(target: &Target, input: &[u8]) -> Result<(), String> {
    check(target, input).map(drop)
}

/// The panic of another thread than the target's.
static ELSEWHERE: Mutex<Option<String>> = Mutex::new(None);

/// Records panics instead of printing them.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            let mut elsewhere = ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner);
            *elsewhere = Some(panic.to_string());
        }));
    });
}

fn check(target: &Target, input: &[u8]) -> Result<Trace, String> {
    let mut trace = Trace::default();
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| (target.check)(input, &mut trace)));
    let elsewhere = ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (outcome, elsewhere) {
        (Ok(()), None) => Ok(trace),
        (_, Some(message)) => Err(message),
        (Err(panic), None) => Err(panic_text(&*panic)),
    }
}

/// Returns the inputs of past findings.
fn found(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().filter_map(|path| fs::read(path).ok()).collect()
}

fn finding(target: &Target, input: Vec<u8>, folder: &Path) -> Box<Finding> {
    let input = shrink(target, input);
    let message = check(target, &input).err().unwrap_or_else(|| "fails only sometimes".to_owned());
    let path = keep(folder, &input);
    Box::new(Finding { target: target.name, message, input, path })
}

fn keep(folder: &Path, input: &[u8]) -> Option<PathBuf> {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let path = folder.join(format!("{:016x}", hasher.finish()));
    fs::create_dir_all(folder).and_then(|()| fs::write(&path, input)).ok()?;
    Some(path)
}

/// Removes bytes that the finding does not need.
fn shrink(target: &Target, mut input: Vec<u8>) -> Vec<u8> {
    let started = Instant::now();
    let mut length = input.len();
    while length > 0 && started.elapsed() < HANG {
        let mut start = 0;
        while start + length <= input.len() {
            let mut shorter = input.clone();
            shorter.drain(start..start + length);
            if check(target, &shorter).is_err() {
                input = shorter;
            } else {
                start += length;
            }
        }
        length /= 2;
    }
    input
}

/// Exits the process if an input hangs.
struct Watch(Arc<Mutex<Running>>);

/// The start and the input of the current check. None between checks.
type Running = Option<(Instant, Vec<u8>)>;

impl Watch {
    fn start(target: &'static str, folder: PathBuf) -> Self {
        let watch = Watch(Arc::default());
        let weak = Arc::downgrade(&watch.0);
        thread::spawn(move || {
            while let Some(running) = weak.upgrade() {
                let running = running.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some((_, input)) = running.filter(|(since, _)| since.elapsed() > HANG) {
                    let path = keep(&folder, &input);
                    eprintln!("{target} hangs with {input:02x?}; the input is in {path:?}");
                    std::process::exit(1);
                }
                thread::sleep(Duration::from_secs(1));
            }
        });
        watch
    }

    fn begin(&self, input: &[u8]) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *running {
            Some((since, bytes)) => {
                *since = Instant::now();
                bytes.clear();
                bytes.extend_from_slice(input);
            }
            None => *running = Some((Instant::now(), input.to_vec())),
        }
    }

    fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
