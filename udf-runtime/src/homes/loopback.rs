//! A UDF in this process, reached over the real protocol: for `replay`, and for tests.

use std::os::fd::AsFd;

use udf_host::Loopback;

use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::handler::Handler;
use crate::agent::input::Source;
use crate::agent::limits::Limits;
use crate::agent::link::OnUnfit;
use crate::agent::run::Agent;
use crate::agent::transport::Socket;

/// Connects with `handler`. When its agent has ended, `ended` is called with the result.
pub(crate) fn loopback(
    handler: impl Handler,
    unfit_points: OnUnfit,
    ended: impl FnOnce(&Result<(), AgentError>) + Send + 'static,
) -> Loopback {
    Loopback::new(move |reader, writer| {
        // Whoever reads the output may take their time.
        let limits = Limits { hangup: None, unfit_points, ..Limits::default() };
        let allowance = Allowance::of_process(&limits);
        let socket = Socket(Source::new(writer.as_fd().try_clone_to_owned()?.into(), &allowance));
        let agent = Agent::new(reader, writer, handler).limits(&limits, socket, &allowance);
        let result = agent.run();
        ended(&result);
        Ok(result?)
    })
}
