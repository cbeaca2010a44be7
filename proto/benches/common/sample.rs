//! Sample points as Kapacitor sends them, and messages for UDFs that do not use this crate.

use std::collections::HashMap;

use udf_proto::point::PointIndex;

/// A point as prost decodes it with its default kind of map.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MapPoint {
    #[prost(int64, tag = "1")]
    pub(crate) time: i64,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(string, tag = "3")]
    pub(crate) database: String,
    #[prost(string, tag = "4")]
    pub(crate) retention_policy: String,
    #[prost(string, tag = "5")]
    pub(crate) group: String,
    #[prost(string, repeated, tag = "6")]
    pub(crate) dimensions: Vec<String>,
    #[prost(map = "string, string", tag = "7")]
    pub(crate) tags: HashMap<String, String>,
    #[prost(map = "string, double", tag = "8")]
    pub(crate) fields_double: HashMap<String, f64>,
    #[prost(map = "string, int64", tag = "9")]
    pub(crate) fields_int: HashMap<String, i64>,
    #[prost(map = "string, string", tag = "10")]
    pub(crate) fields_string: HashMap<String, String>,
    #[prost(bool, tag = "11")]
    pub(crate) by_name: bool,
    #[prost(map = "string, bool", tag = "12")]
    pub(crate) fields_bool: HashMap<String, bool>,
}

/// A Request or Response with a point.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MapEnvelope {
    #[prost(oneof = "Inside", tags = "17")]
    pub(crate) inside: Option<Inside>,
}

/// The content of an [`Envelope`].
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Inside {
    #[prost(message, tag = "17")]
    Point(MapPoint),
}

/// The shape of the points of a sample.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) doubles: usize,
    pub(crate) ints: usize,
    /// The suffix of the value of each tag.
    pub(crate) tag_suffix: &'static str,
    /// The length of a text field. 0 means no text field.
    pub(crate) text: usize,
}

/// 3 tags, 5 doubles, 1 integer, 2 dimensions: about 262 bytes per frame.
pub(crate) const REFERENCE: Shape = Shape { doubles: 5, ints: 1, tag_suffix: "", text: 0 };

const NAMES: [&str; 10] = [
    "usage_user",
    "usage_system",
    "usage_idle",
    "usage_iowait",
    "usage_irq",
    "usage_softirq",
    "usage_steal",
    "usage_nice",
    "usage_guest",
    "usage_guest_nice",
];

/// The number of points in a sample. With fewer, the branch predictor would learn their lengths and
/// orders.
const POINTS: usize = 256;

/// Returns encoded points as Go's encoder writes them: members in the order of their numbers,
/// entries of maps in any order.
pub(crate) fn bodies(shape: Shape) -> Vec<Vec<u8>> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..POINTS).map(|_| body(shape, &mut random)).collect()
}

/// Returns the Request frames of these points, without their lengths.
pub(crate) fn requests(bodies: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut index = PointIndex::new();
    let frame = |body: &Vec<u8>| {
        let mut frame = Vec::new();
        let point = index.parse(body).expect("the sample is made of points");
        // A point has the same number in Request and Response.
        udf_proto::response::append_point(point, &mut frame);
        let length = frame.iter().take_while(|byte| **byte >= 0x80).count() + 1;
        frame.split_off(length)
    };
    bodies.iter().map(frame).collect()
}

fn body(shape: Shape, random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    let cpu = format!("cpu{}{}", random.below(64), shape.tag_suffix);
    let host = format!("web-{:02}{}", random.below(40), shape.tag_suffix);
    let rack = format!("r{}{}", random.below(12), shape.tag_suffix);
    out.push(0x08);
    prost::encoding::encode_varint(1_700_000_000_000_000_000 + random.below(1 << 40), &mut out);
    text(2, "cpu", &mut out);
    text(3, "telegraf", &mut out);
    text(4, "autogen", &mut out);
    text(5, &format!("cpu={cpu},host={host}"), &mut out);
    text(6, "cpu", &mut out);
    text(6, "host", &mut out);
    let tags = [("cpu", &cpu), ("host", &host), ("rack", &rack)];
    let tags = tags.map(|(name, value)| {
        let mut entry = Vec::new();
        text(1, name, &mut entry);
        text(2, value, &mut entry);
        entry
    });
    entries(7, tags.into(), random, &mut out);
    let name = |n: usize| match n / NAMES.len() {
        0 => NAMES[n].to_owned(),
        more => format!("{}_{more}", NAMES[n % NAMES.len()]),
    };
    let mut doubles = Vec::new();
    for n in 0..shape.doubles {
        let mut entry = Vec::new();
        text(1, &name(n), &mut entry);
        entry.push(0x11);
        entry.extend((random.below(10_000) as f64 / 100.0).to_le_bytes());
        doubles.push(entry);
    }
    entries(8, doubles, random, &mut out);
    let mut ints = Vec::new();
    for n in 0..shape.ints {
        let mut entry = Vec::new();
        text(1, &format!("n_{}", name(n)), &mut entry);
        entry.push(0x10);
        prost::encoding::encode_varint(random.below(5000), &mut entry);
        ints.push(entry);
    }
    entries(9, ints, random, &mut out);
    if shape.text > 0 {
        let mut entry = Vec::new();
        text(1, "message", &mut entry);
        text(2, &"All is well. ".repeat(shape.text / 13 + 1)[..shape.text], &mut entry);
        entries(10, vec![entry], random, &mut out);
    }
    out
}

fn text(member: u8, text: &str, out: &mut Vec<u8>) {
    out.push(member << 3 | 2);
    prost::encoding::encode_varint(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn entries(member: u8, mut entries: Vec<Vec<u8>>, random: &mut Random, out: &mut Vec<u8>) {
    while !entries.is_empty() {
        let entry = entries.swap_remove(random.below(entries.len() as u64) as usize);
        out.push(member << 3 | 2);
        prost::encoding::encode_varint(entry.len() as u64, out);
        out.extend(entry);
    }
}

/// Pseudo-random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        // Xorshift is good enough to shuffle a few entries.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}
