//! The log against a list of frames that are never dropped.

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 21;

/// What happens to the log.
#[derive(Debug, Clone)]
enum Act {
    /// A frame of this length arrives.
    Frame(usize),
    /// A read brings up to this many bytes of what has arrived.
    Read(usize),
    /// The worker takes up to this many bytes, up to a frame of those that are not sent.
    Send(usize, prop::sample::Index),
    /// A checkpoint lies behind one of the frames that were sent.
    Drop(prop::sample::Index),
    /// A new worker begins at the last checkpoint.
    Rewind,
    /// One of the frames that are not sent is left out.
    LeaveOut(prop::sample::Index),
}

fn act() -> impl Strategy<Value = Act> {
    let length = prop_oneof![
        Just(0),
        Just(127),
        Just(128),
        1..400_usize,
        Just(CHUNK - 4),
        Just(CHUNK - 3),
        Just(CHUNK),
        CHUNK / 2..3 * CHUNK
    ];
    prop_oneof![
        8 => length.prop_map(Act::Frame),
        8 => prop_oneof![1..20_usize, Just(LIMIT)].prop_map(Act::Read),
        4 => (prop_oneof![1..20_usize, Just(LIMIT)], any::<prop::sample::Index>())
            .prop_map(|(bytes, limit)| Act::Send(bytes, limit)),
        2 => any::<prop::sample::Index>().prop_map(Act::Drop),
        1 => Just(Act::Rewind),
        1 => any::<prop::sample::Index>().prop_map(Act::LeaveOut),
    ]
}

/// The log, and all that has ever happened to it.
struct Both {
    log: Log,
    /// All bytes that have arrived, and how many of them were read.
    bytes: Vec<u8>,
    read: usize,
    /// The ends of all frames that have arrived, and how many of them were read.
    ends: Vec<u64>,
    whole: usize,
    /// The frames that are left out, by their number.
    holes: Vec<usize>,
    base: u64,
    sent: u64,
}

impl Both {
    fn start_of(&self, frame: usize) -> u64 {
        frame.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    fn end(&self) -> u64 {
        self.start_of(self.whole)
    }

    /// Returns the position behind holes.
    fn skip(&self, mut position: u64) -> u64 {
        for frame in 0..self.whole {
            if self.holes.contains(&frame) && self.start_of(frame) <= position {
                position = position.max(self.ends[frame]);
            }
        }
        position
    }

    /// Reads up to `until` as far as there is room.
    fn read_once(&mut self, until: usize) {
        let room = self.log.room();
        assert!(!room.is_empty());
        let read = room.len().min(until - self.read);
        room[..read].copy_from_slice(&self.bytes[self.read..][..read]);
        self.read += read;
        let mut got = Vec::new();
        let added = self.log.add(read, LIMIT, |frame| {
            assert!(frame.whole.ends_with(frame.body));
            got.push((frame.extent, frame.whole.to_vec(), frame.body.len()));
            LIMIT
        });
        added.expect("the frames are short");
        for (extent, whole, body) in got {
            let (start, end) = (self.start_of(self.whole), self.ends[self.whole]);
            assert_eq!(extent, Extent { start, end });
            assert_eq!(extent.bytes(), whole.len() as u64);
            assert!(whole == self.bytes[start as usize..end as usize], "{extent:?}");
            let width = [0x80, 0x4000].iter().filter(|most| body >= **most).count();
            assert_eq!(whole.len() - body, 1 + width + usize::from(body >= 1 << 21));
            self.whole += 1;
        }
        assert!(self.ends.get(self.whole).is_none_or(|end| *end > self.read as u64));
    }

    fn play(&mut self, act: &Act) {
        match act {
            Act::Frame(length) => {
                let start = self.bytes.len();
                let mut rest = *length;
                while rest >= 0x80 {
                    self.bytes.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                self.bytes.push(rest as u8);
                let filler = (0..*length).map(|at| (at + start) as u8);
                self.bytes.extend(filler);
                self.ends.push(self.bytes.len() as u64);
            }
            Act::Read(most) => {
                let until = self.bytes.len().min(self.read + most);
                while self.read < until {
                    self.read_once(until);
                }
            }
            Act::Send(most, limit) => {
                let limit = self.ends[..self.whole].get(limit.index(self.whole + 1)).copied();
                let limit = limit.unwrap_or(u64::MAX);
                let unsent = self.log.unsent(limit).to_vec();
                let sent = unsent.len().min(*most);
                let position = self.skip(self.sent);
                let most = limit.min(self.end());
                let hole = self.holes.iter().map(|hole| self.start_of(*hole));
                let most = hole.filter(|hole| *hole > position).fold(most, u64::min);
                assert_eq!(unsent.is_empty(), position >= most, "{position} {most}");
                if !unsent.is_empty() {
                    let (start, end) = (position as usize, position as usize + unsent.len());
                    assert!(end as u64 <= most);
                    assert!(unsent == self.bytes[start..end], "other bytes at {position}");
                }
                self.log.note_sent(sent);
                self.sent = position + sent as u64;
                assert_eq!(self.log.sent(), self.sent);
            }
            Act::Drop(frame) => {
                let sent = self.ends[..self.whole].iter().filter(|end| **end <= self.sent).count();
                self.base = self.base.max(self.start_of(frame.index(sent + 1)));
                self.log.drop_before(self.base);
            }
            Act::Rewind => {
                self.log.rewind(self.base);
                self.sent = self.base;
            }
            Act::LeaveOut(frame) => {
                let first = self.ends.partition_point(|end| *end <= self.sent) + 1;
                let frames = first..self.whole;
                if let Some(frame) = frames.clone().nth(frame.index(frames.len().max(1)))
                    && !self.holes.contains(&frame)
                {
                    let (start, end) = (self.start_of(frame), self.ends[frame]);
                    self.log.leave_out(Extent { start, end });
                    self.holes.push(frame);
                }
            }
        }
        self.compare();
    }

    fn compare(&self) {
        assert_eq!(self.log.end(), self.end());
        assert_eq!(self.log.partial(), self.read - self.end() as usize);
        assert_eq!(self.log.bytes_after(self.base), self.read - self.base as usize);
        assert_eq!(self.log.check_end().is_ok(), self.log.partial() == 0);
        let kept = self.log.frames(self.base).map(|frame| frame.extent.end);
        let first = self.ends.partition_point(|end| *end <= self.base);
        let expected = (first..self.whole).filter(|frame| !self.holes.contains(frame));
        assert!(kept.eq(expected.map(|frame| self.ends[frame])), "other frames are kept");
        // A chunk is kept as long as one of its frames is. Each but the last is at least half full.
        let memory = self.log.chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
        let longest = (first.saturating_sub(1)..self.ends.len().min(self.whole + 1))
            .map(|frame| (self.ends[frame] - self.start_of(frame)) as usize)
            .max();
        let most = 2 * (self.log.bytes_after(self.base) + CHUNK + longest.unwrap_or(0)) + CHUNK;
        assert!(memory <= most, "{memory} bytes for {}", self.log.bytes_after(self.base));
        assert!(self.log.spare.len() <= MOST_SPARE);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_log_has_all_frames_since_the_checkpoint(acts in prop::collection::vec(act(), 1..60)) {
        let log = Log::new();
        let (bytes, ends, holes) = (Vec::new(), Vec::new(), Vec::new());
        let mut both = Both { log, bytes, read: 0, ends, whole: 0, holes, base: 0, sent: 0 };
        for act in &acts {
            both.play(act);
        }
        // A worker that begins again gets all of it.
        both.play(&Act::Rewind);
        while both.skip(both.sent) < both.end() {
            let position = both.skip(both.sent) as usize;
            let unsent = both.log.unsent(u64::MAX);
            prop_assert!(!unsent.is_empty());
            prop_assert!(unsent == &both.bytes[position..position + unsent.len()]);
            let sent = unsent.len();
            both.log.note_sent(sent);
            both.sent = both.log.sent();
        }
    }
}

fn added(bytes: &[u8], limit: usize) -> Result<usize, FrameError> {
    let mut log = Log::new();
    let mut frames = 0;
    log.room()[..bytes.len()].copy_from_slice(bytes);
    log.add(bytes.len(), limit, |_| {
        frames += 1;
        limit
    })?;
    log.check_end()?;
    Ok(frames)
}

#[test]
fn a_wrong_length_is_refused_before_its_frame() {
    assert!(matches!(added(&[3, 1, 2, 3, 0], 3), Ok(2)));
    let error = added(&[0, 4], 3);
    assert!(matches!(error, Err(FrameError::TooLong { length: 4, limit: 3 })), "{error:?}");
    let error = added(&[0x80; 9], 3);
    assert!(matches!(error, Err(FrameError::Cut { read: 0, expected: None })), "{error:?}");
    for wrong in
        [&[0x80; 10][..], &[0xff; 11], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]]
    {
        assert!(matches!(added(wrong, usize::MAX), Err(FrameError::BadLength)), "{wrong:?}");
    }
    let largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert!(matches!(added(&largest, 3), Err(FrameError::TooLong { length: u64::MAX, .. })));
    let error = added(&[2, 7], 3);
    assert!(matches!(error, Err(FrameError::Cut { read: 1, expected: Some(2) })), "{error:?}");
}

#[test]
fn the_first_frame_sets_the_limit_of_the_next() {
    let mut log = Log::new();
    log.room()[..4].copy_from_slice(&[1, 7, 2, 7]);
    let added = log.add(4, 1, |_| 2);
    assert!(added.is_ok());
    log.room()[..2].copy_from_slice(&[7, 3]);
    assert!(matches!(log.add(2, 2, |_| 2), Err(FrameError::TooLong { length: 3, limit: 2 })));
}

#[test]
fn an_announced_length_costs_no_memory() {
    let mut log = Log::new();
    let length = [0xff, 0xff, 0xff, 0x7f];
    log.room()[..4].copy_from_slice(&length);
    log.add(4, usize::MAX, |_| usize::MAX).expect("the length is allowed");
    assert_eq!(log.chunks[0].bytes.len(), FIRST);
}

#[test]
fn handled_input_frees_its_chunks_and_sent_input_stays_readable() {
    let mut log = Log::new();
    let frame = [&[0xe7, 0x07][..], &[7; 999]].concat();
    while log.chunks.len() < 6 {
        // A read may end within a frame.
        let at = log.partial();
        let room = log.room();
        let bytes = frame.iter().cycle().skip(at);
        room.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
        let read = room.len();
        log.add(read, 999, |_| 999).expect("the frames are short");
    }
    let behind_first = log.chunks[1].base;
    while log.sent() < behind_first + 1001 {
        let sent = log.unsent(behind_first + 1001).len();
        log.note_sent(sent);
    }
    // A frame of a chunk is needed: the chunk stays.
    log.drop_before(behind_first - 1001);
    assert_eq!(
        log.frames(behind_first - 1001).count() as u64 * 1001,
        log.end() - behind_first + 1001
    );
    let chunks = log.chunks.len();
    log.drop_before(behind_first);
    assert_eq!((log.chunks.len(), log.chunks[0].base), (chunks - 1, behind_first));
    let rest = log.chunks[0].bytes[1001..log.chunks[0].whole].to_vec();
    assert!(log.unsent(u64::MAX) == rest);
    log.drop_before(log.end());
    assert_eq!(log.chunks.len(), 1, "the rest of a frame is kept");
}
