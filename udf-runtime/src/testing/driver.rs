//! Kapacitor's part in a test: the host's connection to a UDF in this process.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use udf_host::session::ReceiveError;
use udf_host::{Callbacks, Error, Interface, Loopback, Settings};

use super::Emitted;
use crate::agent::any::AnyHandler;
use crate::agent::link::OnUnfit;
use crate::homes::loopback::loopback;

/// A call of the host, which runs on the driver's own thread.
type Call = Box<dyn FnOnce(&Loopback) + Send>;

/// Drives a UDF that provides the edge `P`.
///
/// Calls of the host may block as long as the UDF does. They run one after another on their own
/// thread, so that a test waits for each call no longer than its timeout, and can then continue.
pub(super) struct Driver<P: Emitted> {
    /// `None` after the input has ended.
    calls: Option<Sender<Call>>,
    /// The result of ending the input, while it is pending.
    closed: Option<Receiver<Result<(), Error>>>,
    /// The error that ends the connection, if any.
    failed: Receiver<Error>,
    /// The error of the agent, if any. It is sent after the handler's `stop`.
    ended: Receiver<Option<String>>,
    output: udf_host::Receiver<P::Item>,
    /// The output of the UDF before a restart.
    pub(super) kept: VecDeque<P::Item>,
    timeout: Duration,
    /// The reason why the UDF failed, after it has.
    pub(super) failure: Option<String>,
}

impl<P: Emitted> Driver<P> {
    /// Starts a UDF.
    pub(super) fn start(
        handler: Box<dyn AnyHandler>,
        on_unfit: OnUnfit,
        timeout: Duration,
    ) -> Result<Self, String> {
        let (fail, failed) = channel();
        let (end, ended) = channel();
        // When the test is over, nobody receives the end. That is no error.
        let on_end = move |result: &Result<_, _>| {
            let error = result.as_ref().err();
            drop(end.send(
                error.map(|error: &crate::agent::agent_error::AgentError| error.to_string()),
            ));
        };
        let udf = loopback(handler, on_unfit, on_end)
            .settings(settings())
            .callbacks(Callbacks::new().on_abort(move |error| drop(fail.send(error.clone()))));
        let output = udf.open().and_then(|()| P::receiver(&udf));
        let output = output.map_err(|error| format!("the UDF could not be started: {error}"))?;
        let (calls, queue) = channel::<Call>();
        let run = move || queue.iter().for_each(|call| call(&udf));
        let started = thread::Builder::new().name("kapacitor".to_owned()).spawn(run);
        started.map_err(|error: io::Error| format!("the UDF could not be started: {error}"))?;
        Ok(Driver {
            calls: Some(calls),
            closed: None,
            failed,
            ended,
            output,
            kept: VecDeque::new(),
            timeout,
            failure: None,
        })
    }

    /// Returns whether the UDF still reads, as far as known.
    pub(super) fn is_open(&self) -> bool {
        self.calls.is_some() && self.failure.is_none()
    }

    /// Makes a call of the host, and waits for its result.
    ///
    /// After a call that timed out, the next call also waits for the earlier one.
    pub(super) fn call<T: Send + 'static>(
        &mut self,
        awaited: &str,
        call: impl FnOnce(&Loopback) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, String> {
        let calls = self.calls.as_ref().ok_or("the input of the UDF has ended already")?;
        match later(calls, call).recv_timeout(self.timeout) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.fail(error)),
            Err(_) => Err(in_vain(self.timeout, awaited)),
        }
    }

    /// Records that the UDF has failed, and returns the message.
    fn fail(&mut self, error: Error) -> String {
        let text = self.failure.get_or_insert_with(|| text(error));
        format!("the UDF failed: {text}")
    }

    /// Takes all received output.
    pub(super) fn take(&mut self) -> Vec<P::Item> {
        let received = std::iter::from_fn(|| self.output.try_recv().ok());
        self.kept.drain(..).chain(received).collect()
    }

    /// Takes the next received point or batch.
    pub(super) fn take_next(&mut self) -> Option<P::Item> {
        self.kept.pop_front().or_else(|| self.output.try_recv().ok())
    }

    /// Waits for the next point or batch until `deadline`, which is `within` from now.
    pub(super) fn wait_for_next(
        &mut self,
        deadline: Instant,
        within: Duration,
        awaited: &str,
    ) -> Result<P::Item, String> {
        match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(item) => Ok(item),
            Err(ReceiveError::Timeout) => Err(in_vain(within, awaited)),
            Err(ReceiveError::Ended) => Err(self.why_ended(awaited)),
        }
    }

    /// Returns the reason why `awaited` cannot arrive any more.
    fn why_ended(&mut self, awaited: &str) -> String {
        match self.failed.recv_timeout(self.timeout) {
            Ok(error) => self.fail(error),
            Err(_) => format!("waited for {awaited}, but the UDF has ended"),
        }
    }

    /// Waits until the UDF fails.
    pub(super) fn wait_for_failure(&mut self) -> Result<(), String> {
        let awaited = "the UDF to fail";
        match self.failed.recv_timeout(self.timeout) {
            Ok(error) => self.fail(error),
            Err(RecvTimeoutError::Timeout) => return Err(in_vain(self.timeout, awaited)),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(format!("waited for {awaited}, but it has ended"));
            }
        };
        Ok(())
    }

    /// Ends the input, and waits until the UDF has ended.
    pub(super) fn end(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + self.timeout;
        let left = || deadline.saturating_duration_since(Instant::now());
        if let Some(calls) = self.calls.take() {
            self.closed = Some(later(&calls, Interface::close));
        }
        if let Some(closed) = &self.closed {
            match closed.recv_timeout(left()) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => drop(self.fail(error)),
                Err(_) => {
                    let awaited = "the UDF to close its side, after its input had ended";
                    return Err(in_vain(self.timeout, awaited));
                }
            }
            self.closed = None;
        }
        match self.ended.recv_timeout(left()) {
            Ok(Some(error)) => drop(self.failure.get_or_insert(error)),
            Ok(None) | Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => {
                return Err(in_vain(self.timeout, "the UDF's `stop` to return"));
            }
        }
        Ok(())
    }
}

/// Returns settings without timeouts and without limits of output: the test has its own timeout,
/// and may take the output late.
fn settings() -> Settings {
    Settings::default()
        .timeout(Duration::ZERO)
        .answer_within(Duration::ZERO)
        .close_within(Duration::ZERO)
        .queue(usize::MAX)
        .queue_bytes(usize::MAX)
}

/// Queues a call, and returns the channel of its result.
fn later<T: Send + 'static>(
    calls: &Sender<Call>,
    call: impl FnOnce(&Loopback) -> T + Send + 'static,
) -> Receiver<T> {
    let (sender, result) = channel();
    // A test that has timed out does not receive the result.
    let call = move |udf: &Loopback| drop(sender.send(call(udf)));
    // This cannot fail: the thread lives as long as its queue.
    let _ = calls.send(Box::new(call));
    result
}

/// Returns the UDF's own message if the error has one.
fn text(error: Error) -> String {
    match error {
        Error::Reported(text) | Error::Ended(text) => text,
        error => error.to_string(),
    }
}

fn in_vain(waited: Duration, awaited: &str) -> String {
    format!("timed out after {waited:?} waiting for {awaited}")
}
