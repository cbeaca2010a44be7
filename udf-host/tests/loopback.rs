//! UDFs that run in this process.

#![allow(clippy::unwrap_used)] // Also in the modules that tests share.

mod common;

use std::io::{self, Read, Write};

use common::{batch, point, quiet, signal, timed};
use udf_host::{Callbacks, Error, Init, Interface, Loopback, Sink, WholeBatch};
use udf_proto::{EdgeType, Point};

#[test]
fn data_comes_back_equal_through_any_interface() {
    let udf: Box<dyn Interface> = Box::new(
        Loopback::new(|mut input, mut output| {
            std::io::copy(&mut input, &mut output)?;
            Ok(())
        })
        .settings(timed(10_000)),
    );
    udf.open().unwrap();
    assert!(matches!(udf.init(Init::default()), Err(Error::InitRefused(_))));
    udf.point_in().unwrap().send(point(1).as_point()).unwrap();
    udf.batch_in().unwrap().send(&batch("cpu", 2)).unwrap();
    assert_eq!(udf.point_out().unwrap().recv(), Some(point(1)));
    assert_eq!(udf.batch_out().unwrap().recv(), Some(batch("cpu", 2)));
    udf.close().unwrap();
}

#[test]
fn a_message_may_come_in_pieces() {
    let udf = Loopback::new(|mut input, mut output| {
        let mut byte = [0];
        while input.read(&mut byte)? == 1 {
            output.write_all(&byte)?;
        }
        Ok(())
    });
    udf.open().unwrap();
    assert!(matches!(udf.init(Init::default()), Err(Error::InitRefused(_))));
    udf.batch_in().unwrap().send(&batch("cpu", 2)).unwrap();
    udf.keepalive().unwrap();
    assert_eq!(udf.batch_out().unwrap().recv(), Some(batch("cpu", 2)));
    udf.close().unwrap();
}

/// Panics at the first point.
struct Panics;

impl Sink for Panics {
    fn point(&mut self, _: Point<'_>) -> io::Result<()> {
        panic!("this is expected")
    }

    fn batch(&mut self, _: &WholeBatch) -> io::Result<()> {
        Ok(())
    }

    fn pause(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_panic_of_a_sink_is_not_one_of_the_udf() {
    let (ended, end) = signal();
    let udf = Loopback::new(move |mut input, mut output| {
        let copied = std::io::copy(&mut input, &mut output);
        ended.send(copied.is_ok()).unwrap();
        Ok(())
    });
    let udf = udf.settings(quiet());
    udf.open().unwrap();
    udf.data_to(EdgeType::Stream, Box::new(Panics)).unwrap();
    assert!(matches!(udf.init(Init::default()), Err(Error::InitRefused(_))));
    udf.point_in().unwrap().send(point(1).as_point()).unwrap();
    let error = udf.close().unwrap_err().to_string();
    assert_eq!(error, "the thread that reads from the UDF panicked");
    end.wait("the code goes on until the end of its input");
}

#[test]
fn code_that_no_longer_reads_is_an_error() {
    let (released, release) = signal::<()>();
    let udf = Loopback::new(move |input, output| {
        drop(input);
        release.wait("the end of the test");
        drop(output);
        Ok(())
    });
    let udf = udf.settings(quiet());
    udf.open().unwrap();
    assert!(matches!(udf.info(), Err(Error::Write(_))));
    released.send(()).unwrap();
}

#[test]
fn an_error_of_the_code_is_that_of_the_connection() {
    let udf = Loopback::new(|mut input, _output| {
        input.read_exact(&mut [0; 3])?;
        Err("no model for this".into())
    });
    let udf = udf.settings(quiet());
    udf.open().unwrap();
    assert_eq!(
        udf.info().unwrap_err().to_string(),
        "the UDF ended unexpectedly: no model for this"
    );
    assert!(matches!(udf.close(), Err(Error::Ended(_))));
}

#[test]
fn an_error_at_the_end_is_told_too() {
    let udf = Loopback::new(|mut input, _output| {
        input.read_to_end(&mut Vec::new())?;
        Err("the state could not be written".into())
    });
    let udf = udf.settings(quiet());
    udf.open().unwrap();
    let error = udf.close().unwrap_err().to_string();
    assert_eq!(error, "the UDF ended unexpectedly: the state could not be written");
}

#[test]
fn a_panic_of_the_code_is_an_error() {
    let udf = Loopback::new(|_, _| panic!("this is {}", "expected")).settings(quiet());
    udf.open().unwrap();
    let error = udf.close().unwrap_err().to_string();
    assert!(error.ends_with("it panicked: this is expected"), "{error}");
}

#[test]
fn code_that_does_not_let_go_loses_its_connection() {
    let (killed, kill) = signal();
    let (released, release) = signal();
    let callbacks = Callbacks::new().on_kill(move || killed.send(()).unwrap());
    let udf = Loopback::new(move |_input, mut output| {
        kill.wait("the kill callback");
        released.send(output.write_all(&[0]).is_err()).unwrap();
        Ok(())
    });
    let udf = udf.settings(timed(50)).callbacks(callbacks);
    udf.open().unwrap();
    assert!(matches!(udf.info(), Err(Error::KeepaliveTimedout { .. })));
    assert!(matches!(udf.close(), Err(Error::KeepaliveTimedout { .. })));
    assert!(release.wait("the code comes to its end"), "it writes to nobody");
}
