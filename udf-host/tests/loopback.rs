//! UDFs that run in this process.

#![allow(clippy::unwrap_used)] // Also in the modules that tests share.

mod common;

use std::io::{Read, Write};

use common::{batch, point, quiet, signal, timed};
use udf_host::{Callbacks, Error, Init, Interface, Loopback};

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
