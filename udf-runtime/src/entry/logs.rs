//! Logs of a UDF's process: to stderr, one line each, none too long for Kapacitor to read.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};

use tracing::level_filters::LevelFilter;

/// Kapacitor stops to read the stderr of a UDF at a line of 64 KiB, and the UDF then blocks in its logging.
const MAX_LINE: usize = 60 << 10;

/// The variable that sets the level when no argument does.
pub(super) const LEVEL_VARIABLE: &str = "UDF_LOG";

/// Starts to log at `level`, to stderr, with the time in each line or without.
pub(super) fn start(level: LevelFilter, has_time: bool) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| OneLine { stderr: io::stderr() })
        .with_ansi(false)
        .with_target(false);
    // If a global subscriber is already installed, keep it.
    let _ = if has_time {
        tracing::subscriber::set_global_default(subscriber.finish())
    } else {
        tracing::subscriber::set_global_default(subscriber.without_time().finish())
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
        let text = panic.payload_as_str().unwrap_or("no message");
        tracing::error!("panic{place}: {text}");
        // Captured only when RUST_BACKTRACE asks for it.
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            for line in backtrace.to_string().lines() {
                tracing::error!("{}", line.trim_end());
            }
        }
    }));
}

/// Writes each event, which comes in one piece, as one line.
struct OneLine {
    stderr: io::Stderr,
}

impl Write for OneLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // When it cannot be written, nobody is left to be told: the subscriber would try on stderr, and
        // panic.
        let _ = self.stderr.lock().write_all(&line_of(event));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stderr.flush()
    }
}

/// A text as one line, without its end.
pub(super) fn one_line(text: &str) -> String {
    let line = line_of(text.as_bytes());
    String::from_utf8_lossy(line.trim_ascii_end()).into_owned()
}

fn line_of(event: &[u8]) -> Vec<u8> {
    let text = event.strip_suffix(b"\n").unwrap_or(event);
    let mut line = Vec::with_capacity(text.len().min(MAX_LINE) + 8);
    for &byte in text {
        if line.len() >= MAX_LINE {
            line.extend_from_slice(b" ...");
            break;
        }
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            0x1b => line.extend_from_slice(b"\\e"),
            _ => line.push(byte),
        }
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_one_line_of_bounded_length() {
        assert_eq!(line_of(b"one\n"), b"one\n");
        assert_eq!(line_of(b"two\r\nlines\x1b[0m\n"), b"two\\r\\nlines\\e[0m\n");
        let long = line_of(&vec![b'x'; 1 << 20]);
        assert!(long.len() < 64 << 10, "{}", long.len());
        assert!(long.ends_with(b"x ...\n"));
    }
}
