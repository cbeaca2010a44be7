//! Asking to stop, and the end of a server.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Check;
use super::agent::Counting;
use crate::connection::Connections;
use crate::stop::Stop;
use crate::sync::{thread, time_out};
use crate::{Limits, Metrics};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_stop_is_seen_by_whoever_asked",
        promise: "Of threads that ask to stop at once, each finds it asked when it has, and so does whoever waits.",
        preemptions: 5,
        threads: a_stop_is_seen_by_whoever_asked,
    },
    Check {
        name: "a_server_waits_for_its_connections",
        promise: "A server that stops returns when its connections have ended, whenever they do, and not before.",
        preemptions: 2,
        threads: a_server_waits_for_its_connections,
    },
];

fn a_stop_is_seen_by_whoever_asked() {
    let (stop, stopped) = Stop::new().expect("there are descriptors");
    let stopped = Arc::new(stopped);
    let ask = {
        let (stop, stopped) = (stop.clone(), Arc::clone(&stopped));
        move || {
            stop.stop();
            let mut fds = [PollFd::new(&*stopped, PollFlags::IN)];
            let seen = poll(&mut fds, Some(&Timespec::default()));
            assert_eq!(seen, Ok(1), "it was asked, and nobody sees it");
        }
    };
    let others = [thread::spawn(ask.clone()), thread::spawn(ask.clone())];
    ask();
    for other in others {
        other.join().expect("it does not panic");
    }
    // Whoever waits is woken by the end of its input, as often as it looks.
    assert_eq!((&*stopped).read(&mut [0]).ok(), Some(0));
}

fn a_server_waits_for_its_connections() {
    time_out(0);
    let stopped = Arc::new(AtomicUsize::new(0));
    let connections = Arc::new(Connections::new(Limits::default(), Metrics::new()));
    let mut accepter = {
        let stopped = Arc::clone(&stopped);
        move || Counting(Arc::clone(&stopped))
    };
    for _ in 0..2 {
        // The other side has gone already: a real read must not wait here.
        let (ours, _) = UnixStream::pair().expect("there are descriptors");
        connections.open(ours, &mut accepter);
    }
    connections.finish().expect("it waits for as long as they need");
    assert_eq!(stopped.load(Ordering::Relaxed), 2, "a connection has not ended");
}
