//! The inputs of `replay`: line protocol in all its forms, exports of InfluxDB, recordings of
//! Kapacitor, and gzip.

#![allow(clippy::unwrap_used)]

mod peer;

use std::io::{BufReader, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use peer::{Does, Peer};
use udf_host::replay::{Replay, ReplayError, Summary};
use udf_proto::EdgeType;
use udf_text::line_protocol::{Grouping, LineReader, Precision};

/// Returns the result of a replay of these bytes, and the points that the UDF got, each with its
/// database and retention policy, as `database.policy line`.
fn play(replay: &Replay, peer: &Peer, input: &[u8]) -> (Result<Summary, ReplayError>, String) {
    let mut output = Vec::new();
    let connect = || peer.connect();
    // Reads a few bytes at a time: the result must not depend on where reads stop.
    let result = replay.run(&connect, BufReader::with_capacity(7, input), &mut output, &mut |_| {});
    // The comments that begin batches are no points.
    let output = String::from_utf8(output).unwrap();
    let points = output.split_inclusive('\n').filter(|line| !line.starts_with("# batch "));
    (result, points.collect())
}

fn stream(input: &[u8]) -> Result<String, String> {
    let (result, output) =
        play(&Replay::default(), &Peer::new(EdgeType::Stream, Does::Echo), input);
    result.map(|_| output).map_err(|error| error.to_string())
}

/// Returns the database and the retention policy of each point that the UDF got.
fn sources(input: &[u8]) -> Vec<(String, String)> {
    let peer = Peer::new(EdgeType::Stream, Does::Echo);
    play(&Replay::default(), &peer, input).0.unwrap();
    let seen = peer.seen.lock().unwrap();
    let points = seen.points.iter().map(|point| point.as_point());
    points.map(|point| (point.database().into(), point.retention_policy().into())).collect()
}

fn source(database: &str, policy: &str) -> (String, String) {
    (database.to_owned(), policy.to_owned())
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

#[test]
fn rows_that_were_looked_at_for_a_recording_are_read_all_the_same() {
    // The first line has a line break in a tag, which a backslash joins with the next row.
    let text = &b"m,t=a\\\nb x=1 1\nm x=2 2\nm x=3 3\nm x=4 4\n"[..];
    let mut lines = LineReader::new(text, Grouping::none()).recordings();
    let points = std::iter::from_fn(|| lines.next_point().unwrap());
    assert_eq!(points.map(|point| point.as_point().time()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let error = stream(b"first\nm x=1 1\nm x=2 2\n").unwrap_err();
    assert!(error.starts_with("line 1: "), "{error}");
}

const EXPORT: &str = "# DDL
CREATE DATABASE lake_db

# DML
# CONTEXT-DATABASE: lake_db

h2o_level,station=north\\ shore level\\ note=\"between 6 and 9 feet\",feet=8.12 1439856000
h2o_level,station=south feet=2.064 1439856000
";

#[test]
fn an_export_of_influxdb_is_read_without_its_statements() {
    assert_eq!(
        stream(EXPORT.as_bytes()).unwrap(),
        "h2o_level,station=north\\ shore feet=8.12,level\\ note=\"between 6 and 9 feet\" 1439856000\n\
         h2o_level,station=south feet=2.064 1439856000\n"
    );
    let lake = source("lake_db", "autogen");
    assert_eq!(sources(EXPORT.as_bytes()), [lake.clone(), lake]);
    // The names hold until the next ones.
    let text = "m x=1 1\n# CONTEXT-DATABASE:a\n# CONTEXT-RETENTION-POLICY:two weeks\n# writing tsm data\n\
                m x=1 2\n# CONTEXT-DATABASE: b\nm x=1 3\n";
    assert_eq!(
        sources(text.as_bytes()),
        [source("telegraf", "autogen"), source("a", "two weeks"), source("b", "two weeks")]
    );
    assert_eq!(
        stream(b"m x=1 1\n# DDL\nm x=2 2\n# DDL\n").unwrap_err(),
        "line 5: the `# DDL` of line 2 has no `# DML`, which begins the points"
    );
    // Other comments have no meaning.
    let text = b"# DDL is what the next file begins with\nm x=1i 1\n";
    assert_eq!(stream(text).unwrap(), "m x=1i 1\n");
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let text = b"\xef\xbb\xbfcpu,host=a v=1 10\ncpu,host=a v=2 20\n";
    let expected = "cpu,host=a v=1.0 10\ncpu,host=a v=2.0 20\n";
    assert_eq!(stream(text).unwrap(), expected);
    assert_eq!(stream(&gzip(text)).unwrap(), expected);
    assert_eq!(stream(b"\xef\xbb\xbf").unwrap(), "");
}

#[test]
fn names_and_values_come_out_as_they_went_in() {
    for (text, expected) in [
        (r"win_share,path=\\srv01\data free=10i 1", r"win_share,path=\\srv01\data free=10i 1"),
        (r"disk,path=C:\\ Users free=10i 1", r"disk,path=C:\\ Users free=10i 1"),
        (r"\\srv\perf v=1 1", r"\\srv\perf v=1.0 1"),
        (r"cpu\=load v=1 1", "cpu=load v=1.0 1"),
        ("m v=-0.0 1", "m v=-0.0 1"),
    ] {
        assert_eq!(stream(format!("{text}\n").as_bytes()).unwrap(), format!("{expected}\n"));
    }
}

#[test]
fn a_line_without_a_time_gets_that_of_the_line_before() {
    let output = stream(b"cpu v=1\ncpu v=2\ncpu v=3 100\ncpu v=4\n").unwrap();
    assert_eq!(output, "cpu v=1.0 0\ncpu v=2.0 0\ncpu v=3.0 100\ncpu v=4.0 100\n");
}

const SECONDS: &str =
    "cpu,host=a v=1 1439856000\ncpu,host=a v=2 1439856010\ncpu,host=a v=3 1439856020\n";
const MILLIS: &str = "cpu,host=a v=1 1439856000000\ncpu,host=a v=2 1439856010000\n";

#[test]
fn times_have_the_precision_that_is_asked_for() {
    for (text, precision) in [(SECONDS, Precision::Seconds), (MILLIS, Precision::Milliseconds)] {
        let replay = Replay::default().precision(Some(precision));
        let peer = Peer::new(EdgeType::Stream, Does::Echo);
        let (summary, output) = play(&replay, &peer, text.as_bytes());
        assert_eq!(summary.unwrap().likely_precision, None);
        assert!(output.starts_with("cpu,host=a v=1.0 1439856000000000000\n"), "{output}");
        assert!(output.contains("v=2.0 1439856010000000000\n"), "{output}");
    }
}

#[test]
fn times_that_seem_to_have_another_unit_are_noted() {
    let likely = |text: &str| {
        let peer = Peer::new(EdgeType::Stream, Does::Echo);
        play(&Replay::default(), &peer, text.as_bytes()).0.unwrap().likely_precision
    };
    assert_eq!(likely(SECONDS), Some(Precision::Seconds));
    assert_eq!(likely(MILLIS), Some(Precision::Milliseconds));
    assert_eq!(likely("m x=1 1439856000000000\n"), Some(Precision::Microseconds));
    assert_eq!(likely("m x=1 1439856000000000000\n"), None);
    // Neither small numbers nor lines without a time allow a guess of the unit.
    assert_eq!(likely("m x=1 1\nm x=1 10\n"), None);
    assert_eq!(likely("m x=1\n"), None);
    assert_eq!(likely(&format!("m x=1\n{SECONDS}")), Some(Precision::Seconds));
    // A single time of another size rules the guess out.
    assert_eq!(likely(&format!("{SECONDS}{MILLIS}")), None);
    assert_eq!(likely(&format!("{SECONDS}m x=1 7\n{SECONDS}")), None);
    assert_eq!(likely("net bytes=1 1000000000\nnet bytes=2 3000000000\n"), None);
}

#[test]
fn other_encodings_and_compressions_are_named() {
    let utf_16 = |order: fn(u16) -> [u8; 2]| {
        let text = "\u{feff}cpu v=1 10\ncpu v=2 20\n";
        text.encode_utf16().flat_map(order).collect::<Vec<_>>()
    };
    for text in [utf_16(u16::to_le_bytes), utf_16(u16::to_be_bytes)] {
        assert_eq!(
            stream(&text).unwrap_err(),
            "line 1: the input is UTF-16; convert it to UTF-8, with `iconv -f UTF-16 -t UTF-8` for example"
        );
    }
    for (start, name) in
        [(&b"\x28\xb5\x2f\xfd\0"[..], "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh91AY", "bzip2")]
    {
        let error = stream(start).unwrap_err();
        let expected = format!(
            "the input is compressed with {name}; decompress it first, with `{name} -d` for example"
        );
        assert_eq!(error, expected);
    }
}

/// `cpu v=1 10` and a recording of two points, compressed by other programs than this one.
const GZIPPED: &str = "1f8b08002323076b02ff4b2e285528b335543034e00200a1bfaf060b000000";
const RECORDED: &str = "1f8b08082323076b00036134325f7372706c2e6c70002b49cd494d2f4a4ce34a2c2dc94f4fcde34a2e28\
     d5c9c82f2eb14d5428b335543034e02ac1abc448c1c8800b0042dab27546000000";

#[test]
fn gzip_is_read() {
    assert_eq!(stream(&bytes(GZIPPED)).unwrap(), "cpu v=1.0 10\n");
    // A gzip file may have several members, as from `cat a.gz b.gz`.
    let two = [gzip(b"m x=1i 1\n"), gzip(b"m x=2i 2\n")].concat();
    assert_eq!(stream(&two).unwrap(), "m x=1i 1\nm x=2i 2\n");
    assert_eq!(stream(&gzip(b"")).unwrap(), "");
    let whole = gzip("m x=1i 1\n".repeat(10_000).as_bytes());
    let error = stream(&whole[..whole.len() - 4]).unwrap_err();
    assert!(error.ends_with("the gzip data ends too early: the file is not complete"), "{error}");
    let mut damaged = whole;
    let last = damaged.len() - 5;
    damaged[last] ^= 1;
    let error = stream(&damaged).unwrap_err();
    assert!(error.contains("the gzip data is damaged: "), "{error}");
}

#[test]
fn a_recording_of_points_is_read_with_its_sources() {
    let text = "telegraf\nautogen\ncpu,host=a v=1 10\ntelegraf\nautogen\ncpu,host=a v=2 20\n";
    let expected = "cpu,host=a v=1.0 10\ncpu,host=a v=2.0 20\n";
    assert_eq!(stream(text.as_bytes()).unwrap(), expected);
    assert_eq!(stream(&bytes(RECORDED)).unwrap(), expected);
    assert_eq!(stream(text.replace('\n', "\r\n").as_bytes()).unwrap(), expected);

    let text = "first\n\nm x=1 1\nmy metrics\ntwo weeks\nm t=\"a\n\nb\" 2\n\nc\nd\nm x=3 3\n\n";
    assert_eq!(
        sources(text.as_bytes()),
        [source("first", ""), source("my metrics", "two weeks"), source("c", "d")]
    );
    assert_eq!(stream(text.as_bytes()).unwrap(), "m x=1.0 1\nm t=\"a\n\nb\" 2\nm x=3.0 3\n");
}

#[test]
fn a_recording_is_cut_into_batches_like_line_protocol() {
    let text = "db\nrp\nm,h=a x=1i 1\ndb\nrp\nm,h=a x=2i 12\n";
    let peer = Peer::new(EdgeType::Batch, Does::Echo);
    let replay = Replay::default().every(Some(10)).grouping(Grouping::by(["h"]));
    let (result, output) = play(&replay, &peer, text.as_bytes());
    assert_eq!(result.unwrap().points_in, 2);
    assert_eq!(output, "m,h=a x=1i 1\nm,h=a x=2i 12\n");
    let ends: Vec<_> = peer.seen.lock().unwrap().ends.iter().map(|end| end.tmax).collect();
    assert_eq!(ends, [10, 20]);
}

#[test]
fn what_is_wrong_with_a_recording_is_said_with_the_line() {
    for (text, expected) in [
        (
            "db\nrp\nm x=1 1\ndb\n",
            "line 5: the recording ends within an entry: each is a database, a retention policy and a line",
        ),
        (
            "db\nrp\nm x=1 1\ndb\nrp\n",
            "line 6: the recording ends within an entry: each is a database, a retention policy and a line",
        ),
        ("db\nrp\nm x=1 1\ndb\nrp\nm x= 1\n", "line 6: the field `x` has no value; leave it out"),
        (
            "db\nrp\n#m x=1 1\n",
            "line 3: the name of a measurement cannot begin with `#`, as comments do",
        ),
        // These inputs are not recordings: the first row is an invalid line.
        (
            "cpu\nm x=1 1\nm x=1 2\n",
            "line 1: it has no fields: a blank must follow the measurement and its tags, and then `name=value`",
        ),
        ("\ncpu 5\n", "line 2: `5` is not a field: write fields as `name=value`"),
    ] {
        assert_eq!(stream(text.as_bytes()).unwrap_err(), expected, "{text}");
    }
    let replay = Replay::default().precision(Some(Precision::Seconds));
    let peer = Peer::new(EdgeType::Stream, Does::Echo);
    let error = play(&replay, &peer, b"db\nrp\nm x=1 1\n").0.unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 3: the times of a Kapacitor recording are nanoseconds; leave the precision out"
    );
}

/// An archive with two files, as Go's `archive/zip` writes them. One file holds three batches, one
/// of them empty; the other holds one batch.
const ARCHIVE: &str = "504b03041400080008000000000000000000000000000000000001000000309490416ac3301045f739c6\
     5f8fc3c88e493bd05b64e5260b395513832d9b58a20d46772f52a0a4756b08cc4a8cde3cde04ab3b03c1\
     71f020b84e7f4290b32a33c559c13bb515b5919c2b104e97de0f109cfbd1bde8b8ae4f23644a0f106804\
     c2d037d68d90d709ef8d69dfd24267b4853c15eb926021392182dcc51bc2c7f90a81db7be6c2a888f80b\
     eb9aa4393353798540f35bdbe76f90f56dbb00d8accb0ae110560fb5f8e55823fc07606695a5d9314b9a\
     fb98c7c1ef6d2a5a83505f6f885b9af991c5beeaae5d541030e8c7e7c58a87b0fa0a0000ffff504b0708\
     0283fda4d90000000f020000504b03041400080008000000000000000000000000000000000001000000\
     315ccc410a02211406e07dc7f8d70ebc3725c17f8e56132d849e21a8451a04e2dd839673816fa0866220\
     8a1538f412be205651bfa82c47b9e899ea29b2c1e1f54cb537f03a1093e57b0307e2db0cf4d3a1874703\
     eb2767879efeea0e3a51d70df3360fbf000000ffff504b07087b97a16a6800000078000000504b010214\
     00140008000800000000000283fda4d90000000f02000001000000000000000000000000000000000030\
     504b01021400140008000800000000007b97a16a68000000780000000100000000000000000000000000\
     0801000031504b050600000000020002005e0000009f0100000000";

const BATCHES: [&str; 3] = [
    "cpu host=a 1446225260000000000 1",
    "cpu cpu\nhost=b 1446225252000000000 1",
    "mem  1446225300000000000 0",
];

const POINTS: &str = "cpu,host=a mean=83.5,n=2.0,why=\"t>1\",up=true 1446225252000000000
cpu,host=a mean=79.0 1446225254500000000
cpu,cpu=0,host=b mean=1.0 1446225252000000000
mem free=5.0 1446225252000000000
";

#[test]
fn a_recording_of_batches_is_played_as_it_was_recorded() {
    let peer = Peer::new(EdgeType::Batch, Does::Echo);
    let (result, output) = play(&Replay::default(), &peer, &bytes(ARCHIVE));
    assert_eq!(result.unwrap().points_in, 4);
    assert_eq!(output, POINTS);
    let seen = peer.seen.lock().unwrap();
    let batches = seen.begins.iter().zip(&seen.ends).map(|(begin, end)| {
        assert_eq!((&begin.name, &begin.group, &begin.tags), (&end.name, &end.group, &end.tags));
        assert_eq!(begin.by_name, begin.group.starts_with("cpu\n"));
        format!("{} {} {} {}", begin.name, begin.group, end.tmax, begin.tags.len())
    });
    assert_eq!(batches.collect::<Vec<_>>(), BATCHES);
    let point = seen.points[1].as_point();
    assert_eq!(point.tag("host"), Some("a"), "a point has the tags of its batch");
    assert_eq!((point.group(), point.name()), ("host=a", "cpu"), "and its name");
}

#[test]
fn the_json_of_a_recording_is_read_too() {
    let text = "{\"name\":\"m\",\"points\":[{\"fields\":{\"x\":1,\"y\":null},\"time\":\"1970-01-01T00:00:01Z\"}]}\n\
                {\"name\":\"m\",\"points\":[{\"fields\":{\"x\":2},\"time\":\"1970-01-01T00:00:02Z\"}]}\n";
    let spread = text.replace('{', "{\n  ").replace(',', ",\n  ");
    for input in [text.as_bytes().to_vec(), gzip(text.as_bytes()), spread.into_bytes()] {
        let peer = Peer::new(EdgeType::Batch, Does::Echo);
        let (result, output) = play(&Replay::default(), &peer, &input);
        result.unwrap();
        assert_eq!(output, "m x=1.0 1000000000\nm x=2.0 2000000000\n");
        assert_eq!(peer.seen.lock().unwrap().ends[0].tmax, 1_000_000_000);
    }
}

#[test]
fn a_recording_of_batches_has_its_own_edge_windows_groups_and_times() {
    let archive = bytes(ARCHIVE);
    let refused = |edge, replay: Replay| {
        let peer = Peer::new(edge, Does::Echo);
        let (result, output) = play(&replay, &peer, &archive);
        assert!(output.is_empty() && peer.seen.lock().unwrap().inits.is_empty());
        result.unwrap_err().to_string()
    };
    assert_eq!(
        refused(EdgeType::Stream, Replay::default()),
        "the input is a recording of batches, and the UDF wants a stream; record a stream, with \
         `kapacitor record stream` for example"
    );
    let own = "the input is a recording of batches, which have";
    let batch = |replay| refused(EdgeType::Batch, replay);
    assert_eq!(
        batch(Replay::default().every(Some(10))),
        format!("{own} windows of their own; leave `every` out")
    );
    assert_eq!(
        batch(Replay::default().grouping(Grouping::by(["host"]))),
        format!("{own} groups of their own; leave `grouping` out")
    );
    assert_eq!(
        batch(Replay::default().precision(Some(Precision::Seconds))),
        format!("{own} times of their own; leave `precision` out")
    );
}

fn cut_short(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

const GZIP_CUT_SHORT: &str =
    "reading failed: the gzip data ends too early: the file is not complete";

#[test]
fn the_json_of_a_recording_has_no_archive_that_is_to_blame() {
    let batch =
        "{\"name\":\"m\",\"points\":[{\"fields\":{\"x\":1},\"time\":\"1970-01-01T00:00:01Z\"}]}\n";
    let error = |input: &[u8]| {
        let peer = Peer::new(EdgeType::Batch, Does::Echo);
        play(&Replay::default(), &peer, input).0.unwrap_err().to_string()
    };
    let half = cut_short(batch.as_bytes().to_vec());
    assert_eq!(
        error(&[batch.as_bytes(), &half].concat()),
        "batch 2 of the recording: it ends too early: the file is not complete"
    );
    let zipped = gzip(batch.as_bytes());
    let cut_short = error(&cut_short(zipped.clone()));
    assert_eq!(cut_short, format!("batch 1 of the recording: {GZIP_CUT_SHORT}"));
    let mut damaged = zipped;
    let last = damaged.len() - 5;
    damaged[last] ^= 1;
    let error = error(&damaged);
    let expected = "of the recording: reading failed: the gzip data is damaged: ";
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_recording_of_batches_that_is_cut_short_or_damaged_is_refused_behind_what_is_whole() {
    let archive = bytes(ARCHIVE);
    let play = |input: &[u8]| {
        let peer = Peer::new(EdgeType::Batch, Does::Echo);
        let (result, output) = play(&Replay::default(), &peer, input);
        (result.map_err(|error| error.to_string()), output)
    };
    // The central directory at the end is not needed.
    let files = archive.windows(4).position(|start| start == b"PK\x01\x02").unwrap();
    for length in 4..=archive.len() {
        let (result, output) = play(&archive[..length]);
        assert!(POINTS.starts_with(&output), "{output}");
        match result {
            Ok(_) => assert!(length >= files + 4 && output == POINTS, "{length}"),
            Err(error) => {
                assert!(length < files + 4, "{length}: {error}");
                assert!(error.starts_with("batch "), "{error}");
                assert!(
                    error.ends_with(
                        " of the recording: the archive ends too early: the file is not complete"
                    ),
                    "{length}: {error}"
                );
            }
        }
    }
    // An error of the gzip layer is not reported as an error of the archive.
    let (result, output) = play(&gzip(&archive));
    assert_eq!((result.is_ok(), &*output), (true, POINTS));
    let (result, _) = play(&cut_short(gzip(&archive)));
    assert_eq!(result.unwrap_err(), format!("batch 1 of the recording: {GZIP_CUT_SHORT}"));
    // A change of any byte of the data is noticed.
    for at in 31..files {
        let mut damaged = archive.clone();
        damaged[at] ^= 0x10;
        let (result, output) = play(&damaged);
        assert!(result.is_err() || output == POINTS, "{at}");
    }
    let (result, _) =
        play(b"PK\x03\x04\x14\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\x000");
    assert_eq!(
        result.unwrap_err(),
        "batch 1 of the recording: the archive is not one that Kapacitor wrote: a file in it is not deflated"
    );
    let (result, _) =
        play(b"{\"name\":\"m\",\"points\":[{\"fields\":{\"x\":1},\"time\":\"now\"}]}");
    assert_eq!(
        result.unwrap_err(),
        "batch 1 of the recording: `now` is not a time between the years 1677 and 2262"
    );
    let (result, _) = play(b"{\"name\":7}");
    let error = result.unwrap_err();
    assert!(
        error.starts_with("batch 1 of the recording: it is not a batch as Kapacitor records it: "),
        "{error}"
    );
}
