//! The check of a point without an index gives the verdict of the index, also for large points.

use udf_proto::point::{PointCheck, PointIndex};

fn verdicts(bytes: &[u8]) -> [bool; 2] {
    [PointCheck::new().check(bytes).is_ok(), PointIndex::new().parse(bytes).is_ok()]
}

#[test]
fn a_point_has_at_most_65536_parts() {
    // Dimensions without text take two bytes each.
    for (count, is_point) in [(1 << 15, true), (1 << 16, true), ((1 << 16) + 1, false)] {
        let bytes = [0x32, 0].repeat(count);
        assert_eq!(verdicts(&bytes), [is_point; 2], "{count}");
    }
}

#[test]
fn a_character_does_not_continue_in_the_next_text() {
    // Each text has a half of the character, and then the name has all of it.
    assert_eq!(verdicts(&[0x12, 1, 0xc3, 0x1a, 1, 0xa9]), [false; 2]);
    assert_eq!(verdicts(&[0x12, 2, 0xc3, 0xa9]), [true; 2]);
}
