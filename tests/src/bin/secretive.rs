//! A UDF with secrets: one of the process and two of each task. It refuses to keep any of them.

use std::process::ExitCode;
use std::sync::Arc;

use udf_runtime::shared::{Argument, Arguments, Shared};
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, udf};

/// A service with a token of this length.
struct Service(usize);

impl Shared for Service {
    const ARGUMENTS: &'static [Argument] = &[
        Argument::secret("SERVICE_TOKEN", "The token of the service"),
        Argument::new("service", "URL", "The service").default("http://localhost"),
    ];

    fn open(arguments: &Arguments) -> Result<Self> {
        let token: String = arguments.value("SERVICE_TOKEN")?;
        tracing::info!("opening with {arguments:?}");
        match token.strip_prefix("wrong") {
            Some(_) => {
                Err(arguments.invalid("SERVICE_TOKEN", format!("`{token}` is wrong")).into())
            }
            None => Ok(Service(token.len())),
        }
    }
}

#[allow(clippy::ptr_arg, reason = "a check is given a reference to the value")]
fn check(token: &String) -> Result<(), String> {
    if token.starts_with("wrong") { Err(format!("`{token}` is wrong")) } else { Ok(()) }
}

/// Passes points on.
#[udf(wants = stream, provides = stream)]
struct Secretive {
    /// Token of the task.
    #[option(secret, env = "TASK_TOKEN", validate = check)]
    token: String,
    /// Another one.
    #[option(secret, default = "default-secret")]
    other: String,
    /// A number that is a secret.
    #[option(secret, default = 48_151_623)]
    number: u32,
    #[shared]
    service: Arc<Service>,
}

impl StreamUdf for Secretive {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let Secretive { token, other, number, service } = self;
        let length = token.len() + other.len() + number.to_string().len() + service.0;
        Ok(out.edit(point).field("length", i64::try_from(length)?).send()?)
    }
}

fn main() -> ExitCode {
    udf_runtime::main::<Secretive>()
}
