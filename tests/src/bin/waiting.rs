//! A UDF whose workers and threads wait. The fault tests run it.

use std::fs::File;
use std::io::Read;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use udf_runtime::options::OptionType;
use udf_runtime::{ConcurrentUdf, Emitter, Point, Result, Stream, Task, udf};

/// The thread that the task starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionType)]
enum Kind {
    /// None.
    None,
    /// Never returns.
    Holds,
    /// Emits a point when it must return.
    Last,
    /// Fails when the FIFO can be opened.
    Fails,
    /// Panics.
    Panics,
}

/// Returns points unchanged. A point with the text `fifo` waits until that FIFO has been written. A
/// point with the field `trouble` waits forever, and a point with the field `panic` panics.
#[udf(wants = stream, provides = stream)]
struct Waiting {
    #[option(default = Kind::None)]
    thread: Kind,
    #[option(default)]
    fifo: String,
}

fn wait_for(fifo: &str) -> Result<()> {
    File::open(fifo)?.read_to_end(&mut Vec::new())?;
    Ok(())
}

fn hang() -> ! {
    loop {
        thread::park();
    }
}

impl ConcurrentUdf for Waiting {
    fn workers(&self) -> usize {
        4
    }

    fn init(&mut self, task: &Task<Stream>) -> Result<()> {
        let fifo = self.fifo.clone();
        match self.thread {
            Kind::None => Ok(()),
            Kind::Holds => task.spawn("holds", |_| hang()),
            Kind::Last => task.spawn("last", |thread| {
                while thread.wait(Duration::from_secs(60)) {}
                Ok(thread.remote().emit(|out| out.build("last").time(1).field("v", 1).send())?)
            }),
            Kind::Fails => task.spawn("fails", move |_| {
                wait_for(&fifo)?;
                Err("the list is gone".into())
            }),
            Kind::Panics => task.spawn("panics", |_| panic!("out of luck")),
        }
    }

    fn point(&self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        if point.field("trouble").is_some() {
            hang();
        }
        assert!(point.field("panic").is_none(), "out of luck");
        if let Ok(fifo) = point.string("fifo") {
            wait_for(fifo)?;
        }
        Ok(out.pass(point)?)
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<Waiting>()
}
