//! Mutates inputs: bytes, text, protobuf messages and frames.

use fastrand::Rng;

use crate::{Shape, Target};

/// The maximum length of an input.
const MAX_LENGTH: usize = 16 << 10;

/// Numbers at boundaries, as varints.
const NUMBERS: [u64; 22] = [
    0,
    1,
    2,
    5,
    17,
    127,
    128,
    255,
    256,
    16_383,
    16_384,
    65_535,
    65_536,
    (1 << 20) + 1,
    67_108_865,
    3 << 30,
    (1 << 31) - 1,
    u32::MAX as u64,
    1 << 40,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// Floats at boundaries.
const FLOATS: [f64; 7] =
    [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 9.3e18];

/// Returns a mutant of `input`, which may contain parts of `other`.
pub(crate) fn mutate(target: &Target, input: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut mutant = input.to_vec();
    mutant.resize(mutant.len().max(target.prefix), 0);
    let mut rest = mutant.split_off(target.prefix);
    if rng.u8(..8) == 0 && !mutant.is_empty() {
        let at = rng.usize(..mutant.len());
        mutant[at] = rng.u8(..);
    }
    let other = &other[target.prefix.min(other.len())..];
    for _ in 0..1 + rng.u32(..4) {
        let damage = rng.u8(..6) == 0;
        match target.shape {
            Shape::Frames if !damage => frames(&mut rest, other, target, rng),
            Shape::Message if !damage => message(&mut rest, other, target, 4, rng),
            Shape::Text => text(&mut rest, other, target, rng),
            _ => bytes(&mut rest, other, target, rng),
        }
        rest.truncate(MAX_LENGTH);
    }
    mutant.extend(rest);
    mutant
}

fn range(length: usize, rng: &mut Rng) -> std::ops::Range<usize> {
    let start = rng.usize(..=length);
    // Short ranges are likelier.
    let most = if rng.bool() { 8 } else { length };
    start..start + rng.usize(..=most.min(length - start))
}

/// Returns bytes to insert.
fn piece(other: &[u8], target: &Target, rng: &mut Rng) -> Vec<u8> {
    match rng.u8(..6) {
        0 => varint(NUMBERS[rng.usize(..NUMBERS.len())], rng),
        1 if !target.words.is_empty() => {
            target.words[rng.usize(..target.words.len())].as_bytes().to_vec()
        }
        2 => FLOATS[rng.usize(..FLOATS.len())].to_le_bytes().to_vec(),
        3 => other[range(other.len(), rng)].to_vec(),
        4 => vec![rng.u8(..); rng.usize(..20)],
        _ => (0..rng.usize(1..6)).map(|_| rng.u8(..)).collect(),
    }
}

/// Encodes a varint, sometimes with unnecessary bytes.
fn varint(number: u64, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(number, &mut bytes);
    if rng.u8(..8) == 0 {
        let padded = rng.usize(bytes.len()..=11);
        if padded > bytes.len() {
            *bytes.last_mut().expect("a varint has a byte") |= 0x80;
            bytes.resize(padded - 1, 0x80);
            bytes.push(0);
        }
    }
    bytes
}

fn bytes(input: &mut Vec<u8>, other: &[u8], target: &Target, rng: &mut Rng) {
    let range = range(input.len(), rng);
    match rng.u8(..6) {
        0 if !input.is_empty() => {
            let at = rng.usize(..input.len());
            input[at] ^= 1 << rng.u8(..8);
        }
        1 if !input.is_empty() => {
            let at = rng.usize(..input.len());
            input[at] = rng.u8(..);
        }
        2 => drop(input.drain(range)),
        3 => {
            let copy = input[range.clone()].to_vec();
            input.splice(range.end..range.end, copy);
        }
        4 => drop(input.splice(range, piece(other, target, rng))),
        _ => drop(input.splice(range.start..range.start, piece(other, target, rng))),
    }
}

fn text(input: &mut Vec<u8>, other: &[u8], target: &Target, rng: &mut Rng) {
    const LETTERS: &[u8] = b"=,'\\\n\"-+.eE0123456789smhduwnTRUEfalse \t`";
    let range = range(input.len(), rng);
    match rng.u8(..4) {
        0 => drop(input.splice(range, [LETTERS[rng.usize(..LETTERS.len())]])),
        1 => drop(input.splice(range.start..range.start, [LETTERS[rng.usize(..LETTERS.len())]])),
        2 if !target.words.is_empty() => {
            let word = target.words[rng.usize(..target.words.len())];
            input.splice(range.start..range.start, word.bytes());
        }
        _ => bytes(input, other, target, rng),
    }
}

/// A record of a protobuf message.
struct Record {
    key: u64,
    value: Value,
}

enum Value {
    Varint(u64),
    Fixed(Vec<u8>),
    Bytes(Vec<u8>),
}

fn take_varint(input: &mut &[u8]) -> Option<u64> {
    prost::encoding::decode_varint(input).ok()
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(taken)
}

/// Returns the records of a message, or none if the input is not a message.
fn records(mut input: &[u8]) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    while !input.is_empty() {
        let key = take_varint(&mut input)?;
        let value = match key & 7 {
            0 => Value::Varint(take_varint(&mut input)?),
            1 => Value::Fixed(take(&mut input, 8)?.to_vec()),
            2 => {
                let length = usize::try_from(take_varint(&mut input)?).ok()?;
                Value::Bytes(take(&mut input, length)?.to_vec())
            }
            5 => Value::Fixed(take(&mut input, 4)?.to_vec()),
            _ => return None,
        };
        records.push(Record { key, value });
    }
    Some(records)
}

fn write(records: &[Record], rng: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    for Record { key, value } in records {
        out.extend(varint(*key, rng));
        match value {
            Value::Varint(number) => out.extend(varint(*number, rng)),
            Value::Fixed(bytes) => out.extend(bytes),
            Value::Bytes(bytes) => {
                out.extend(varint(bytes.len() as u64, rng));
                out.extend(bytes);
            }
        }
    }
    out
}

/// Mutates a part of a message. The enclosing lengths stay valid.
fn message(input: &mut Vec<u8>, other: &[u8], target: &Target, depth: u8, rng: &mut Rng) {
    let Some(mut all) = records(input) else { return bytes(input, other, target, rng) };
    if all.is_empty() || depth == 0 {
        return bytes(input, other, target, rng);
    }
    let at = rng.usize(..all.len());
    match rng.u8(..12) {
        0 => drop(all.remove(at)),
        1 => {
            let to = rng.usize(..all.len());
            all.swap(at, to);
        }
        2 => {
            let (key, value) = (all[at].key, &all[at].value);
            let value = match value {
                Value::Varint(number) => Value::Varint(*number),
                Value::Fixed(bytes) => Value::Fixed(bytes.clone()),
                Value::Bytes(bytes) => Value::Bytes(bytes.clone()),
            };
            all.insert(at, Record { key, value });
        }
        3 => all[at].key = u64::from(rng.u8(1..24)) << 3 | all[at].key & 7,
        4 => {
            let number = u64::from(rng.u8(1..24));
            let record = match rng.u8(..3) {
                0 => Record { key: number << 3, value: Value::Varint(rng.u64(..)) },
                1 => Record { key: number << 3 | 1, value: Value::Fixed(vec![rng.u8(..); 8]) },
                _ => {
                    let bytes = piece(other, target, rng);
                    Record { key: number << 3 | 2, value: Value::Bytes(bytes) }
                }
            };
            all.insert(at, record);
        }
        _ => match &mut all[at].value {
            Value::Varint(number) => *number = NUMBERS[rng.usize(..NUMBERS.len())],
            Value::Fixed(bytes) => match bytes.len() {
                8 => *bytes = FLOATS[rng.usize(..FLOATS.len())].to_le_bytes().to_vec(),
                _ => bytes.fill(rng.u8(..)),
            },
            Value::Bytes(bytes) => message(bytes, other, target, depth - 1, rng),
        },
    }
    *input = write(&all, rng);
}

/// Returns the complete frames of an input.
fn split(mut input: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(length) = take_varint(&mut input)
        && let Some(frame) = usize::try_from(length).ok().and_then(|all| take(&mut input, all))
    {
        frames.push(frame.to_vec());
    }
    frames
}

/// Mutates frames, or the message of one frame. The lengths stay valid.
fn frames(input: &mut Vec<u8>, other: &[u8], target: &Target, rng: &mut Rng) {
    let (mut all, others) = (split(input), split(other));
    if all.is_empty() {
        return bytes(input, other, target, rng);
    }
    let at = rng.usize(..all.len());
    match rng.u8(..10) {
        0 => drop(all.remove(at)),
        1 => {
            let to = rng.usize(..all.len());
            all.swap(at, to);
        }
        2 => all.insert(at, all[at].clone()),
        3 | 4 if !others.is_empty() => {
            all.insert(at, others[rng.usize(..others.len())].clone());
        }
        _ => message(&mut all[at], other, target, 6, rng),
    }
    input.clear();
    for frame in all {
        input.extend(varint(frame.len() as u64, rng));
        input.extend(frame);
    }
}
