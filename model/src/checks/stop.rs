//! Requests to stop, and the end of a server.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Check;
use super::Tries::Preemptions;
use super::agent::Counting;
use crate::agent::any::AnyHandler;
use crate::agent::limits::Limits;
use crate::agent::metrics::Metrics;
use crate::agent::stop::Stop;
use crate::agent::sync::{thread, time_out};
use crate::connection::Connections;
use crate::refusal::Refusals;
use crate::server::AnyAccepter;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "a_stop_is_seen_by_whoever_asked",
        promise: "After a thread has asked to stop, every thread sees the request, and so does a waiting one.",
        tries: Preemptions(5),
        threads: a_stop_is_seen_by_whoever_asked,
    },
    Check {
        name: "a_server_waits_for_its_connections",
        promise: "A server that stops returns after all of its connections have ended, and not before.",
        tries: Preemptions(2),
        threads: a_server_waits_for_its_connections,
    },
];

fn a_stop_is_seen_by_whoever_asked() {
    let stop = Stop::new().expect("a descriptor is left");
    let stopping = stop.stopping();
    let ask = {
        let (stop, stopping) = (stop.clone(), stopping.clone());
        move || {
            stop.stop();
            assert!(stopping.is_asked(), "the request to stop is not visible");
        }
    };
    let others = [thread::spawn(ask.clone()), thread::spawn(ask.clone())];
    ask();
    for other in others {
        other.join().expect("the thread does not panic");
    }
    // A look does not reset the request.
    assert!(stopping.is_asked());
}

fn a_server_waits_for_its_connections() {
    time_out(0);
    let stopped = Arc::new(AtomicUsize::new(0));
    let (stop, metrics) = (Stop::new().expect("there are descriptors"), Metrics::new());
    let mut refusals = Refusals::new(metrics.clone(), 0);
    let connections = Arc::new(Connections::new(Limits::default(), metrics, stop.stopping()));
    let mut accepter: AnyAccepter = {
        let stopped = Arc::clone(&stopped);
        Box::new(move || {
            let handler: Box<dyn AnyHandler> = Box::new(Counting(Arc::clone(&stopped)));
            Box::new(handler)
        })
    };
    for _ in 0..2 {
        // The peer has closed its end: a real read must not block here.
        let (ours, _) = UnixStream::pair().expect("a descriptor is left");
        connections.open(ours, &mut accepter, &mut refusals);
    }
    connections.finish().expect("the server waits for its connections");
    assert_eq!(stopped.load(Ordering::Relaxed), 2, "a connection has not ended");
}
