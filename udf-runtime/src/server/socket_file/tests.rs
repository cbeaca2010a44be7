//! Changes of the file system between two steps of creating a socket.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::place::Place;
use super::{BindError, SocketFile, SocketOptions};

/// A directory for a socket, and the path to which the directory is moved.
struct Directories {
    _root: TempDir,
    run: PathBuf,
    moved: PathBuf,
}

impl Directories {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (run, moved) = (root.path().join("run"), root.path().join("moved"));
        fs::create_dir(&run).unwrap();
        // Set the mode independently of the umask.
        fs::set_permissions(&run, Permissions::from_mode(0o755)).unwrap();
        Directories { _root: root, run, moved }
    }

    fn socket(&self) -> PathBuf {
        self.run.join("udf.sock")
    }

    /// Replaces the directory, as a user with write permission on its parent could.
    fn swap(&self) {
        fs::rename(&self.run, &self.moved).unwrap();
        fs::create_dir(&self.run).unwrap();
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn precious(path: &Path) {
    fs::write(path, "precious").unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// Does everything but `make`, then swaps the directory and runs `then`. `make` must notice.
fn swapped(then: impl FnOnce(&Directories)) -> Directories {
    let directories = Directories::new();
    let place = Place::open(&directories.socket()).unwrap();
    let _lock = place.lock().unwrap();
    place.clear().unwrap();
    directories.swap();
    then(&directories);
    let made = place.make(&SocketOptions::new().mode(0o666));
    assert!(matches!(made, Err(BindError::Replaced { .. })), "{:?}", made.err());
    directories
}

#[test]
fn a_directory_that_was_swapped_is_noticed() {
    let directories = swapped(|_| {});
    assert!(!directories.moved.join("udf.sock").exists());
}

#[test]
fn what_was_planted_in_place_of_the_socket_is_left_as_it_is() {
    let mut modes = Vec::new();
    let directories = swapped(|it| {
        precious(&it.moved.join("file"));
        symlink("file", it.moved.join("udf.sock")).unwrap();
    });
    modes.push(mode(&directories.moved.join("file")));
    let directories = swapped(|it| precious(&it.moved.join("udf.sock")));
    modes.push(mode(&directories.moved.join("udf.sock")));
    // A socket of the same user, from another server.
    let directories = swapped(|it| {
        let other = it.moved.join("udf.sock");
        drop(UnixListener::bind(&other).unwrap());
        fs::set_permissions(&other, Permissions::from_mode(0o600)).unwrap();
    });
    modes.push(mode(&directories.moved.join("udf.sock")));
    assert_eq!(modes, [0o600; 3]);
}

#[test]
fn mode_and_group_are_those_of_the_socket_that_was_made_whatever_has_its_name() {
    let directories = Directories::new();
    let path = directories.socket();
    let place = Place::open(&path).unwrap();
    let options = SocketOptions::new().mode(0o666);
    let (_socket, made) = place.make(&options).unwrap();
    let moved = path.with_extension("moved");
    fs::rename(&path, &moved).unwrap();
    precious(&path);
    made.set_access(&options).unwrap();
    assert_eq!((mode(&path), mode(&moved)), (0o600, 0o666));
}

#[test]
fn a_stale_socket_is_removed_where_it_was_found() {
    let directories = Directories::new();
    drop(UnixListener::bind(directories.socket()).unwrap());
    let place = Place::open(&directories.socket()).unwrap();
    directories.swap();
    drop(UnixListener::bind(directories.socket()).unwrap());
    place.clear().unwrap();
    assert!(!directories.moved.join("udf.sock").exists());
    assert!(directories.socket().exists(), "another one was removed");
}

#[test]
fn a_socket_is_removed_from_its_own_directory() {
    let directories = Directories::new();
    let (_listener, file) = SocketFile::bind(&directories.socket(), &SocketOptions::new()).unwrap();
    assert!(file.is_in_place());
    directories.swap();
    assert!(!file.is_in_place());
    precious(&directories.socket());
    assert!(!file.is_in_place());
    drop(file);
    assert!(!directories.moved.join("udf.sock").exists());
    assert_eq!(fs::read(directories.socket()).unwrap(), b"precious");
}

#[test]
fn a_socket_that_is_there_under_another_name_too_is_in_place() {
    let directories = Directories::new();
    let (_listener, file) = SocketFile::bind(&directories.socket(), &SocketOptions::new()).unwrap();
    fs::hard_link(directories.socket(), directories.run.join("other")).unwrap();
    assert!(file.is_in_place());
    fs::remove_file(directories.socket()).unwrap();
    assert!(!file.is_in_place());
    symlink("other", directories.socket()).unwrap();
    assert!(file.is_in_place(), "who connects may be led to it");
}

#[test]
fn a_relative_path_needs_no_directory() {
    let place = Place::open(Path::new("udf.sock")).unwrap();
    assert_eq!(place.path(), Path::new("udf.sock"));
    for path in ["", "/", "..", "/tmp/.."] {
        let error = Place::open(Path::new(path)).expect_err(path).to_string();
        assert!(error.contains("does not end in the name of a file"), "{error}");
    }
}

#[test]
fn no_group_is_refused() {
    let directories = Directories::new();
    let options = SocketOptions::new().group(u32::MAX);
    let error = SocketFile::bind(&directories.socket(), &options).expect_err("it is none");
    assert!(error.to_string().contains("4294967295 stands for no group"), "{error}");
    assert!(!directories.socket().exists());
}

#[test]
fn a_directory_that_others_may_write_to_is_refused_unless_it_is_allowed() {
    let directories = Directories::new();
    for (mode, is_refused) in
        [(0o755, false), (0o777, true), (0o775, true), (0o1777, false), (0o1770, false)]
    {
        fs::set_permissions(&directories.run, Permissions::from_mode(mode)).unwrap();
        let bound = SocketFile::bind(&directories.socket(), &SocketOptions::new());
        let refused = matches!(bound, Err(BindError::SharedDirectory { .. }));
        assert_eq!(refused, is_refused, "{mode:o}: {:?}", bound.err());
    }
    fs::set_permissions(&directories.run, Permissions::from_mode(0o777)).unwrap();
    let options = SocketOptions::new().allow_shared_directory(true);
    let (_listener, _file) = SocketFile::bind(&directories.socket(), &options).unwrap();
    let made = fs::symlink_metadata(directories.socket()).unwrap();
    assert!(made.file_type().is_socket());
}
