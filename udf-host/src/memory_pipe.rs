//! A pipe within this process: a bounded buffer between two threads, without system calls for the
//! bytes.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The number of bytes that the pipe holds. The reader holds as many again.
const ROOM: usize = 256 << 10;

/// Creates a pipe.
pub(crate) fn pipe() -> (PipeReader, PipeWriter) {
    let pipe = Arc::new(Pipe {
        state: Mutex::new(State::default()),
        filled: Condvar::new(),
        emptied: Condvar::new(),
    });
    let reader = PipeReader { pipe: Arc::clone(&pipe), taken: Vec::new(), read: 0 };
    (reader, PipeWriter { pipe })
}

#[derive(Debug)]
struct Pipe {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    reader_gone: bool,
    writer_gone: bool,
}

impl Pipe {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.filled.notify_all();
        self.emptied.notify_all();
    }
}

/// The reading end of a pipe. Reads the rest of the bytes after the drop of the writing end.
#[derive(Debug)]
pub struct PipeReader {
    pipe: Arc<Pipe>,
    /// The bytes that were taken from the pipe, and how many of them were read.
    taken: Vec<u8>,
    read: usize,
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.taken.len() {
            self.taken.clear();
            self.read = 0;
            let state = self.pipe.state();
            let waits = |state: &mut State| state.bytes.is_empty() && !state.writer_gone;
            let waited = self.pipe.filled.wait_while(state, waits);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut state.bytes, &mut self.taken);
            drop(state);
            self.pipe.emptied.notify_one();
        }
        let read = (&self.taken[self.read..]).read(buffer)?;
        self.read += read;
        Ok(read)
    }
}

impl Drop for PipeReader {
    fn drop(&mut self) {
        self.pipe.change(|state| state.reader_gone = true);
    }
}

/// The writing end of a pipe. Its writes fail with [`BrokenPipe`](ErrorKind::BrokenPipe) after the
/// drop of the reading end.
#[derive(Debug)]
pub struct PipeWriter {
    pipe: Arc<Pipe>,
}

impl PipeWriter {
    /// Returns a view of the pipe that outlives the writing end.
    pub fn watch(&self) -> PipeWatch {
        PipeWatch { pipe: Arc::clone(&self.pipe) }
    }
}

impl Write for PipeWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let state = self.pipe.state();
        let waits = |state: &mut State| state.bytes.len() >= ROOM && !state.reader_gone;
        let waited = self.pipe.emptied.wait_while(state, waits);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.reader_gone {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let written = buffer.len().min(ROOM - state.bytes.len());
        state.bytes.extend_from_slice(&buffer[..written]);
        drop(state);
        self.pipe.filled.notify_one();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        self.pipe.change(|state| state.writer_gone = true);
    }
}

/// The state of a pipe, for a thread that neither reads nor writes.
#[derive(Debug, Clone)]
pub struct PipeWatch {
    pipe: Arc<Pipe>,
}

impl PipeWatch {
    /// Returns whether a write of a few bytes does not block.
    pub fn has_room(&self) -> bool {
        let state = self.pipe.state();
        state.reader_gone || state.bytes.len() < ROOM / 2
    }

    /// Ends the pipe for both ends, as if both were dropped. The bytes in it can still be read.
    pub fn cut(&self) {
        self.pipe.change(|state| (state.reader_gone, state.writer_gone) = (true, true));
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn bytes_come_in_order_through_a_full_pipe() {
        let (mut reader, mut writer) = pipe();
        let sent = (0..3 * ROOM + 7).map(|i| (i / 3) as u8).collect::<Vec<_>>();
        let to_send = sent.clone();
        let writing = thread::spawn(move || writer.write_all(&to_send));
        let mut received = Vec::new();
        reader.read_to_end(&mut received).expect("a pipe");
        writing.join().expect("no panic").expect("somebody reads");
        assert!(received == sent);
    }

    #[test]
    fn a_write_to_nobody_fails() {
        let (reader, mut writer) = pipe();
        let watch = writer.watch();
        assert!(watch.has_room());
        writer.write_all(&[0; ROOM]).expect("there is room");
        assert!(!watch.has_room());
        let dropping = thread::spawn(move || drop(reader));
        let error = writer.write_all(&[0]).expect_err("the reader has gone");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        dropping.join().expect("no panic");
    }

    #[test]
    fn a_cut_ends_both_ends() {
        let (mut reader, mut writer) = pipe();
        writer.write_all(b"ab").expect("there is room");
        let watch = writer.watch();
        let cutting = thread::spawn(move || watch.cut());
        let mut received = Vec::new();
        reader.read_to_end(&mut received).expect("the end");
        assert_eq!(received, b"ab");
        assert!(writer.write_all(b"c").is_err());
        cutting.join().expect("no panic");
    }
}
