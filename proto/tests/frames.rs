//! Frames arrive unchanged wherever reads split them, and memory grows only with received bytes.

mod common;

use std::error::Error;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{config, varint};
use proptest::collection::vec;
use proptest::prelude::*;
use udf_proto::frame::{self, DEFAULT_LIMIT, FrameError, FrameReader, Room};
use udf_proto::messages::KeepaliveRequest;

/// Returns bytes in pieces of the given lengths, then the rest. Fails where configured.
struct Pieces<'a> {
    bytes: &'a [u8],
    pieces: Vec<usize>,
    fail_before: Vec<(usize, ErrorKind)>,
    handed_out: usize,
}

impl<'a> Pieces<'a> {
    fn new(bytes: &'a [u8], pieces: &[usize]) -> Self {
        let pieces = pieces.iter().rev().copied().collect();
        Pieces { bytes, pieces, fail_before: Vec::new(), handed_out: 0 }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((_, kind)) = self.fail_before.pop_if(|(at, _)| *at <= self.handed_out) {
            return Err(kind.into());
        }
        let mut wanted = self.pieces.pop().unwrap_or(usize::MAX).max(1);
        if let Some((at, _)) = self.fail_before.last() {
            wanted = wanted.min(at - self.handed_out);
        }
        let length = wanted.min(buffer.len()).min(self.bytes.len());
        buffer[..length].copy_from_slice(&self.bytes[..length]);
        self.bytes = &self.bytes[length..];
        self.handed_out += length;
        Ok(length)
    }
}

fn framed(body: &[u8], pad: usize) -> Vec<u8> {
    [varint(body.len() as u64, pad), body.to_vec()].concat()
}

fn all<R: Read>(reader: &mut FrameReader<R>) -> Result<Vec<Vec<u8>>, FrameError> {
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        frames.push(frame.to_vec());
    }
    Ok(frames)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let lengths = prop_oneof![
        8 => 0..300usize,
        2 => 100_000..300_000usize,
        1 => 500_000..900_000usize,
    ];
    (any::<u8>(), lengths).prop_map(|(first, length)| {
        (0..length).map(|at| (at as u8).wrapping_mul(31).wrapping_add(first)).collect()
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn frames_cut_anywhere_come_out_the_same(
        frames in vec((body(), 0..10usize), 0..8),
        pieces in vec(prop_oneof![4 => 1..40usize, 2 => 1..100_000usize], 0..200),
    ) {
        let bytes = frames.iter().flat_map(|(body, pad)| framed(body, *pad)).collect::<Vec<_>>();
        let expected = frames.into_iter().map(|(body, _)| body).collect::<Vec<_>>();

        let mut reader = FrameReader::new(Pieces::new(&bytes, &pieces));
        prop_assert!(all(&mut reader).unwrap() == expected);
        prop_assert!(reader.next_frame().unwrap().is_none(), "the end stays the end");

        // The same, in the steps of a loop that writes when no complete frame is left.
        let mut reader = FrameReader::new(Pieces::new(&bytes, &pieces));
        let mut frames = Vec::new();
        loop {
            while let Some(frame) = reader.buffered_frame().unwrap() {
                frames.push(frame.to_vec());
            }
            prop_assert!(!reader.has_frame().unwrap());
            if !reader.fill().unwrap() {
                break;
            }
        }
        prop_assert!(frames == expected);
    }

    #[test]
    fn failures_that_pass_lose_nothing(
        frames in vec(vec(any::<u8>(), 0..50), 1..6),
        mut places in vec((0..200usize, any::<bool>()), 0..6),
    ) {
        let bytes = frames.iter().flat_map(|body| framed(body, 0)).collect::<Vec<_>>();
        places.retain(|(at, _)| *at < bytes.len());
        places.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let mut source = Pieces::new(&bytes, &[]);
        source.fail_before = places
            .iter()
            .map(|(at, interrupted)| {
                (*at, if *interrupted { ErrorKind::Interrupted } else { ErrorKind::WouldBlock })
            })
            .collect();
        let mut reader = FrameReader::new(source);
        let (mut found, mut blocked) = (Vec::new(), 0);
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => found.push(frame.to_vec()),
                Ok(None) => break,
                Err(FrameError::Io(error)) if error.kind() == ErrorKind::WouldBlock => blocked += 1,
                Err(error) => panic!("{error}"),
            }
        }
        prop_assert!(found == frames);
        prop_assert_eq!(blocked, places.iter().filter(|(_, interrupted)| !interrupted).count());
    }

    #[test]
    fn arbitrary_bytes_are_frames_or_an_error(
        bytes in vec(prop_oneof![0..6u8, any::<u8>()], 0..60),
        pieces in vec(1..9usize, 0..20),
    ) {
        // At the end of the input, the reader returns the end, or an error with the missing bytes.
        let whole = all(&mut FrameReader::new(&bytes[..])).map_err(|error| error.to_string());
        let parts = all(&mut FrameReader::new(Pieces::new(&bytes, &pieces)));
        prop_assert_eq!(&whole, &parts.map_err(|error| error.to_string()));
        if let Ok(frames) = whole {
            let length = frames.iter().map(Vec::len).sum::<usize>();
            prop_assert!(length + frames.len() <= bytes.len());
        }
    }
}

fn error(bytes: &[u8]) -> String {
    let mut reader = FrameReader::new(bytes);
    let error = all(&mut reader).expect_err("the frame is cut or malformed");
    // The error is permanent: the reader does not know where the next frame begins.
    assert_eq!(reader.next_frame().expect_err("still").to_string(), error.to_string());
    error.to_string()
}

#[test]
fn an_end_within_a_frame_says_what_is_missing() {
    let mut frame = framed(&[7; 300], 0);
    assert_eq!(error(&frame[..1]), "the input ended within a frame: its length is incomplete");
    assert_eq!(
        error(&frame[..2]),
        "the input ended within a frame: 300 of its 300 bytes are missing"
    );
    assert_eq!(
        error(&frame[..301]),
        "the input ended within a frame: 1 of its 300 bytes are missing"
    );
    // Also after a complete frame.
    frame.extend([5, 1, 2]);
    assert_eq!(error(&frame), "the input ended within a frame: 3 of its 5 bytes are missing");
}

#[test]
fn a_length_has_at_most_64_bits() {
    let message = "a frame's length is not a varint: it goes on after ten bytes or 64 bits";
    assert_eq!(error(&[0x80; 11]), message);
    assert_eq!(error(&[[0x80; 9].as_slice(), &[2]].concat()), message);
    // A padded varint of ten bytes is valid.
    let padded = framed(b"abc", 9);
    assert_eq!(padded.len(), 13);
    assert_eq!(all(&mut FrameReader::new(&padded[..])).unwrap(), [b"abc"]);
}

#[test]
fn a_length_over_the_limit_is_refused() {
    let refusal = |length: u64| error(&varint(length, 0));
    assert_eq!(
        refusal(DEFAULT_LIMIT as u64 + 1),
        "a frame of 67108865 bytes was announced, over the limit of 67108864 bytes"
    );
    for length in [3 << 30, 1 << 40, u64::MAX] {
        assert!(refusal(length).contains(&format!("{length} bytes was announced")));
    }
    let at_limit = |limit| FrameReader::new(&[3, 1, 2, 3][..]).limit(limit);
    assert_eq!(all(&mut at_limit(3)).unwrap(), [[1, 2, 3]]);
    assert_eq!(
        all(&mut at_limit(2)).expect_err("over it").to_string(),
        "a frame of 3 bytes was announced, over the limit of 2 bytes"
    );
}

#[test]
fn frames_before_a_bad_one_are_handed_out() {
    let mut bytes = framed(b"good", 0);
    bytes.extend(varint(1 << 40, 0));
    let mut reader = FrameReader::new(&bytes[..]);
    assert_eq!(reader.next_frame().unwrap(), Some(&b"good"[..]));
    assert!(matches!(reader.next_frame(), Err(FrameError::TooLong { .. })));
}

#[test]
fn a_failure_of_the_reader_is_passed_on() {
    let mut source = Pieces::new(&[], &[]);
    source.fail_before = vec![(0, ErrorKind::ConnectionReset)];
    let error = FrameReader::new(source).next_frame().expect_err("it failed");
    assert_eq!(error.to_string(), "reading failed: connection reset");
}

/// An endless reader that returns a few bytes at a time.
struct Trickle<'a> {
    head: &'a [u8],
    left: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.head.is_empty() {
            return self.head.read(buffer);
        }
        let length = buffer.len().min(self.left).min(4096);
        buffer[..length].fill(1);
        self.left -= length;
        Ok(length)
    }
}

#[test]
fn memory_grows_with_what_came_and_not_with_what_was_announced() {
    let announced = varint(60 << 20, 0);
    for came in [0, 10_000, 1 << 20, 5 << 20] {
        let info = allocation_counter::measure(|| {
            let mut reader = FrameReader::new(Trickle { head: &announced, left: came });
            let error = reader.next_frame().expect_err("the frame is cut");
            assert!(matches!(error, FrameError::Cut { read, .. } if read == came), "{error}");
        });
        // The buffer grows by half. While it is copied, both buffers exist.
        let most = (5 * came / 2).max(128 << 10) as u64;
        assert!(info.bytes_max <= most, "{} bytes for {came}", info.bytes_max);
    }
}

/// A limited amount of memory, shared with the test.
#[derive(Debug)]
struct Rooms {
    held: Arc<AtomicUsize>,
    limit: usize,
}

impl Room for Rooms {
    fn hold(&mut self, bytes: usize) -> Result<(), Box<dyn Error + Send + Sync>> {
        if bytes > self.limit {
            return Err(format!("{bytes} are too many").into());
        }
        self.held.store(bytes, Ordering::Relaxed);
        Ok(())
    }
}

#[test]
fn a_frame_beyond_the_first_buffer_asks_for_room_and_gives_it_back() {
    let (small, long) = (framed(&[1; 200 << 10], 0), framed(&[2; 5 << 20], 0));
    let bytes = [small.repeat(20), long.clone(), small].concat();
    let held = Arc::new(AtomicUsize::new(0));
    let room = |limit| Rooms { held: Arc::clone(&held), limit };
    let mut reader = FrameReader::new(&bytes[..]).room(room(long.len()));
    for _ in 0..20 {
        assert_eq!(reader.next_frame().unwrap().unwrap().len(), 200 << 10);
        assert_eq!(held.load(Ordering::Relaxed), 0);
    }
    assert_eq!(reader.next_frame().unwrap().unwrap().len(), 5 << 20);
    assert_eq!(held.load(Ordering::Relaxed), long.len() - (256 << 10));
    assert_eq!(reader.next_frame().unwrap().unwrap().len(), 200 << 10);
    assert_eq!(held.load(Ordering::Relaxed), 0);

    let mut reader = FrameReader::new(&long[..]).room(room(2 << 20));
    let error = reader.next_frame().expect_err("there is no room");
    assert!(matches!(error, FrameError::NoRoom(_)), "{error:?}");
    assert!(error.to_string().ends_with(" are too many"), "{error}");
}

#[test]
fn a_reader_with_a_small_base_asks_for_room_earlier_until_it_is_raised() {
    let (short, long) = (framed(&[1; 16_000], 0), framed(&[2; 100 << 10], 0));
    let bytes = [short.repeat(20), long.clone(), long.clone(), long.clone()].concat();
    let held = Arc::new(AtomicUsize::new(0));
    let room = Rooms { held: Arc::clone(&held), limit: long.len() };
    let mut reader = FrameReader::new(Pieces::new(&bytes, &[16_000; 20])).room(room);
    reader.set_base(16 << 10);
    for _ in 0..20 {
        assert_eq!(reader.next_frame().unwrap().unwrap().len(), 16_000);
        assert_eq!(held.load(Ordering::Relaxed), 0);
    }
    assert_eq!(reader.next_frame().unwrap().unwrap().len(), 100 << 10);
    assert_eq!(held.load(Ordering::Relaxed), long.len() - (16 << 10));
    // Then it is large enough by itself.
    reader.set_base(256 << 10);
    assert_eq!(held.load(Ordering::Relaxed), 0);
    assert_eq!(reader.next_frame().unwrap().unwrap().len(), 100 << 10);
    assert_eq!(held.load(Ordering::Relaxed), 0);

    let none = Rooms { held: Arc::clone(&held), limit: 0 };
    let mut reader = FrameReader::new(&long[..]).room(none);
    reader.set_base(16 << 10);
    assert!(matches!(reader.next_frame(), Err(FrameError::NoRoom(_))));
}

#[test]
fn the_room_of_a_frame_that_was_handled_can_be_given_back_at_once() {
    let (long, short) = (framed(&[2; 5 << 20], 0), framed(&[3; 10], 0));
    let held = Arc::new(AtomicUsize::new(0));
    let room = Rooms { held: Arc::clone(&held), limit: long.len() };
    let bytes = [short.clone(), long.clone(), short].concat();
    let mut reader = FrameReader::new(&bytes[..]).room(room);
    assert_eq!(reader.next_frame().unwrap().unwrap().len(), 10);
    // There is no room to give back, and what comes behind the frame stays.
    reader.trim();
    while !reader.has_frame().unwrap() {
        assert!(reader.fill().unwrap());
        reader.trim();
    }
    assert_eq!(held.load(Ordering::Relaxed), long.len() - (256 << 10));
    assert_eq!(reader.buffered_frame().unwrap().unwrap().len(), 5 << 20);
    reader.trim();
    assert_eq!(held.load(Ordering::Relaxed), 0);
    assert!(reader.taken().is_empty() && !reader.is_within_frame());
    assert_eq!(reader.next_frame().unwrap(), Some(&[3; 10][..]));
    assert!(reader.next_frame().unwrap().is_none());
}

#[test]
fn a_limit_that_is_raised_between_two_frames_holds_for_the_second() {
    let bytes = [framed(b"init", 0), framed(&[1; 100], 0)].concat();
    let mut reader = FrameReader::new(&bytes[..]).limit(4);
    assert_eq!(reader.next_frame().unwrap(), Some(&b"init"[..]));
    assert!(matches!(reader.buffered_frame(), Err(FrameError::TooLong { length: 100, limit: 4 })));
    reader.set_limit(100);
    assert_eq!(reader.next_frame().unwrap(), Some(&[1; 100][..]));
}

#[test]
fn a_reader_of_little_has_a_small_buffer() {
    let bytes = framed(&[1; 200], 0).repeat(10);
    let info = allocation_counter::measure(|| {
        let mut reader = FrameReader::new(Pieces::new(&bytes, &[201; 10]));
        assert_eq!(all(&mut reader).unwrap().len(), 10);
    });
    assert!(info.bytes_max < 16 << 10, "{info:?}");
}

#[test]
fn the_room_of_a_long_frame_is_given_back() {
    // No frame ends where a read ends, so that the buffer is never empty.
    let mut bytes = framed(&vec![1; 20 << 20], 0);
    let small = framed(&[2; 1000], 0);
    (0..2000).for_each(|_| bytes.extend(&small));
    let mut reader = FrameReader::new(&bytes[..]);
    let info = allocation_counter::measure(|| {
        assert_eq!(reader.next_frame().unwrap().unwrap().len(), 20 << 20);
        for _ in 0..1500 {
            assert_eq!(reader.next_frame().unwrap().unwrap(), [2; 1000]);
        }
    });
    assert!(info.bytes_current < 2 << 20, "{} bytes are kept", info.bytes_current);
}

#[test]
fn reading_ahead_takes_few_reads() {
    struct Reads<'a>(&'a [u8], usize);
    impl Read for Reads<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            self.0.read(buffer)
        }
    }
    let bytes = framed(&[3; 1000], 0).repeat(4000);
    let mut reader = FrameReader::new(Reads(&bytes, 0));
    while reader.fill().unwrap() {}
    assert!(reader.get_ref().1 < 20, "{} reads", reader.get_ref().1);
    assert_eq!(all(&mut reader).unwrap().len(), 4000);
}

#[test]
fn writing_a_message_is_one_write() {
    struct Writes(Vec<Vec<u8>>, usize);
    impl io::Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            self.1 += 1;
            Ok(())
        }
    }
    let mut writes = Writes(Vec::new(), 0);
    frame::write(&KeepaliveRequest { time: 300 }, &mut writes).unwrap();
    assert_eq!(writes.0, [[3, 0x08, 0xac, 0x02]]);
    assert_eq!(writes.1, 1);
}
