//! Crashes, errors, locks, and files that are not used.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};

use tempfile::TempDir;

use super::*;

fn open(directory: &TempDir) -> Option<WholeFile> {
    let [path, lock] = ["it", "it.lock"].map(|name| directory.path().join(name));
    WholeFile::open(open_directory(directory.path()).unwrap(), path, &lock).unwrap()
}

fn names(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_crash_leaves_the_old_file_or_the_new_one() {
    for crash in Step::ALL {
        let directory = tempfile::tempdir().unwrap();
        let file = open(&directory).unwrap();
        file.replace([b"o", b"ld"], |_| Ok(())).unwrap();
        let crashed = catch_unwind(AssertUnwindSafe(|| {
            file.replace([b"n", b"ew"], |step| {
                assert_ne!(step, crash, "this is expected");
                Ok(())
            })
        }));
        assert!(crashed.is_err());
        drop(file);
        let file = open(&directory).unwrap();
        let expected: &[u8] = if crash == Step::Renamed { b"new" } else { b"old" };
        assert_eq!(file.read(9).unwrap().unwrap(), expected, "{crash:?}");
        file.replace([b"ne", b"xt"], |_| Ok(())).unwrap();
        assert_eq!(file.read(9).unwrap().unwrap(), b"next", "{crash:?}");
        assert_eq!(names(&directory), ["it", "it.lock"]);
    }
}

#[test]
fn an_error_keeps_the_old_file_and_frees_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let file = open(&directory).unwrap();
    file.replace([b"o", b"ld"], |_| Ok(())).unwrap();
    for failed in &Step::ALL[..4] {
        let replaced = file.replace([b"n", b"ew"], |step| match step == *failed {
            true => Err(ErrorKind::StorageFull.into()),
            false => Ok(()),
        });
        assert_eq!(replaced.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(file.read(9).unwrap().unwrap(), b"old", "{failed:?}");
        assert_eq!(names(&directory), ["it", "it.lock"], "{failed:?}");
    }
}

#[test]
fn one_value_at_a_time_has_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let file = open(&directory);
    assert!(file.is_some() && open(&directory).is_none());
    drop(file);
    assert!(open(&directory).is_some());
    // A lock through a link would be that of another file.
    let lock = directory.path().join("it.lock");
    fs::rename(&lock, directory.path().join("another")).unwrap();
    symlink("another", &lock).unwrap();
    let opened = open_directory(directory.path()).unwrap();
    assert!(WholeFile::open(opened, directory.path().join("it"), &lock).is_err());
}

#[test]
fn only_a_regular_file_within_the_limit_is_read() {
    type Make = fn(&Path);
    let makes: [(Make, Unfit); 5] = [
        // A regular file of this user, which the path does not name.
        (|path| symlink(std::env::current_exe().unwrap(), path).unwrap(), Unfit::NotAFile),
        (|path| symlink("/dev/zero", path).unwrap(), Unfit::NotAFile),
        (|path| fs::create_dir(path).unwrap(), Unfit::NotAFile),
        // Reading it would block.
        (
            |path| {
                let mode = rustix::fs::Mode::RUSR;
                rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).unwrap();
            },
            Unfit::NotAFile,
        ),
        // It has no blocks: only its length is large.
        (|path| File::create(path).unwrap().set_len(1 << 40).unwrap(), Unfit::TooLarge),
    ];
    for (make, why) in makes {
        let directory = tempfile::tempdir().unwrap();
        let file = open(&directory).unwrap();
        assert_eq!(file.read(9).unwrap_err().kind(), ErrorKind::NotFound);
        make(file.path());
        assert_eq!(file.read(9).unwrap(), Err(why));
        assert_eq!(file.set_aside().unwrap(), directory.path().join("it.unusable"));
        file.replace([b"n", b"ew"], |_| Ok(())).unwrap();
        assert_eq!(file.read(3).unwrap().unwrap(), b"new");
        assert_eq!(file.read(2).unwrap(), Err(Unfit::TooLarge));
        assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        file.remove().unwrap();
        file.remove().unwrap();
        assert_eq!(names(&directory), ["it.lock", "it.unusable"]);
    }
}

#[test]
fn a_file_of_another_user_is_not_used() {
    // A file of the kernel, which belongs to root, or a file of root.
    let foreign = Path::new("/proc/version");
    let metadata = fs::metadata(foreign).unwrap();
    let (us, owner) = (geteuid().as_raw(), metadata.uid());
    assert_eq!(check_owner(&metadata, owner), Ok(()));
    assert_eq!(check_owner(&metadata, owner + 1), Err(Unfit::Owner(owner)));
    let expected = (us != owner).then_some(Unfit::Owner(owner));
    assert_eq!(unfit(foreign).unwrap(), expected);
    assert_eq!(unfit(Path::new("/nowhere/at/all")).unwrap(), None);
}
