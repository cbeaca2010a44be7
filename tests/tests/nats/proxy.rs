//! A proxy between the processes and the server, which cuts, delays and drops.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::cases;
use crate::server::LOOK;
use crate::world::{NAME, World, lines};

cases! {
    two_workers_on_one_partition, "A worker that is cut off from its lease, but not from its partition, and the worker that has taken the partition over: both run it, and nothing is doubled.";
    connections_that_are_cut, "Connections are cut again and again, also in the middle of messages: nothing is lost, nothing is doubled.";
    acknowledgements_that_are_dropped, "Acknowledgements of stored messages do not arrive: the messages are found in the log, and nothing is doubled.";
    the_last_messages_that_are_dropped, "The last messages for a worker are lost on the way, and no more come: the worker notices that, and reads them again.";
    messages_that_are_late, "Everything from the server is late, and acknowledgements are dropped too.";
}

/// What the proxy does.
#[derive(Default)]
struct Faults {
    /// Every so many acknowledgements, one is dropped. 0 for none.
    drop_every: AtomicU64,
    /// Whether lines for the worker are dropped.
    drops_lines: AtomicBool,
    dropped_lines: AtomicU64,
    /// The milliseconds that each piece from the server is late.
    late: AtomicU64,
    acknowledgements: AtomicU64,
    /// Whether connections for leases hang.
    leases_hang: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

struct Proxy {
    address: SocketAddr,
    faults: Arc<Faults>,
}

impl Proxy {
    fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let faults = Arc::<Faults>::default();
        let shared = Arc::clone(&faults);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let Ok((from_client, from_server)) =
                    client.try_clone().and_then(|client| Ok((client, server.try_clone()?)))
                else {
                    continue;
                };
                let open = [client.try_clone(), server.try_clone()].into_iter().flatten();
                shared.open.lock().expect("no panic").extend(open);
                let is_for_leases = Arc::<AtomicBool>::default();
                let found = Arc::clone(&is_for_leases);
                let passing = Arc::clone(&shared);
                thread::spawn(move || {
                    let _ = passing.pass(from_client, server, &found);
                });
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let _ = shared.deliver(from_server, client, &is_for_leases);
                });
            }
        });
        Proxy { address, faults }
    }

    /// Cuts all connections.
    fn cut(&self) {
        for stream in self.faults.open.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Faults {
    /// Passes everything on from a client. Its name shows what the connection is for.
    fn pass(
        &self,
        from: TcpStream,
        mut to: TcpStream,
        is_for_leases: &AtomicBool,
    ) -> io::Result<()> {
        let mut from = BufReader::new(from);
        let mut connect = Vec::new();
        from.read_until(b'\n', &mut connect)?;
        let name = format!("\"name\":\"udf {NAME}\"");
        is_for_leases.store(String::from_utf8_lossy(&connect).contains(&name), Ordering::Relaxed);
        to.write_all(&connect)?;
        loop {
            let length = from.fill_buf()?.len();
            if length == 0 {
                return to.shutdown(Shutdown::Both);
            }
            self.hang(is_for_leases);
            to.write_all(from.buffer())?;
            from.consume(length);
        }
    }

    /// Waits while connections for leases hang.
    fn hang(&self, is_for_leases: &AtomicBool) {
        while is_for_leases.load(Ordering::Relaxed) && self.leases_hang.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
        }
    }

    /// Passes the messages of the server on, except for dropped ones.
    fn deliver(
        &self,
        from: TcpStream,
        mut to: TcpStream,
        is_for_leases: &AtomicBool,
    ) -> io::Result<()> {
        let mut from = BufReader::with_capacity(1 << 16, from);
        let mut line = Vec::new();
        loop {
            line.clear();
            if from.read_until(b'\n', &mut line)? == 0 {
                return to.shutdown(Shutdown::Both);
            }
            let head = String::from_utf8_lossy(&line).into_owned();
            let mut payload = Vec::new();
            if head.starts_with("MSG ") || head.starts_with("HMSG ") {
                let length = head.split_whitespace().last().and_then(|word| word.parse().ok());
                payload.resize(length.unwrap_or(0) + 2, 0);
                from.read_exact(&mut payload)?;
            }
            if head.contains(" $JS.ACK.ma-in.") && self.drops_lines.load(Ordering::Relaxed) {
                self.dropped_lines.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let late = self.late.load(Ordering::Relaxed);
            if late > 0 && from.buffer().is_empty() {
                thread::sleep(Duration::from_millis(late));
            }
            self.hang(is_for_leases);
            let is_acknowledgement = payload.starts_with(b"{\"stream\":")
                && payload.windows(6).any(|word| word == b"\"seq\":");
            if is_acknowledgement {
                let number = self.acknowledgements.fetch_add(1, Ordering::Relaxed) + 1;
                let every = self.drop_every.load(Ordering::Relaxed);
                if every > 0 && number.is_multiple_of(every) {
                    continue;
                }
            }
            to.write_all(&line)?;
            to.write_all(&payload)?;
        }
    }
}

/// Starts a server behind a proxy, which only the processes use.
fn world(partitions: u32) -> (World, Proxy) {
    let mut world = World::new(partitions);
    let proxy = Proxy::start(world.servers.servers[0].address());
    world.url = Some(format!("nats://{}", proxy.address));
    (world, proxy)
}

fn two_workers_on_one_partition() {
    let (mut world, proxy) = world(1);
    world.publish(&lines(5_000, 44), 10);
    let first = world.worker("--timeout 1s --snapshot-every 200ms");
    world.url = None;
    let splitter = world.split("");
    world.grows(10);
    proxy.faults.leases_hang.store(true, Ordering::Relaxed);
    let second = world.worker("--snapshot-every 200ms");
    let name = second.name(&world);
    world.until("the second worker takes over", || world.owners() == [Some(name.clone())]);
    world.until("both run the partition, and one is refused", || {
        world.grows(1);
        first.text().contains("another worker has") || second.text().contains("another worker has")
    });
    world.grows(20);
    proxy.faults.leases_hang.store(false, Ordering::Relaxed);
    first.end();
    second.end();
    splitter.end();
    world.drain();
    world.assert_exact();
}

fn connections_that_are_cut() {
    let (world, proxy) = world(3);
    world.publish(&lines(5_000, 41), 10);
    let (splitter, worker) = (world.split(""), world.worker("--snapshot-every 200ms"));
    for _ in 0..10 {
        world.grows(30);
        proxy.cut();
    }
    worker.end();
    splitter.end();
    world.drain();
    world.assert_exact();
}

fn acknowledgements_that_are_dropped() {
    let (world, proxy) = world(2);
    world.publish(&lines(5_000, 42), 20);
    proxy.faults.drop_every.store(15, Ordering::Relaxed);
    let splitter = world.split("--timeout 500ms");
    let worker = world.worker("--timeout 500ms --snapshot-every 200ms");
    world.grows(60);
    proxy.faults.drop_every.store(0, Ordering::Relaxed);
    worker.end();
    splitter.end();
    world.drain();
    assert!(proxy.faults.acknowledgements.load(Ordering::Relaxed) > 60);
    world.assert_exact();
}

fn the_last_messages_that_are_dropped() {
    let (mut world, proxy) = world(1);
    let worker = world.worker("");
    world.url = None;
    let output = || world.lines("ma-out", "derived.ma.0").len();
    world.publish(&lines(100, 45), 10);
    world.drain_raw();
    world.until("the first lines are handled", || output() == 100);
    proxy.faults.drops_lines.store(true, Ordering::Relaxed);
    let last = world.last("ma-in");
    world.publish(&lines(100, 46), 10);
    world.drain_raw();
    let sent = world.last("ma-in") - last;
    let dropped = || proxy.faults.dropped_lines.load(Ordering::Relaxed);
    world.until("all messages are dropped", || dropped() >= sent);
    proxy.faults.drops_lines.store(false, Ordering::Relaxed);
    world.until("the dropped lines are handled", || output() == 200);
    worker.end();
    world.assert_exact();
}

fn messages_that_are_late() {
    let (world, proxy) = world(2);
    world.publish(&lines(10_000, 43), 20);
    proxy.faults.late.store(15, Ordering::Relaxed);
    proxy.faults.drop_every.store(15, Ordering::Relaxed);
    let splitter = world.split("--timeout 500ms");
    let worker = world.worker("--timeout 500ms --snapshot-every 200ms");
    world.grows(60);
    proxy.cut();
    world.grows(20);
    proxy.faults.late.store(0, Ordering::Relaxed);
    proxy.faults.drop_every.store(0, Ordering::Relaxed);
    worker.end();
    splitter.end();
    world.drain();
    world.assert_exact();
}
