//! Points written as lines without an index, compared with the general way.

use prost::Message as _;
use udf_proto::messages;
use udf_proto::point::PointIndex;
use udf_text::line_protocol::{append_encoded, append_point};

use super::points;
use crate::Trace;

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut long = points::message(4);
    for name in ["name_of_16_bytes", "name_of_17_bytes_", "name_of_more_than_twenty_bytes"] {
        long.tags.insert(name.into(), name.into());
        long.fields_double.insert(name.into(), 12.345678901234567);
        long.fields_string.insert(name.into(), "\\ and \"".into());
        long.fields_int.insert(name.into(), i64::MIN);
    }
    let mut seeds = points::seeds();
    seeds.push(long.encode_to_vec());
    // Tags and the name come behind fields, as in an edited point.
    let part = |part: messages::Point| part.encode_to_vec();
    let mut late = part(messages::Point { name: String::new(), tags: [].into(), ..long.clone() });
    late.extend(part(messages::Point {
        name: "cpu".into(),
        tags: long.tags,
        ..Default::default()
    }));
    seeds.push(late);
    seeds
}

pub(super) fn check(input: &[u8], trace: &mut Trace) {
    let (mut quick, mut general) = (b"before\n".to_vec(), b"before\n".to_vec());
    let is_taken = append_encoded(input, &mut quick);
    let mut index = PointIndex::new();
    let written = match index.parse(input) {
        Ok(point) => append_point(point, &mut general).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if is_taken {
        assert_eq!(written, Ok(()));
        assert_eq!(String::from_utf8(quick), String::from_utf8(general));
    } else {
        assert_eq!(quick, b"before\n", "bytes of a refused point remain");
    }
    trace.see((is_taken, written.is_ok()));
    match written {
        Ok(()) => trace.see_size("line", input.len()),
        Err(error) => trace.see_text(&error),
    }
}
