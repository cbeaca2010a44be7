//! Runs a UDF in this process over the real protocol, for `replay` and for tests.

use udf_host::Loopback;
use udf_host::loopback::Cutter;

use crate::agent::agent_error::AgentError;
use crate::agent::allowance::Allowance;
use crate::agent::any::AnyHandler;
use crate::agent::limits::Limits;
use crate::agent::link::OnUnfit;
use crate::agent::run::Agent;
use crate::agent::transport::{Report, Transport};

/// The connection of a UDF in this process.
pub(super) struct InProcess(pub(super) Cutter);

impl Transport for InProcess {
    /// A write of a few bytes has only to wait for another one.
    fn has_room(&self) -> bool {
        true
    }

    /// The session ends the input instead.
    fn has_hung_up(&self) -> bool {
        false
    }

    fn give_up(&self, report: Report) {
        self.0.cut();
        report();
    }
}

/// Connects to `handler`. Calls `ended` with the result when its agent
/// has ended.
pub(crate) fn loopback(
    handler: Box<dyn AnyHandler>,
    unfit_points: OnUnfit,
    ended: impl FnOnce(&Result<(), AgentError>) + Send + 'static,
) -> Loopback {
    Loopback::new(move |reader, writer| {
        // The reader of the output may be slow, so there is no time limit for it.
        let limits = Limits { hangup: None, unfit_points, ..Limits::default() };
        let allowance = Allowance::of_process(&limits);
        let transport = Box::new(InProcess(writer.cutter()));
        let agent = Agent::of_any(Box::new(reader), Box::new(writer), handler);
        let agent = agent.limits(&limits, transport, &allowance);
        let result = agent.run();
        ended(&result);
        Ok(result?)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use udf_host::replay::{Replay, Summary};
    use udf_proto::{Init, Point, ValueType};

    use super::*;
    use crate::agent::edge::{Batch, Edge, Stream};
    use crate::agent::emitter::{Emitter, Remote};
    use crate::agent::error::Result;
    use crate::agent::handler::{Handler, Verdict};

    /// Counts points, and sends the count at each tick.
    struct Count<W> {
        points: i64,
        every: Option<Duration>,
        wants: std::marker::PhantomData<fn(W)>,
    }

    impl<W: Edge> Handler for Count<W> {
        type Wants = W;
        type Provides = Stream;

        fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
            BTreeMap::new()
        }

        fn init(&mut self, _: Init, _: &Remote<Stream>) -> Result<Verdict> {
            Ok(Verdict::Accepted)
        }

        fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
            self.points += 1;
            Ok(())
        }

        fn tick_every(&self) -> Option<Duration> {
            self.every
        }

        fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
            let points = std::mem::take(&mut self.points);
            if points == 13 {
                return Err("thirteen points".into());
            }
            Ok(out.build("count").field("points", points).send()?)
        }
    }

    /// Replays this input to a UDF that ticks every 10 ns, or as often as said.
    fn replay<W: Edge>(
        replay: &Replay,
        every: impl Into<Option<Duration>>,
        input: &str,
    ) -> (std::result::Result<Summary, String>, String) {
        let (every, mut output) = (every.into(), Vec::new());
        let connect = || {
            let udf = Count::<W> { points: 0, every, wants: std::marker::PhantomData };
            Box::new(loopback(Box::new(udf), OnUnfit::Drop, |_| {})) as Box<dyn udf_host::Interface>
        };
        let played = replay.run(&connect, input.as_bytes(), &mut output, &mut |_| {});
        let output = String::from_utf8(output).expect("lines are text");
        (played.map_err(|error| error.to_string()), output)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn ticks_follow_the_times_of_points() {
        let input = "m v=1 5000000000\nm v=1 5999999999\nm v=1 6000000000\n\
                     m v=1 8500000000\nm v=1 5000000000\nm v=1 8500000001\n";
        let expected = "count points=2i 6000000000\ncount points=1i 7000000000\n\
                        count points=0i 8000000000\ncount points=3i 9000000000\n";
        let (played, output) = replay::<Stream>(&Replay::default(), SECOND, input);
        assert_eq!((output.as_str(), played.map(|played| played.skipped_ticks)), (expected, Ok(0)));
        // Without points, there is no time to tick at.
        assert_eq!(replay::<Stream>(&Replay::default(), SECOND, "").1, "");
        assert_eq!(replay::<Stream>(&Replay::default(), None, input).1, "");
    }

    #[test]
    fn ticks_follow_the_times_of_batches() {
        let every = Replay::default().every(1_000_000_000);
        let input = "m v=1 5000000000\nm v=1 5999999999\nn v=1 5999999999\nm v=1 8500000000\n";
        // The batches have the times 6 s, 6 s and 9 s.
        let expected = "count points=3i 7000000000\ncount points=0i 8000000000\n\
                        count points=0i 9000000000\ncount points=1i 10000000000\n";
        assert_eq!(replay::<Batch>(&every, SECOND, input).1, expected);
        let expected = "count points=4i 9500000000\n";
        assert_eq!(replay::<Batch>(&Replay::default(), SECOND, input).1, expected);
    }

    #[test]
    fn a_gap_between_times_does_not_last_for_ever() {
        let input = "m v=1 0\nm v=1 9000000000000000000\n";
        let (played, output) = replay::<Stream>(&Replay::default(), SECOND, input);
        assert_eq!(output.lines().count(), 100_001);
        assert_eq!(output.lines().next(), Some("count points=1i 8999900001000000000"));
        assert_eq!(output.lines().last(), Some("count points=1i 9000000001000000000"));
        assert_eq!(played.map(|played| played.skipped_ticks), Ok(8_999_900_000));
        // An interval that no clock can tell never comes.
        let (played, output) = replay::<Stream>(&Replay::default(), Duration::MAX, input);
        assert_eq!((output.as_str(), played.map(|played| played.points_in)), ("", Ok(2)));
    }

    #[test]
    fn an_error_of_a_tick_ends_the_replay() {
        let input = "m v=1\n".repeat(13) + "m v=1 2000000000\nm v=1 9000000000\n";
        let (played, output) = replay::<Stream>(&Replay::default(), SECOND, &input);
        assert_eq!(played.expect_err("it fails"), "the UDF failed: thirteen points");
        assert_eq!(output, "");
    }
}
