//! Attacks by other users of the machine on the path of the socket, and the identity of users.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{CWD, Mode};
use tempfile::TempDir;
use udf_tests::process::made_up_user;
use udf_tests::program::{Program, Transport, example};

use crate::subject::serves;
use crate::{SOCKET, cases};

cases! {
    a_fifo_in_place_of_the_lock, SOCKET, "A FIFO in place of the lock is an error that names it. The start does not hang.";
    a_link_in_place_of_the_lock, SOCKET, "A link in place of the lock is not followed, also if its target does not exist.";
    a_lock_of_another_user, SOCKET, "A lock of another user, who could hold it forever, is an error that names the lock and the user.";
    a_directory_that_others_may_write_to, SOCKET, "A directory in which others can replace the socket is refused with a solution; nothing is created there.";
    a_directory_that_others_may_write_to_and_that_is_allowed, SOCKET, "With `--allow-shared-directory`, a directory in which others can replace the socket is used.";
    a_directory_of_another_user, SOCKET, "A directory of another user is refused with a solution.";
    a_directory_with_the_sticky_bit, SOCKET, "A directory with the sticky bit, such as /tmp, is accepted.";
    a_directory_behind_a_link, SOCKET, "Links among the directories above the socket, such as /var/run, are followed.";
    a_daemon_of_an_ordinary_user, SOCKET, "An ordinary user can run a daemon in their own directory, and in no other; a lock that cannot be opened is an error that names it.";
    a_socket_that_is_removed_meanwhile, SOCKET, "If the socket is removed while the daemon runs, the log reports that nobody can connect any more.";
    a_socket_that_is_replaced_meanwhile, SOCKET, "If the socket is replaced while the daemon runs, the log reports it, too.";
    a_group_that_is_none, SOCKET, "The group 4294967295, which means no group, is a usage error.";
    a_group_of_others, SOCKET, "A group without the daemon as a member is an error that names the users who may set it; the socket is removed.";
    a_user_who_is_none, SOCKET, "The user 4294967295, which means no user, is a usage error. So is a text that is not a number.";
    a_user_who_stands_for_others, SOCKET, "In a user namespace, `--allow-uid` refuses the user that stands for all unmapped users. Outside of one, it accepts that user.";
}

/// A user and group who have nothing here.
fn stranger() -> u32 {
    made_up_user(2)
}

/// Returns whether tests can act as other users. Otherwise, they are skipped.
fn is_root(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("SKIPPED {test}: it acts as another user, which only root can");
    }
    is_root
}

/// Returns whether tests can start a daemon as another user. Otherwise, they are skipped.
fn can_run_as_stranger(test: &str) -> bool {
    if !is_root(test) {
        return false;
    }
    let output = mirror().arg("--version").uid(stranger()).gid(stranger()).output();
    let can_run = output.as_ref().is_ok_and(|output| output.status.success());
    if !can_run {
        eprintln!("SKIPPED {test}: another user cannot run what was built here: {output:?}");
    }
    can_run
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

fn mirror() -> Command {
    Command::new(example("mirror"))
}

/// Starts a daemon at this path. It must fail with these texts and this status.
fn refused(command: &mut Command, path: &Path, with: &[&str], status: i32) {
    let mut program = Program::spawn(command.arg("--socket").arg(path).stdin(Stdio::null()));
    let log = program.rest_of_log().join("\n");
    for text in with {
        assert!(log.contains(text), "`{text}` is not in `{log}`");
    }
    assert_eq!(program.wait().code(), Some(status), "{log}");
    assert!(!path.exists(), "a socket was made");
}

fn a_fifo_in_place_of_the_lock(_: Transport) {
    let directory = directory();
    let (path, lock) = (directory.path().join("udf.sock"), directory.path().join("udf.sock.lock"));
    rustix::fs::mkfifoat(CWD, &lock, Mode::RUSR | Mode::WUSR).expect("the path is free");
    let with = format!("the lock {} is a FIFO and not a regular file", lock.display());
    refused(&mut mirror(), &path, &[&with, "remove it"], 1);
    // With a reader, opening the FIFO does not block.
    let _reader = fs::File::options().read(true).write(true).open(&lock).expect("it is ours");
    refused(&mut mirror(), &path, &[&with], 1);
}

fn a_link_in_place_of_the_lock(_: Transport) {
    let directory = directory();
    let (path, lock) = (directory.path().join("udf.sock"), directory.path().join("udf.sock.lock"));
    let target = directory.path().join("target");
    symlink(&target, &lock).expect("the path is free");
    let with = format!("the lock {} is a symbolic link and not a regular file", lock.display());
    refused(&mut mirror(), &path, &[&with, "remove it"], 1);
    assert!(!target.exists(), "it was followed");
    fs::write(&target, "precious").expect("the directory is ours");
    refused(&mut mirror(), &path, &[&with], 1);
}

fn a_lock_of_another_user(_: Transport) {
    if !is_root("a_lock_of_another_user") {
        return;
    }
    let directory = directory();
    let (path, lock) = (directory.path().join("udf.sock"), directory.path().join("udf.sock.lock"));
    fs::write(&lock, "").expect("the directory is ours");
    chown(&lock, Some(stranger()), None).expect("root may do this");
    let with =
        format!("cannot open the lock {}: it belongs to user {}", lock.display(), stranger());
    refused(&mut mirror(), &path, &[&with, "remove it or change its owner to this user"], 1);
}

fn a_directory_that_others_may_write_to(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    for mode in [0o777, 0o775, 0o2770, 0o702] {
        set_mode(directory.path(), mode);
        let at = directory.path().display();
        let with = [
            format!("cannot create the socket {}: other users could replace it", path.display()),
            format!("{at} has mode {mode:04o}; run `chmod go-w {at}`"),
            "--allow-shared-directory".to_owned(),
        ];
        refused(&mut mirror(), &path, &with.each_ref().map(String::as_str), 1);
        assert_eq!(fs::read_dir(directory.path()).expect("it is ours").count(), 0);
    }
}

fn a_directory_that_others_may_write_to_and_that_is_allowed(_: Transport) {
    let directory = directory();
    set_mode(directory.path(), 0o777);
    let path = directory.path().join("udf.sock");
    serves(&Program::listen_at(&path, mirror().arg("--allow-shared-directory")));
}

fn a_directory_of_another_user(_: Transport) {
    if !is_root("a_directory_of_another_user") {
        return;
    }
    let directory = directory();
    let path = directory.path().join("udf.sock");
    chown(directory.path(), Some(stranger()), None).expect("root may do this");
    let at = directory.path().display();
    let with = format!("{at} belongs to user {}; run `chown 0 ", stranger());
    refused(&mut mirror(), &path, &[&with, "--allow-shared-directory"], 1);
    serves(&Program::listen_at(&path, mirror().arg("--allow-shared-directory")));
}

fn a_directory_with_the_sticky_bit(_: Transport) {
    let directory = directory();
    set_mode(directory.path(), 0o1777);
    serves(&Program::listen_at(&directory.path().join("udf.sock"), &mut mirror()));
}

fn a_directory_behind_a_link(_: Transport) {
    let directory = directory();
    let (real, link) = (directory.path().join("run"), directory.path().join("var"));
    fs::create_dir(&real).expect("the directory is ours");
    set_mode(&real, 0o755);
    symlink("run", &link).expect("the path is free");
    let mut program = Program::listen_at(&link.join("udf.sock"), &mut mirror());
    serves(&program);
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    assert!(!real.join("udf.sock").exists(), "the socket is still there");
}

fn a_daemon_of_an_ordinary_user(_: Transport) {
    if !can_run_as_stranger("a_daemon_of_an_ordinary_user") {
        return;
    }
    let as_stranger = || {
        let mut command = mirror();
        command.uid(stranger()).gid(stranger());
        command
    };
    let directory = directory();
    set_mode(directory.path(), 0o755);
    refused(&mut as_stranger(), &directory.path().join("udf.sock"), &["Permission denied"], 1);
    let own = directory.path().join("own");
    fs::create_dir(&own).expect("the directory is ours");
    set_mode(&own, 0o755);
    chown(&own, Some(stranger()), Some(stranger())).expect("root may do this");
    let (path, lock) = (own.join("udf.sock"), own.join("udf.sock.lock"));
    fs::write(&lock, "").expect("root may do this");
    set_mode(&lock, 0o600);
    let with = format!("cannot open the lock {}: Permission denied", lock.display());
    refused(&mut as_stranger(), &path, &[&with, "remove it or change its owner to this user"], 1);
    fs::remove_file(&lock).expect("root may do this");
    let mut program = Program::listen_at(&path, &mut as_stranger());
    serves(&program);
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    assert!(!path.exists());
}

/// Starts a daemon that checks its socket often, because systemd's watchdog has a short interval.
fn attentive() -> (Program, TempDir) {
    let directory = directory();
    let notify = directory.path().join("notify");
    // The notify socket does not exist: the log reports this once.
    let mut command = mirror();
    command.env("NOTIFY_SOCKET", notify).env("WATCHDOG_USEC", "30000");
    (Program::listen(&mut command), directory)
}

fn a_socket_that_is_removed_meanwhile(_: Transport) {
    let (mut program, _directory) = attentive();
    fs::remove_file(program.socket()).expect("the file exists");
    let line = program.wait_for_log("was removed or replaced");
    assert!(line.contains("restart the daemon"), "{line}");
    assert!(line.contains(&program.socket().display().to_string()), "{line}");
    program.signal("TERM");
    let rest = program.rest_of_log();
    assert!(!rest.iter().any(|line| line.contains("was removed or replaced")), "{rest:?}");
    assert_eq!(program.wait().code(), Some(0));
}

fn a_socket_that_is_replaced_meanwhile(_: Transport) {
    let (mut program, _directory) = attentive();
    let mut before = program.connect();
    let path = program.socket().to_owned();
    let other = path.with_extension("other");
    let _other = UnixListener::bind(&other).expect("the path is free");
    fs::rename(&other, &path).expect("the directory is ours");
    program.wait_for_log("was removed or replaced");
    // Earlier connections are still served.
    crate::subject::init(&mut before, &[]);
    drop(before);
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
    assert!(path.exists(), "the daemon has removed the socket of another");
}

fn a_group_that_is_none(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    let mut command = mirror();
    command.args(["--socket-group", "4294967295"]);
    refused(&mut command, &path, &["--socket-group", "stands for no group"], 2);
}

fn a_group_of_others(_: Transport) {
    if !can_run_as_stranger("a_group_of_others") {
        return;
    }
    let directory = directory();
    chown(directory.path(), Some(stranger()), Some(stranger())).expect("we are root");
    let mut command = mirror();
    command.uid(stranger()).gid(stranger()).args(["--socket-group", "1"]);
    let with = "it cannot be given to group 1: Operation not permitted (os error 1); only root and members";
    refused(&mut command, &directory.path().join("udf.sock"), &[with], 1);
}

fn a_user_who_is_none(_: Transport) {
    let directory = directory();
    let path = directory.path().join("udf.sock");
    for (user, with) in
        [("4294967295", "this id stands for no user"), ("root", "must be the numeric id of a user")]
    {
        refused(mirror().args(["--allow-uid", user]), &path, &["--allow-uid", with], 2);
    }
}

fn a_user_who_stands_for_others(_: Transport) {
    let overflow =
        fs::read_to_string("/proc/sys/kernel/overflowuid").expect("the file can be read");
    let overflow = overflow.trim();
    let directory = directory();
    let path = directory.path().join("udf.sock");
    let namespace = ["--user", "--map-root-user"];
    let possible = Command::new("unshare").args(namespace).arg("true").output();
    if !possible.as_ref().is_ok_and(|output| output.status.success()) {
        return eprintln!("SKIPPED: no user namespace can be made here: {possible:?}");
    }
    let inside = || {
        let mut command = Command::new("unshare");
        command.args(namespace).arg(example("mirror"));
        command
    };
    let with = ["--allow-uid", "unmapped users of this user namespace"];
    refused(inside().args(["--allow-uid", overflow]), &path, &with, 2);
    // A mapped user has a unique id.
    serves(&Program::listen_at(&path, inside().args(["--allow-uid", "0"])));
    let map = fs::read_to_string("/proc/self/uid_map").expect("the file can be read");
    if map.split_whitespace().last() == Some("4294967295") {
        let mut program = Program::listen(mirror().args(["--allow-uid", overflow]));
        program.signal("TERM");
        assert_eq!(program.wait().code(), Some(0));
    }
}
