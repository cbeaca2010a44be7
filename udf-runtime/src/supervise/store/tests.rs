//! Checkpoint files: crashes, errors, damage, and names.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use tempfile::TempDir;

use super::saved::{decode, head};
use super::*;

const NONE: Option<&[u8]> = None;

fn open(directory: &TempDir) -> Store {
    Store::open(directory.path(), "cpu_alert", "moving_avg3").unwrap().expect("it is not locked")
}

/// Returns the names in a directory, sorted.
fn names(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn loaded(store: &Store) -> Option<Vec<u8>> {
    store.load().unwrap().map(|saved| saved.snapshot)
}

fn file(given: Given, snapshot: &[u8]) -> Vec<u8> {
    [&head("task", "node", given, snapshot), snapshot].concat()
}

#[test]
fn a_checkpoint_comes_back_in_another_process() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    assert_eq!(loaded(&store), None);
    for snapshot in [&b"first"[..], b"", &[0xff; 100_000]] {
        store.save(snapshot, Given::new(NONE)).unwrap();
        assert_eq!(loaded(&store).as_deref(), Some(snapshot));
    }
    drop(store);
    assert_eq!(loaded(&open(&directory)), Some(vec![0xff; 100_000]));
    assert_eq!(names(&directory), ["cpu_alert@moving_avg3.lock", "cpu_alert@moving_avg3.state"]);
    for name in names(&directory) {
        let mode = fs::metadata(directory.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_checkpoint_wins_over_the_snapshots_that_it_follows() {
    let wins = |given, restored: Option<&[u8]>| {
        decode(file(given, b"ours"), "task", "node").unwrap().wins(restored)
    };
    let mut given = Given::new(NONE);
    assert!(wins(given, None));
    assert!(!wins(given, Some(b"one")) && !wins(given, Some(b"")));
    given.add(b"one");
    assert!(wins(given, Some(b"one")));
    // A task that was created again.
    assert!(!wins(given, None));
    given.add(b"two");
    // Kapacitor may not have stored the last one.
    assert!(wins(given, Some(b"two")) && wins(given, Some(b"one")));
    given.add(b"three");
    assert!(wins(given, Some(b"two")) && wins(given, Some(b"three")));
    assert!(!wins(given, Some(b"one")) && !wins(given, None) && !wins(given, Some(b"")));
    // After a start, Kapacitor has the snapshot that it restored.
    let given = Given::new(Some(b""));
    assert!(wins(given, Some(b"")) && !wins(given, None));
}

/// The hash of a snapshot must never change: another version of this program may load the file.
#[test]
fn the_format_stays_the_same() {
    let mut given = Given::new(NONE);
    given.add(b"abc");
    let expected = [
        &b"UDFSTATE\x01\0\0\0\x73\xaf\x2a\x03\x01\xc2\x41\x24\x35\x03"[..],
        &[0; 7 + 13],
        b"\x04\0\0\0\x04\0\0\0\x04\0\0\0\0\0\0\0tasknodeours",
    ];
    assert_eq!(file(given, b"ours"), expected.concat());
}

#[test]
fn a_crash_leaves_the_old_checkpoint_or_the_new_one() {
    for crash in Step::ALL {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        store.save(b"old", Given::new(NONE)).unwrap();
        let crashed = catch_unwind(AssertUnwindSafe(|| {
            store.replace(b"new", Given::new(NONE), |step| {
                assert_ne!(step, crash, "this is expected");
                Ok(())
            })
        }));
        assert!(crashed.is_err());
        drop(store);
        let expected: &[u8] = if crash == Step::Renamed { b"new" } else { b"old" };
        let store = open(&directory);
        assert_eq!(loaded(&store).as_deref(), Some(expected), "{crash:?}");
        store.save(b"next", Given::new(NONE)).unwrap();
        assert_eq!(loaded(&store).as_deref(), Some(&b"next"[..]), "{crash:?}");
        assert_eq!(names(&directory).len(), 2);
    }
}

#[test]
fn an_error_keeps_the_old_checkpoint_and_frees_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    store.save(b"old", Given::new(NONE)).unwrap();
    for failed in &Step::ALL[..4] {
        let error = store
            .replace(b"new", Given::new(NONE), |step| match step == *failed {
                true => Err(ErrorKind::StorageFull.into()),
                false => Ok(()),
            })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let path = store.path();
        assert_eq!(
            error.to_string(),
            format!("cannot save the checkpoint {}: no storage space", path.display())
        );
        assert_eq!(loaded(&store).as_deref(), Some(&b"old"[..]), "{failed:?}");
        assert_eq!(names(&directory).len(), 2, "{failed:?}");
    }
}

#[test]
fn one_connection_at_a_time_uses_a_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let again = || Store::open(directory.path(), "cpu_alert", "moving_avg3").unwrap();
    assert!(again().is_none());
    assert!(Store::open(directory.path(), "cpu_alert", "other").unwrap().is_some());
    drop(store);
    assert!(again().is_some());
}

#[test]
fn every_damage_is_found() {
    let whole = file(Given::new(Some(b"given")), b"snapshot");
    assert!(decode(whole.clone(), "task", "node").is_ok());
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        let why = decode(flipped, "task", "node").unwrap_err();
        let expected = match at {
            0..8 => Unusable::NotACheckpoint,
            8 => Unusable::Version(0),
            9..12 => Unusable::Version(1 + (1 << (8 * (at - 8)))),
            _ => Unusable::Damaged,
        };
        assert_eq!(why, expected, "{at}");
        assert!(decode(whole[..at].to_vec(), "task", "node").is_err(), "{at}");
    }
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(decode(longer, "task", "node"), Err(Unusable::Damaged));
}

#[test]
fn an_unusable_file_is_moved_aside() {
    type Make = fn(&Path);
    let makes: [(Make, &str); 6] = [
        (|path| fs::write(path, "").unwrap(), "it is not a checkpoint"),
        (|path| fs::write(path, b"UDFSTATE\x01\0\0\0cut").unwrap(), "it is cut or damaged"),
        (
            |path| fs::write(path, b"UDFSTATE\x02\0\0\0").unwrap(),
            "its format has version 2, and this program reads version 1",
        ),
        (
            |path| fs::write(path, file(Given::new(NONE), b"")).unwrap(),
            "it is the checkpoint of node \"node\" of task \"task\"",
        ),
        (|path| symlink("/dev/zero", path).unwrap(), "it is not a regular file"),
        (|path| fs::create_dir(path).unwrap(), "it is not a regular file"),
    ];
    for (make, why) in makes {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        make(&store.path());
        let (path, base) = (store.path(), directory.path().join("cpu_alert@moving_avg3"));
        assert_eq!(
            store.load().unwrap_err().to_string(),
            format!(
                "cannot use the checkpoint {}: {why}; it was moved to {}.state.unusable",
                path.display(),
                base.display()
            )
        );
        assert_eq!(loaded(&store), None);
        store.save(b"new", Given::new(NONE)).unwrap();
        assert_eq!(loaded(&store).as_deref(), Some(&b"new"[..]));
    }
}

#[test]
fn a_directory_that_does_not_fit_is_an_error_that_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    check(directory.path()).unwrap();
    let missing = directory.path().join("missing");
    let shown = missing.display();
    let expected = format!(
        "the state directory {shown} does not exist; run `mkdir -m 700 {shown}` as the user of \
         this program"
    );
    assert_eq!(check(&missing).unwrap_err().to_string(), expected);
    assert_eq!(Store::open(&missing, "a", "b").unwrap_err().to_string(), expected);
    fs::write(&missing, "").unwrap();
    let expected = format!("cannot open the state directory {shown}: not a directory");
    assert_eq!(check(&missing).unwrap_err().to_string(), expected);
    // A lock through a link would be that of another file.
    symlink("/nowhere", directory.path().join("a@b.lock")).unwrap();
    let error = Store::open(directory.path(), "a", "b").unwrap_err().to_string();
    assert!(error.contains("a@b.lock: Too many levels of symbolic links"), "{error}");
}

#[test]
fn names_stay_within_the_directory() {
    for (task, node, expected) in [
        ("cpu_alert", "moving_avg3", "cpu_alert@moving_avg3"),
        ("..", "/etc/passwd", "%2E.@%2Fetc%2Fpasswd"),
        ("", "", "@"),
        ("größe.1", "a@b%", "größe.1@a%40b%25"),
        ("a\0b", "\n", "a%00b@%0A"),
    ] {
        assert_eq!(file_name(task, node).unwrap(), expected);
    }
    assert!(file_name(&"x".repeat(200), &"y".repeat(39)).is_ok());
    let error = file_name(&"x".repeat(200), &"y".repeat(40)).unwrap_err().to_string();
    assert!(error.contains("they may have up to 239 bytes together"), "{error}");
    assert!(file_name(&"\0".repeat(64 << 20), "").is_err());
    assert!(file_name("", &"x".repeat(64 << 20)).is_err());
}

proptest! {
    #[test]
    fn any_bytes_load_or_are_refused(bytes: Vec<u8>, is_marked: bool) {
        let marked = b"UDFSTATE\x01\0\0\0";
        let start: &[u8] = if is_marked { marked } else { b"" };
        let mut bytes = [start, &bytes].concat();
        prop_assert!(decode(bytes.clone(), "task", "node").is_err());
        // With a valid sum, the lengths may still be anything.
        if is_marked && bytes.len() > 16 {
            let crc = crc32fast::hash(&bytes[16..]);
            bytes[12..16].copy_from_slice(&crc.to_le_bytes());
            prop_assert!(decode(bytes, "task", "node").is_err());
        }
    }

    #[test]
    fn two_names_never_share_a_file(names in prop::collection::vec(("[a.@%/-]{0,3}", "[a.@%/-]{0,3}"), 50)) {
        let mut seen = HashMap::new();
        for (task, node) in names {
            let name = file_name(&task, &node).unwrap();
            prop_assert!(!name.contains('/') && !name.starts_with('.'));
            let first = seen.entry(name).or_insert_with(|| (task.clone(), node.clone()));
            prop_assert_eq!(first.clone(), (task, node));
        }
    }
}
