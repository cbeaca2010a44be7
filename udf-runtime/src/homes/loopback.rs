//! Runs a UDF in this process over the real protocol, for `replay` and for tests.

use std::os::fd::AsFd;
use std::time::Duration;

use udf_host::Loopback;

use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::handler::Handler;
use crate::agent::input::Source;
use crate::agent::limits::Limits;
use crate::agent::link::OnUnfit;
use crate::agent::run::Agent;
use crate::agent::timer::Timer;
use crate::agent::transport::Socket;

impl udf_host::Timer for Timer {
    fn every(&self) -> Option<Duration> {
        Timer::every(self)
    }

    fn tick(&self, time: i64) {
        Timer::tick(self, time);
    }
}

/// Connects to `handler`. Its ticks run on request. Calls `ended` with the result when its agent
/// has ended.
pub(crate) fn loopback(
    handler: impl Handler,
    unfit_points: OnUnfit,
    ended: impl FnOnce(&Result<(), AgentError>) + Send + 'static,
) -> Loopback {
    let timer = Timer::default();
    let requested = timer.clone();
    let udf = Loopback::new(move |reader, writer| {
        // The reader of the output may be slow, so there is no time limit for it.
        let limits = Limits { hangup: None, unfit_points, ..Limits::default() };
        let allowance = Allowance::of_process(&limits);
        let socket = Source::new(writer.as_fd().try_clone_to_owned()?.into(), &allowance);
        let socket = Box::new(Socket(socket));
        let agent = Agent::new(reader, writer, handler).limits(&limits, socket, &allowance);
        let result = agent.timer(requested).run();
        ended(&result);
        Ok(result?)
    });
    udf.timer(timer)
}
