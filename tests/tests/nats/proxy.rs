//! A proxy between the processes and the server, which cuts, delays and drops.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::cases;
use crate::world::{World, lines};

cases! {
    connections_that_are_cut, "Connections are cut again and again, also in the middle of messages: nothing is lost, nothing is doubled.";
    acknowledgements_that_are_dropped, "Acknowledgements of stored messages do not arrive: the messages are found in the log, and nothing is doubled.";
    messages_that_are_late, "Everything from the server is late, and acknowledgements are dropped too.";
}

/// What the proxy does.
#[derive(Default)]
struct Faults {
    /// Every so many acknowledgements, one is dropped. 0 for none.
    drop_every: AtomicU64,
    /// The milliseconds that each piece from the server is late.
    late: AtomicU64,
    acknowledgements: AtomicU64,
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
                thread::spawn(move || pass(from_client, server));
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let _ = shared.deliver(from_server, client);
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

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

impl Faults {
    /// Passes the messages of the server on, except for dropped ones.
    fn deliver(&self, from: TcpStream, mut to: TcpStream) -> io::Result<()> {
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
            let late = self.late.load(Ordering::Relaxed);
            if late > 0 && from.buffer().is_empty() {
                thread::sleep(Duration::from_millis(late));
            }
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
