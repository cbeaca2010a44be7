//! The periodic work of the accept loop: checks that the socket is still reachable, and shows a
//! supervisor that the loop is running.

use std::time::{Duration, Instant};

use super::SocketFile;

/// The maximum time from one round to the next.
const ROUND: Duration = Duration::from_secs(10);

/// Observes that the accept loop is running. The loop calls it.
pub(crate) trait Supervisor {
    /// Called before the first connection is accepted, and then at least as often as requested: the
    /// result is the maximum time until the next call. Must not block.
    fn round(&mut self) -> Duration;

    /// Called when the server accepts no more connections, before it waits for the open ones.
    fn stopping(&mut self);
}

/// Observes nothing.
impl Supervisor for () {
    fn round(&mut self) -> Duration {
        ROUND
    }

    fn stopping(&mut self) {}
}

pub(super) struct Rounds<'a, S> {
    /// Without the files that were found to be lost.
    files: Vec<&'a SocketFile>,
    supervisor: S,
    due: Instant,
}

impl<'a, S: Supervisor> Rounds<'a, S> {
    pub(super) fn new(files: impl IntoIterator<Item = &'a SocketFile>, supervisor: S) -> Self {
        Rounds { files: files.into_iter().collect(), supervisor, due: Instant::now() }
    }

    /// Runs a round if it is due, and returns the time until the next one.
    pub(super) fn until_next(&mut self) -> Duration {
        let now = Instant::now();
        if now >= self.due {
            // Set this first: if the log panics, the next round must not be due at once.
            self.due = now + ROUND;
            for file in self.files.extract_if(.., |file| !file.is_in_place()) {
                tracing::warn!(
                    "the socket {} was removed or replaced: clients can no longer connect; restart the daemon, \
                     then disable and enable its tasks",
                    file.path().display()
                );
            }
            self.due = now + self.supervisor.round().min(ROUND);
        }
        self.due.saturating_duration_since(now)
    }

    /// Reports that the server accepts no more connections.
    pub(super) fn end(mut self) {
        self.supervisor.stopping();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::{Sender, channel};
    use std::thread::{self, ThreadId};

    use udf_proto::{Init, Point, ValueType};

    use super::*;
    use crate::agent::edge::Stream;
    use crate::agent::emitter::{Emitter, Remote};
    use crate::agent::error::Result;
    use crate::agent::handler::{Handler, Verdict};
    use crate::server::Server;
    use crate::server::socket_file::SocketOptions;

    /// Counts the rounds, and requests each at once.
    struct Eager<'a>(&'a mut u32, Duration);

    impl Supervisor for Eager<'_> {
        fn round(&mut self) -> Duration {
            *self.0 += 1;
            self.1
        }

        fn stopping(&mut self) {
            *self.0 += 100;
        }
    }

    #[test]
    fn it_goes_round_first_and_then_when_it_is_due() {
        let mut count = 0;
        let mut rounds = Rounds::new([], Eager(&mut count, Duration::MAX));
        // If the machine stalls for ten seconds, there may be one more round.
        assert!(rounds.until_next() <= ROUND);
        assert!(rounds.until_next() <= ROUND);
        rounds.end();
        assert!((101..=102).contains(&count), "{count}");

        let mut count = 0;
        let mut rounds = Rounds::new([], Eager(&mut count, Duration::ZERO));
        for _ in 0..5 {
            assert_eq!(rounds.until_next(), Duration::ZERO);
        }
        assert_eq!(count, 5);
    }

    #[test]
    fn a_socket_that_is_lost_is_reported_once() {
        let directory = tempfile::tempdir().unwrap();
        let bound = ["lost", "kept"].map(|name| {
            SocketFile::bind(&directory.path().join(name), &SocketOptions::new()).unwrap()
        });
        let mut count = 0;
        let files = bound.iter().map(|(_, file)| file);
        let mut rounds = Rounds::new(files, Eager(&mut count, Duration::ZERO));
        rounds.until_next();
        assert_eq!(rounds.files.len(), 2);
        std::fs::remove_file(directory.path().join("lost")).unwrap();
        rounds.until_next();
        // It would be reported again.
        assert!(matches!(rounds.files[..], [kept] if kept.path().ends_with("kept")));
    }

    struct Nothing;

    impl Handler for Nothing {
        type Wants = Stream;
        type Provides = Stream;

        fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
            BTreeMap::new()
        }

        fn init(&mut self, _: Init, _: &Remote<Stream>) -> Result<Verdict> {
            Ok(Verdict::Accepted)
        }

        fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
            Ok(())
        }
    }

    /// Reports the thread on which it is called.
    struct Where(Sender<ThreadId>);

    impl Supervisor for Where {
        fn round(&mut self) -> Duration {
            self.0.send(thread::current().id()).unwrap();
            Duration::MAX
        }

        fn stopping(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }

    #[test]
    fn the_thread_that_accepts_is_the_one_that_goes_round() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("udf.sock");
        let (sender, threads) = channel();
        let accepting = sender.clone();
        let accepter = move || {
            accepting.send(thread::current().id()).unwrap();
            Nothing
        };
        let server = Server::bind(&path, accepter).unwrap();
        let stop = server.stopper();
        let serving = thread::spawn(|| server.serve_under(Where(sender)));
        drop(UnixStream::connect(&path).unwrap());
        let expected = serving.thread().id();
        // One round and one connection.
        assert_eq!([(); 2].map(|()| threads.recv().unwrap()), [expected; 2]);
        stop.stop();
        assert!(serving.join().unwrap().is_ok());
        assert!(threads.iter().all(|thread| thread == expected));
    }
}
