//! A slow disk, and one that hangs.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// A disk that writes when the test says so, and reports what it writes.
fn disk() -> (Saver, Receiver<Vec<u8>>, Sender<()>) {
    let ((wrote, written), (go, goes)) = (channel(), channel());
    let saver = Saver::start(move |snapshot: &[u8], _| {
        // Fails if the test has ended.
        let _ = wrote.send(snapshot.to_vec());
        goes.recv()
    });
    (saver.expect("there are threads"), written, go)
}

fn given() -> Given {
    Given::new(None)
}

#[test]
fn the_latest_checkpoint_is_saved_as_soon_as_the_disk_is_idle() {
    let (mut saver, written, go) = disk();
    let next = || written.recv().expect("the thread lives");
    saver.save(b"A", given());
    assert_eq!(next(), b"A");
    for later in [b"B", b"C"] {
        saver.save(later, given());
    }
    go.send(()).expect("the thread lives");
    assert_eq!(next(), b"C", "B was overtaken");
    saver.save(b"D", given());
    (0..2).for_each(|_| go.send(()).expect("the thread lives"));
    saver.finish(None);
    assert_eq!(written.iter().collect::<Vec<_>>(), [b"D"]);
}

#[test]
fn a_disk_that_hangs_is_not_waited_for_without_limit() {
    let (mut saver, written, go) = disk();
    saver.save(b"A", given());
    assert_eq!(written.recv().as_deref(), Ok(&b"A"[..]));
    saver.finish(Some(Duration::from_millis(1)));
    // The thread ends when the disk goes on.
    drop(go);
    assert_eq!(written.recv().ok(), None);
}
