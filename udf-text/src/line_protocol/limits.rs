//! The limits of InfluxDB 1.x and of the reader.

/// The maximum length of a line: 16 MiB. The reader refuses longer lines.
pub const MAX_LINE: usize = 16 << 20;

/// The maximum length of a measurement with its tags in InfluxDB 1.x, in bytes of the line.
pub const MAX_KEY: usize = 65_535;

/// The earliest time that InfluxDB 1.x stores, in nanoseconds since the epoch: in the year 1677.
pub const MIN_TIME: i64 = i64::MIN + 2;

/// The latest time that InfluxDB 1.x stores, in nanoseconds since the epoch: in the year 2262.
pub const MAX_TIME: i64 = i64::MAX - 1;
