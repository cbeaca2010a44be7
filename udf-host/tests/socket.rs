//! UDFs that listen on a socket.

#![allow(clippy::unwrap_used)] // Also in the modules that tests share.

mod common;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::{LONG, point, quiet, signal, timed};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use tempfile::TempDir;
use udf_host::socket::{connect, split};
use udf_host::{Callbacks, Error, Init, Interface, Log, Socket};

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("udf.sock");
    (directory, path)
}

/// Sends its input back until the input ends, and then closes.
fn echo(mut stream: UnixStream) {
    let mut reader = stream.try_clone().unwrap();
    std::io::copy(&mut reader, &mut stream).unwrap();
}

#[test]
fn a_point_comes_back_equal_and_stop_closes_one_half() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let udf = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        echo(stream.try_clone().unwrap());
        // The other direction is still open, so a last message arrives.
        let mut last = Vec::new();
        udf_proto::response::append_point(point(2).as_point(), &mut last);
        stream.write_all(&last).unwrap();
    });
    let socket = Socket::new(&path).settings(quiet());
    socket.open().unwrap();
    assert!(matches!(socket.init(Init::default()), Err(Error::InitRefused(_))));
    let out = socket.point_out().unwrap();
    socket.point_in().unwrap().send(point(1).as_point()).unwrap();
    assert_eq!(out.recv(), Some(point(1)));
    socket.close().unwrap();
    assert_eq!(out.recv(), Some(point(2)));
    assert_eq!(out.recv(), None);
    udf.join().unwrap();
}

#[test]
fn it_waits_until_somebody_listens() {
    let (_directory, path) = place();
    let (told, tell) = signal();
    let callbacks = Callbacks::new().on_log(move |log| {
        if let Log::Connecting { retry_in, .. } = log {
            let _ = told.send(*retry_in);
        }
    });
    let socket = Arc::new(Socket::new(&path).settings(quiet()).callbacks(callbacks));
    let opening = {
        let socket = socket.clone();
        std::thread::spawn(move || socket.open())
    };
    let pauses = [(); 3].map(|()| tell.wait("a try to connect"));
    assert!(pauses[1] == 2 * pauses[0] && pauses[2] == 2 * pauses[1], "{pauses:?}");
    let listener = UnixListener::bind(&path).unwrap();
    let udf = std::thread::spawn(move || echo(listener.accept().unwrap().0));
    opening.join().unwrap().unwrap();
    socket.close().unwrap();
    udf.join().unwrap();
}

#[test]
fn it_gives_up_in_the_end() {
    let (_directory, path) = place();
    let socket = Socket::new(&path).connect_within(Duration::from_millis(30));
    let error = socket.open().unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("udf.sock") && text.contains("check that the UDF is running"), "{text}");
    assert!(matches!(socket.info(), Err(Error::Connect { .. })));
}

/// A listener that never accepts, with a full backlog.
fn full() -> (TempDir, PathBuf, impl Sized) {
    let (directory, path) = place();
    let listener = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = connect(&path, Duration::ZERO, |_, _| Ok(())) {
        waiting.push(stream);
    }
    (directory, path, (listener, waiting))
}

#[test]
fn a_listener_that_accepts_nobody_is_given_up_in_time() {
    let (_directory, path, _full) = full();
    let (done, returns) = signal();
    std::thread::spawn(move || {
        let socket = Socket::new(&path).connect_within(Duration::from_millis(30));
        done.send(socket.open().unwrap_err().to_string()).unwrap();
    });
    let error = returns.wait("open returns");
    let expected = "within 30ms: the listener does not accept connections, and its backlog is full";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn an_abort_ends_the_wait_for_a_listener_that_accepts_nobody() {
    let (_directory, path, _full) = full();
    let (told, tell) = signal();
    let callbacks = Callbacks::new().on_log(move |_| told.send(()).unwrap_or_default());
    let socket = Arc::new(Socket::new(&path).callbacks(callbacks));
    let (done, returns) = signal();
    let opening = socket.clone();
    std::thread::spawn(move || done.send(opening.open().unwrap_err().to_string()).unwrap());
    tell.wait("a try to connect");
    socket.abort(Error::Aborted("the daemon stops".into()));
    assert_eq!(returns.wait("open returns"), "the daemon stops");
}

#[test]
fn a_listener_that_accepts_again_is_reached() {
    let (_directory, path) = place();
    let listener = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let waits = connect(&path, Duration::ZERO, |_, _| Ok(())).unwrap();
    let mut listener = Some(UnixListener::from(listener));
    let reached = connect(&path, LONG, |error, _| {
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        // Now the backlog has room.
        drop(listener.as_ref().unwrap().accept().unwrap());
        Ok(())
    });
    drop(waits);
    let mut reached = reached.unwrap();
    let (mut accepted, _) = listener.take().unwrap().accept().unwrap();
    accepted.write_all(b"x").unwrap();
    // The connected stream blocks like any other stream.
    reached.read_exact(&mut [0]).unwrap();
}

#[test]
fn an_abort_ends_the_tries() {
    let (_directory, path) = place();
    let (told, tell) = signal();
    let callbacks = Callbacks::new().on_log(move |_| told.send(()).unwrap_or_default());
    let socket = Arc::new(Socket::new(&path).callbacks(callbacks));
    let opening = {
        let socket = socket.clone();
        std::thread::spawn(move || socket.open())
    };
    tell.wait("a try to connect");
    socket.abort(Error::Aborted("the daemon stops".into()));
    assert_eq!(opening.join().unwrap().unwrap_err().to_string(), "the daemon stops");
}

#[test]
fn a_silent_udf_is_closed_by_force() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let (killed, kill) = signal();
    let callbacks = Callbacks::new().on_kill(move || killed.send(()).unwrap());
    let socket = Socket::new(&path).settings(timed(50)).callbacks(callbacks);
    socket.open().unwrap();
    // The UDF reads nothing, writes nothing, and does not close.
    let (mut silent, _) = listener.accept().unwrap();
    assert!(matches!(socket.info(), Err(Error::KeepaliveTimedout { .. })));
    kill.wait("the kill callback");
    assert!(matches!(socket.close(), Err(Error::KeepaliveTimedout { .. })));
    silent.set_read_timeout(Some(LONG)).unwrap();
    silent.read_to_end(&mut Vec::new()).expect("the input ends");
    assert!(silent.write_all(&[0]).is_err(), "nobody reads any more");
}

#[test]
fn a_fault_closes_both_directions() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let socket = Socket::new(&path).settings(quiet());
    socket.open().unwrap();
    let (mut faulty, _) = listener.accept().unwrap();
    faulty.write_all(&[0]).unwrap();
    faulty.set_read_timeout(Some(LONG)).unwrap();
    faulty.read_to_end(&mut Vec::new()).expect("the input ends");
    assert!(matches!(socket.close(), Err(Error::EmptyResponse)));
    assert!(faulty.write_all(&[0]).is_err(), "nobody reads any more");
}

#[test]
fn a_udf_that_goes_away() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let socket = Socket::new(&path).settings(quiet());
    socket.open().unwrap();
    drop(listener.accept().unwrap());
    let error = socket.info().unwrap_err();
    assert!(matches!(error, Error::ClosedEarly), "{error}");
    assert!(matches!(socket.close(), Err(Error::ClosedEarly)));
}

#[test]
fn a_half_that_is_dropped_ends_its_direction_alone() {
    let (host, mut udf) = UnixStream::pair().unwrap();
    udf.set_read_timeout(Some(LONG)).unwrap();
    let (mut reader, writer) = split(host).unwrap();
    drop(writer);
    assert_eq!(udf.read(&mut [0]).unwrap(), 0, "the input has ended");
    udf.write_all(b"x").unwrap();
    reader.read_exact(&mut [0]).unwrap();

    let (host, mut udf) = UnixStream::pair().unwrap();
    udf.set_read_timeout(Some(LONG)).unwrap();
    let (reader, mut writer) = split(host).unwrap();
    drop(reader);
    assert!(udf.write_all(b"x").is_err(), "nobody reads any more");
    writer.write_all(b"x").unwrap();
    udf.read_exact(&mut [0]).unwrap();
}
