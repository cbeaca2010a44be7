//! Builds and starts the example programs, as an author would.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use udf_cli::Target;
use udf_cli::bench::Subject;
use udf_proto::{Init, OptionCall, Value};

/// The timeout for the start of a program.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the path of an example, built for release.
pub(crate) fn example(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let target = target()?;
    build(name, &target)?;
    Ok(target.join("release/examples").join(name))
}

/// Returns the path of the command `udf`, built for release.
pub(crate) fn udf_command() -> Result<PathBuf, Box<dyn Error>> {
    let target = target()?;
    build_for(&["-p", "kapacitor-udf-cli", "--bin", "udf"], &target)?;
    Ok(target.join("release/udf"))
}

/// Returns the target directory. A benchmark runs from target/release/deps.
pub(crate) fn target() -> Result<PathBuf, Box<dyn Error>> {
    let own = std::env::current_exe()?;
    Ok(own.ancestors().nth(3).ok_or("no target directory above the benchmark")?.to_owned())
}

/// Builds an example for release, in this target directory.
pub(crate) fn build(name: &str, target: &Path) -> Result<(), Box<dyn Error>> {
    build_for(&["-p", "udf-examples", "--example", name], target)
}

fn build_for(what: &[&str], target: &Path) -> Result<(), Box<dyn Error>> {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--offline", "--release"]).args(what);
    build.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    if build.status()?.success() {
        Ok(())
    } else {
        Err(format!("cannot build {}", what.join(" ")).into())
    }
}

/// An example that listens on a socket in its own directory. Dropping it kills the process.
pub(crate) struct Daemon {
    child: Child,
    directory: TempDir,
}

impl Daemon {
    pub(crate) fn start(name: &str, args: &[&str]) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let socket = directory.path().join("udf.sock");
        let mut command = Command::new(example(name)?);
        command.args(args).args(["--log", "error", "--socket"]).arg(&socket).stdin(Stdio::null());
        let daemon = Daemon { child: command.spawn()?, directory };
        let deadline = Instant::now() + TIMEOUT;
        while !socket.exists() {
            if Instant::now() > deadline {
                return Err(format!("{name} does not listen").into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(daemon)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("udf.sock")
    }

    pub(crate) fn subject(&self, init: Init) -> Subject {
        Subject::udf(Target::Socket(self.socket()), init)
    }

    /// Returns the resident memory in bytes.
    pub(crate) fn resident(&self) -> Result<f64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kibibytes = member(&status, "VmRSS:").ok_or("the resident memory is unknown")?;
        Ok(kibibytes * 1024.0)
    }

    /// Returns how often its threads have gone to sleep and were woken.
    pub(crate) fn wake_ups(&self) -> Result<f64, Box<dyn Error>> {
        let mut sum = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let status = fs::read_to_string(task?.path().join("status"))?;
            sum += member(&status, "voluntary_ctxt_switches:").ok_or("the switches are unknown")?;
        }
        Ok(sum)
    }
}

fn member(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // After a failure, the process has exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns an Init with these options.
pub(crate) fn init(options: &[(&str, Value)]) -> Init {
    let call = |(name, value): &(&str, Value)| OptionCall {
        name: (*name).to_owned(),
        values: vec![value.clone()],
    };
    let options = options.iter().map(call).collect();
    Init { options, task_id: "bench".to_owned(), node_id: "bench2".to_owned() }
}

/// Returns the Init of a moving average over a window of 10 points.
pub(crate) fn moving_avg() -> Init {
    init(&[("field", Value::from("usage_user")), ("size", Value::Int(10))])
}
