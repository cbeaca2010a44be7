//! State files: what they belong to, damage, errors, and the directory.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::UNIX_EPOCH;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(1_790_000_000_123_456_789)
}

fn open(directory: &TempDir) -> StateFile {
    StateFile::open(&directory.path().join("avg.state")).unwrap().expect("it is not locked")
}

fn names(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn by_host() -> Grouping {
    Grouping::parse("host")
}

fn of(grouping: &Grouping) -> StateOf<'_> {
    StateOf { udf: "avg", grouping }
}

fn bytes(of: &StateOf<'_>, snapshot: &[u8]) -> Vec<u8> {
    [&head(of, snapshot, now()), snapshot].concat()
}

#[test]
fn state_comes_back_in_another_run() {
    let directory = tempfile::tempdir().unwrap();
    let (file, grouping) = (open(&directory), by_host());
    let load = |file: &StateFile| file.load(&of(&grouping), None, now()).unwrap();
    assert_eq!(load(&file), None);
    for snapshot in [&b"first"[..], &[0xff; 100_000]] {
        file.save(&of(&grouping), snapshot, now()).unwrap();
        assert_eq!(load(&file).as_deref(), Some(snapshot));
    }
    drop(file);
    let file = open(&directory);
    assert_eq!(load(&file), Some(vec![0xff; 100_000]));
    assert_eq!(names(&directory), ["avg.state", "avg.state.lock"]);
    for name in names(&directory) {
        let mode = fs::metadata(directory.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // A UDF that has no state any more must not get that of an earlier version back.
    file.save(&of(&grouping), b"", now()).unwrap();
    file.save(&of(&grouping), b"", now()).unwrap();
    assert_eq!(load(&file), None);
    assert_eq!(names(&directory), ["avg.state.lock"]);
}

#[test]
fn one_process_at_a_time_uses_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = open(&directory);
    let again = || StateFile::open(&directory.path().join("avg.state")).unwrap();
    assert!(again().is_none());
    assert!(StateFile::open(&directory.path().join("other.state")).unwrap().is_some());
    drop(file);
    assert!(again().is_some());
}

/// Another version of this program may load the file.
#[test]
fn the_format_stays_the_same() {
    let grouping = Grouping::by(["host", "cpu"]).by_name(true);
    let expected = [
        &b"UDFLINES\x01\0\0\0\x99\x2d\x0c\xb4\x15\xcd\x4e\x2b\x84\x5b\xd7\x18\x02"[..],
        b"\x03\0\0\0\x02\0\0\0\x08\0\0\0\0\0\0\0avg\x03\0\0\0cpu\x04\0\0\0hostsnapshot",
    ];
    assert_eq!(bytes(&of(&grouping), b"snapshot"), expected.concat());
}

#[test]
fn state_of_something_else_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = open(&directory);
    let path = file.path().display();
    file.save(&of(&by_host()), b"state", now()).unwrap();
    let refusal = |udf, grouping: Grouping, max_age, now| {
        let of = StateOf { udf, grouping: &grouping };
        file.load(&of, max_age, now).unwrap_err().to_string()
    };
    let another = |grouping| refusal("avg", grouping, None, now());
    let grouped = |by| {
        format!(
            "cannot use the state file {path}: it holds the state of points that were grouped by \
             host; this run groups them by {by}"
        )
    };
    assert_eq!(another(Grouping::parse("host,cpu")), grouped("cpu, host"));
    assert_eq!(another(Grouping::by_all_tags()), grouped("all tags"));
    assert_eq!(another(Grouping::none()), grouped("no tags"));
    assert_eq!(another(by_host().by_name(true)), grouped("host and the measurement"));
    assert_eq!(
        refusal("max", by_host(), None, now()),
        format!(
            "cannot use the state file {path}: it holds the state of the UDF \"avg\"; this UDF is \
             \"max\""
        )
    );
    let (grouping, later) = (by_host(), now() + HOUR);
    assert!(file.load(&of(&grouping), Some(HOUR), later).unwrap().is_some());
    assert_eq!(
        refusal("avg", by_host(), Some(HOUR), later + Duration::from_secs(130)),
        format!(
            "cannot use the state file {path}: it was saved 1h2m ago, at \
             2026-09-21T14:13:20.123456Z; this run accepts state of up to 1h"
        )
    );
    // The clock was set back.
    assert!(file.load(&of(&grouping), Some(HOUR), now() - 2 * HOUR).unwrap().is_some());
    assert!(file.load(&of(&grouping), None, now() + 9999 * HOUR).unwrap().is_some());
    // A refusal changes nothing.
    assert_eq!(file.load(&of(&grouping), None, now()).unwrap().as_deref(), Some(&b"state"[..]));
}

#[test]
fn ages_have_two_units() {
    for (seconds, expected) in
        [(0, "0ms"), (59, "59s"), (61, "1m1s"), (7200, "2h"), (90_061, "1d1h"), (86_460, "1d")]
    {
        assert_eq!(Age(Duration::from_secs(seconds)).to_string(), expected);
    }
}

#[test]
fn every_damage_is_found() {
    let whole = bytes(&of(&by_host()), b"snapshot");
    assert!(decode(whole.clone()).is_ok());
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            let expected = match at {
                0..8 => Unusable::NotAStateFile,
                8..12 => Unusable::Version(1 ^ (1 << (8 * (at - 8) + bit))),
                _ => Unusable::Damaged,
            };
            assert_eq!(decode(flipped), Err(expected), "{at}");
        }
        assert!(decode(whole[..at].to_vec()).is_err(), "{at}");
    }
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(decode(longer), Err(Unusable::Damaged));
}

#[test]
fn an_unusable_file_is_left_until_it_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let (file, grouping) = (open(&directory), by_host());
    for content in ["", "[[processors.execd]]", "UDFLINES\x01\0\0\0cut", "UDFLINES\x02\0\0\0"] {
        fs::write(file.path(), content).unwrap();
        let error = file.load(&of(&grouping), None, now()).unwrap_err();
        assert!(matches!(error, LoadError::Unusable { .. }), "{error}");
        assert_eq!(fs::read_to_string(file.path()).unwrap(), content);
        let moved_to = file.set_aside().unwrap();
        assert_eq!(moved_to, directory.path().join("avg.state.unusable"));
        assert_eq!(fs::read_to_string(moved_to).unwrap(), content);
        assert_eq!(file.load(&of(&grouping), None, now()).unwrap(), None);
    }
    let error = file.set_aside().unwrap_err();
    let path = file.path().display();
    assert!(error.to_string().starts_with(&format!("cannot move aside the state file {path}: ")));
    // A file that another program has put there meanwhile.
    symlink("/dev/zero", file.path()).unwrap();
    assert_eq!(
        file.load(&of(&grouping), None, now()).unwrap_err().to_string(),
        format!("cannot use the state file {path}: it is not a regular file")
    );
}

#[test]
fn a_path_that_does_not_fit_is_an_error_that_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let (root, user) = (directory.path().display(), geteuid().as_raw());
    let check = |name: &str, why: String| {
        let path = directory.path().join(name);
        let error = StateFile::open(&path).unwrap_err().to_string();
        assert_eq!(error, format!("cannot use the state file {}: {why}", path.display()));
    };
    check(
        "missing/avg.state",
        format!(
            "the directory {root}/missing does not exist; run `install -d -m 700 -o {user} \
             {root}/missing` as root"
        ),
    );
    fs::write(directory.path().join("file"), "").unwrap();
    check("file/avg.state", format!("cannot use the directory {root}/file: not a directory"));
    for name in ["", "missing/", ".."] {
        check(name, "this path is a directory; add the name of a file".to_owned());
    }
    let irregular =
        |name| format!("{root}/{name} is not a regular file; remove it, or choose another path");
    symlink("file", directory.path().join("link")).unwrap();
    check("link", irregular("link"));
    symlink("/nowhere", directory.path().join("a.lock")).unwrap();
    check("a", irregular("a.lock"));
    let fifo = directory.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, fifo, rustix::fs::Mode::RUSR).unwrap();
    check("fifo", irregular("fifo"));
    assert!(!names(&directory).iter().any(|name| name == "fifo.lock"), "nothing is left behind");
}

/// These cannot be produced by every user that runs the tests.
#[test]
fn advice_about_a_directory_names_the_user_and_the_directory() {
    let advice = |kind: ErrorKind| no_directory(Path::new("/var/lib/x"), 998, &kind.into());
    assert_eq!(
        advice(ErrorKind::PermissionDenied),
        "user 998 cannot use the directory /var/lib/x: permission denied; choose a directory that \
         belongs to this user (`install -d -m 700 -o 998 DIRECTORY`, as root, creates one)"
    );
    assert_eq!(
        advice(ErrorKind::ReadOnlyFilesystem),
        "the directory /var/lib/x is read-only: read-only filesystem or storage medium; under \
         systemd, add `ReadWritePaths=/var/lib/x` to the unit of the service"
    );
}

#[test]
fn advice_about_files_of_another_user_names_all_of_them() {
    let files = [(Path::new("/x/a.state"), 0), (Path::new("/x/a.state.lock"), 0)];
    assert_eq!(of_another_user(&[], 998), None);
    assert_eq!(
        of_another_user(&files, 998).unwrap(),
        "/x/a.state belongs to user 0, and this process runs as user 998; run `chown 998 \
         /x/a.state /x/a.state.lock` as root"
    );
    // Root has tried the command of the service.
    assert_eq!(
        of_another_user(&[(Path::new("/x/a.state"), 998)], 0).unwrap(),
        "/x/a.state belongs to user 998, and this process runs as user 0; run it as user 998"
    );
    // Only root can give a file away.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("avg.state");
    fs::write(&path, "").unwrap();
    if std::os::unix::fs::chown(&path, Some(998), None).is_ok() {
        let error = StateFile::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().ends_with("; run it as user 998"), "{error}");
        assert_eq!(names(&directory), ["avg.state"]);
    }
}

#[test]
fn a_snapshot_that_could_not_be_loaded_is_not_saved() {
    let directory = tempfile::tempdir().unwrap();
    let (file, grouping) = (open(&directory), by_host());
    file.save(&of(&grouping), b"old", now()).unwrap();
    let huge = "x".repeat(1 << 20);
    let of_huge = StateOf { udf: &huge, grouping: &grouping };
    file.save(&of_huge, b"small", now()).unwrap();
    let error = file.load(&of(&grouping), None, now()).unwrap_err().to_string();
    assert!(error.len() < 1000, "{}", error.len());
    let error = file.save(&of_huge, &vec![0; MAX_LIMIT], now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    assert!(file.load(&of_huge, None, now()).unwrap().is_some(), "the previous file stays");
}

fn any_grouping() -> impl Strategy<Value = Grouping> {
    let tags = prop::collection::vec(any::<String>(), 0..4);
    (any::<bool>(), tags, any::<bool>()).prop_map(|(all, tags, by_name)| {
        let grouping = if all { Grouping::by_all_tags() } else { Grouping::by(tags) };
        grouping.by_name(by_name)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        udf: String,
        grouping in any_grouping(),
        snapshot: Vec<u8>,
        nanos in 0..u64::MAX / 2,
    ) {
        let saved = UNIX_EPOCH + Duration::from_nanos(nanos);
        let of = StateOf { udf: &udf, grouping: &grouping };
        let file = [&head(&of, &snapshot, saved)[..], &snapshot].concat();
        let expected = Content { udf: udf.clone(), grouping: grouping.clone(), saved, snapshot };
        prop_assert_eq!(decode(file), Ok(expected));
    }

    #[test]
    fn any_bytes_load_or_are_refused(bytes: Vec<u8>, is_marked: bool) {
        let start: &[u8] = if is_marked { b"UDFLINES\x01\0\0\0" } else { b"" };
        let mut bytes = [start, &bytes].concat();
        prop_assert!(decode(bytes.clone()).is_err());
        // With a valid sum, the lengths may still be anything.
        if is_marked && bytes.len() > 16 {
            let crc = crc32fast::hash(&bytes[16..]);
            bytes[12..16].copy_from_slice(&crc.to_le_bytes());
            let _ = decode(bytes);
        }
    }

    /// The sum is valid, and one of the lengths is not.
    #[test]
    fn lengths_that_do_not_fit_are_refused(at in 25_usize..41, byte: u8) {
        let mut whole = bytes(&of(&by_host()), b"snapshot");
        prop_assume!(whole[at] != byte);
        whole[at] = byte;
        let crc = crc32fast::hash(&whole[16..]);
        whole[12..16].copy_from_slice(&crc.to_le_bytes());
        prop_assert_eq!(decode(whole), Err(Unusable::Damaged));
    }
}
