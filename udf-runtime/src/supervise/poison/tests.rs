//! Entries of the poison file, and what a replay reads of them.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs, thread};

use prost::Message as _;
use udf_host::replay::{Data, Replay};
use udf_proto::messages::{self, Request, request::Message};

use super::*;

fn frame(message: Message) -> Vec<u8> {
    Request { message: Some(message) }.encode_to_vec()
}

fn point(value: f64) -> messages::Point {
    messages::Point {
        time: 10,
        name: "cpu".to_owned(),
        database: "telegraf".to_owned(),
        retention_policy: "autogen".to_owned(),
        group: "host=a".to_owned(),
        dimensions: vec!["host".to_owned()],
        tags: [("host".to_owned(), "a".to_owned())].into(),
        fields_double: [("usage".to_owned(), value)].into(),
        fields_string: [("text".to_owned(), "two\n\"lines\"".to_owned())].into(),
        ..messages::Point::default()
    }
}

fn batch() -> [Vec<u8>; 4] {
    let tags = [("host".to_owned(), "a".to_owned())];
    let begin = messages::BeginBatch {
        name: "cpu".to_owned(),
        group: "host=a".to_owned(),
        tags: tags.clone().into(),
        ..messages::BeginBatch::default()
    };
    let point = |time, usage| messages::Point {
        time,
        fields_double: [("usage".to_owned(), usage)].into(),
        ..messages::Point::default()
    };
    let end = messages::EndBatch { tmax: 60, ..messages::EndBatch::default() };
    [
        frame(Message::Begin(begin)),
        frame(Message::Point(point(1, 1.5))),
        frame(Message::Point(point(2, 2.5))),
        frame(Message::End(end)),
    ]
}

fn shown(frames: &[&[u8]]) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(1);
    String::from_utf8(entry(time, ["cpu_alert", "avg3"], frames, "it died")).unwrap()
}

/// Returns the points that a replay plays.
fn replayed(text: &[u8]) -> Vec<messages::Point> {
    let replay = Replay::default().grouping(udf_text::line_protocol::Grouping::by(["host"]));
    match replay.read(text, usize::MAX).unwrap().data {
        Data::Points(points) => points,
        data => panic!("{data:?}"),
    }
}

#[test]
fn a_point_is_a_line_below_its_reason() {
    let expected = "
# 1970-01-01T00:00:01.000000Z task=cpu_alert node=avg3 group=host=a: it died
# CONTEXT-DATABASE: telegraf
# CONTEXT-RETENTION-POLICY: autogen
cpu,host=a usage=1.5,text=\"two\n\\\"lines\\\"\" 10
";
    assert_eq!(shown(&[&frame(Message::Point(point(1.5)))]), expected);
}

#[test]
fn a_batch_is_its_points_with_their_shared_tags() {
    let frames = batch();
    let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    let head = "\n# 1970-01-01T00:00:01.000000Z task=cpu_alert node=avg3 group=host=a: it died\n";
    assert_eq!(
        shown(&frames),
        format!("{head}# batch cpu,host=a 60\ncpu,host=a usage=1.5 1\ncpu,host=a usage=2.5 2\n")
    );
    // A point that is left out of its batch.
    assert_eq!(shown(&frames[..2]), format!("{head}cpu,host=a usage=1.5 1\n"));
}

#[test]
fn a_frame_without_a_line_is_kept_in_digits() {
    let nan = frame(Message::Point(point(f64::NAN)));
    let text = shown(&[&nan]);
    let hex: String = nan.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(text.contains("\n# no line protocol, because the field `usage` is NaN"), "{text}");
    assert!(text.contains(&format!("digits:\n# {hex}\n")), "{text}");
    let text = shown(&[b"\x8a\x01\x05\xff"]);
    assert!(text.ends_with("; the frame in hexadecimal digits:\n# 8a0105ff\n"), "{text}");
    // An empty batch.
    let [begin, _, _, end] = batch();
    let text = shown(&[&begin, &end]);
    assert_eq!(text.lines().filter(|line| line.starts_with("# no line")).count(), 2, "{text}");
    // Nothing that a replay would read.
    assert!(replayed(text.as_bytes()).is_empty());
}

#[test]
fn a_replay_plays_what_was_left_out() {
    let points = [point(1.5), point(2.5)];
    let [one, two] = points.clone().map(|point| frame(Message::Point(point)));
    let hostile = "x\n# DDL\ncpu \"usage\\";
    let time = UNIX_EPOCH;
    let text = [
        entry(time, [hostile, "n"], &[&one], hostile),
        entry(time, ["t", hostile], &[&frame(Message::Point(point(f64::INFINITY)))], ""),
        entry(time, ["t", "n"], &[&two], "it died"),
    ]
    .concat();
    let points = points.map(|point| messages::Point { by_name: false, ..point });
    assert_eq!(replayed(&text), points);
}

#[test]
fn entries_of_several_connections_do_not_mix() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poison.lp");
    let file = PoisonFile::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let frame = frame(Message::Point(point(1.5)));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    file.append("cpu_alert", "avg3", &[&frame], "it died").unwrap();
                }
            });
        }
    });
    // The file is kept at the next start.
    let file = PoisonFile::open(&path).unwrap();
    file.append("cpu_alert", "avg3", &[&frame], "it died").unwrap();
    assert_eq!(replayed(&fs::read(&path).unwrap()), vec![point(1.5); 201]);
    // A file that was moved away is made anew.
    fs::rename(&path, directory.path().join("poison.lp.1")).unwrap();
    file.append("cpu_alert", "avg3", &[&frame], "it died").unwrap();
    assert_eq!(replayed(&fs::read(&path).unwrap()).len(), 1);
}

/// Runs this test again as a child, because the limit that stands for a full disk applies to a
/// whole process.
#[test]
fn a_full_disk_leaves_no_part_of_an_entry() {
    const FILE: &str = "FULL_POISON_FILE";
    let append = |file: &PoisonFile| {
        let frame = frame(Message::Point(point(1.5)));
        file.append("cpu_alert", "avg3", &[&frame], "it died")
    };
    if let Some(path) = env::var_os(FILE) {
        let file = PoisonFile::open(Path::new(&path)).unwrap();
        let error = (0..1000).find_map(|_| append(&file).err()).expect("the disk is full");
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("poison.lp");
    // The limit is 4 or 8 KiB.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact \"$1\"";
    let (_crate, module) = module_path!().split_once("::").unwrap();
    let name = format!("{module}::a_full_disk_leaves_no_part_of_an_entry");
    let child = Command::new("sh")
        .args(["-c", script])
        .arg(env::current_exe().unwrap())
        .arg(&name)
        .env(FILE, &path)
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    let full = fs::read(&path).unwrap();
    let count = replayed(&full).len();
    assert!(count > 10, "{count}");
    // When there is room again, the next entry stands behind whole entries.
    append(&PoisonFile::open(&path).unwrap()).unwrap();
    let size = fs::metadata(&path).unwrap().len() as usize;
    assert_eq!(size * count, full.len() * (count + 1));
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    let error = PoisonFile::open(Path::new("/nowhere/poison.lp")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot open the poison file /nowhere/poison.lp: No such file or directory (os error 2)"
    );
    let file = PoisonFile::open(Path::new("/dev/full")).unwrap();
    let error = file.append("cpu_alert", "avg3", &[], "it died").unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write to the poison file /dev/full: No space left on device (os error 28)"
    );
    PoisonFile::open(Path::new("/dev/null")).unwrap().append("t", "n", &[], "").unwrap();
}
