//! State that no snapshot has, and checkpoints that survive the front.

use std::fs;
use std::path::Path;

use udf_proto::messages::RestoreRequest;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_tests::cases::{BOTH, SOCKET};
use udf_tests::program::{Transport, frame};

use crate::cases;
use crate::front::{Front, Mark, has_python, kill, plain, wait_until};
use crate::kapacitor::decode;
use crate::plan::{assert_same, direct, init_of, points, snapshot};

cases! {
    a_udf_without_snapshots, BOTH, "A UDF that answers snapshots with nothing loses its state with a crash: it goes on from the input since the last snapshot, and the log says so once.";
    a_udf_without_snapshots_and_a_window, BOTH, "With `--replay`, the input before the snapshot is replayed as well, so that the state is as it was.";
    a_state_that_survives_the_front, BOTH, "With `--state-dir`, a front that was killed goes on from its last checkpoint if Kapacitor restores nothing.";
    a_state_and_points_at_once, BOTH, "The same holds if Init and points arrive at once.";
    a_kill_after_a_state_was_restored, BOTH, "A worker that is killed before the next checkpoint is replaced, and gets the saved checkpoint again.";
    a_state_of_kapacitor_that_is_the_same, BOTH, "If Kapacitor restores its last snapshot, the later checkpoint of the front wins.";
    a_state_of_kapacitor_that_is_another, BOTH, "If Kapacitor restores another snapshot, Kapacitor's wins.";
    a_state_of_another_task, BOTH, "A checkpoint of another node is not used.";
    a_state_of_garbage, BOTH, "A file that is no checkpoint, or a part of one, is reported and not used.";
    a_state_in_use, SOCKET, "A second connection of the same task and node does not use the checkpoint; the log reports it.";
    a_state_without_a_directory, BOTH, "Without `--state-dir`, nothing survives the front.";
}

fn init() -> Vec<u8> {
    frame(init_of(&plain(&[])))
}

/// Kills a worker without snapshots. Returns the last ten answers, and the log.
fn after_a_kill(on: Transport, flags: &[&str]) -> Option<(Vec<Vec<u8>>, Vec<String>)> {
    if !has_python() {
        return None;
    }
    let udf = plain(&["--forget"]);
    let mut front = Front::start(&udf, on, &[&["--restarts", "9"], flags].concat());
    let pieces = [init(), points(0..10), snapshot(), points(10..20), snapshot(), points(20..30)];
    front.kapacitor.send(&pieces.concat());
    front.kapacitor.take(33);
    kill(front.worker());
    front.kapacitor.send(&points(30..35));
    let mut last = front.kapacitor.take(5);
    kill(front.worker());
    front.kapacitor.send(&points(35..40));
    last.extend(front.kapacitor.take(5));
    front.kapacitor.end_input();
    front.kapacitor.rest();
    Some((last, front.ends(0)))
}

fn a_udf_without_snapshots(on: Transport) {
    if let Some((last, log)) = after_a_kill(on, &[]) {
        let expected = direct(&plain(&[]), &[init(), points(20..40)].concat());
        assert_same(&last, &expected[11..21]);
        let said = log.iter().filter(|line| line.contains("snapshot")).count();
        assert_eq!(said, 1, "{log:#?}");
    }
}

fn a_udf_without_snapshots_and_a_window(on: Transport) {
    if let Some((last, _)) = after_a_kill(on, &["--replay", "1048576"]) {
        let expected = direct(&plain(&[]), &[init(), points(0..40)].concat());
        assert_same(&last, &expected[31..41]);
    }
}

/// Returns the state of the UDF after the first `count` points.
fn state_after(count: i64) -> Vec<u8> {
    let answers = direct(&plain(&[]), &[init(), points(0..count), snapshot()].concat());
    match decode(&answers[count as usize + 1]) {
        Answer::Snapshot(snapshot) => snapshot.snapshot,
        other => panic!("not a snapshot: {other:?}"),
    }
}

fn contains(directory: &Path, state: &[u8]) -> bool {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    // Not the temporary file, which takes the place of the checkpoint later.
    files
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "state"))
        .filter_map(|file| fs::read(file.path()).ok())
        .any(|bytes| bytes.windows(state.len()).any(|window| window == state))
}

/// A directory of checkpoints, and the flags of a front with it.
struct Kept(Mark);

impl Kept {
    fn new() -> Self {
        Kept(Mark::new())
    }

    fn start(&self, on: Transport) -> Front {
        let flags = ["--state-dir", self.0.path(), "--checkpoint-every", "10ms"];
        Front::start(&plain(&[]), on, &flags)
    }

    /// Plays the first points, with a snapshot for Kapacitor after 50 of them, and kills the front
    /// after its checkpoint of all. Returns the snapshot.
    fn fill(&self, on: Transport, snapshots: bool) -> Vec<u8> {
        let mut front = self.start(on);
        front.kapacitor.send(&[init(), points(0..50)].concat());
        front.kapacitor.take(51);
        let mut taken = Vec::new();
        if snapshots {
            front.kapacitor.send(&snapshot());
            let Answer::Snapshot(snapshot) = front.kapacitor.answer() else { panic!("another") };
            taken = snapshot.snapshot;
        }
        front.kapacitor.send(&points(50..100));
        front.kapacitor.take(50);
        let state = state_after(100);
        wait_until("the checkpoint is in its file", || contains(Path::new(self.0.path()), &state));
        kill(front.pid());
        taken
    }
}

fn restore(snapshot: &[u8]) -> Vec<u8> {
    frame(Ask::Restore(RestoreRequest { snapshot: snapshot.to_vec() }))
}

fn a_state_that_survives_the_front(on: Transport) {
    if !has_python() {
        return;
    }
    let kept = Kept::new();
    kept.fill(on, false);
    let mut front = kept.start(on);
    front.kapacitor.send(&init());
    front.kapacitor.take(1);
    front.kapacitor.send(&points(100..200));
    let found = front.finish();
    let expected = direct(&plain(&[]), &[init(), points(0..200)].concat());
    assert_same(&found, &expected[101..]);
}

fn a_state_and_points_at_once(on: Transport) {
    if !has_python() {
        return;
    }
    let kept = Kept::new();
    kept.fill(on, false);
    let mut front = kept.start(on);
    front.kapacitor.send(&[init(), points(100..200)].concat());
    let found = front.finish();
    let expected = direct(&plain(&[]), &[init(), points(0..200)].concat());
    assert_same(&found[1..], &expected[101..]);
}

fn a_kill_after_a_state_was_restored(on: Transport) {
    if !has_python() {
        return;
    }
    let kept = Kept::new();
    kept.fill(on, false);
    let flags = ["--state-dir", kept.0.path(), "--checkpoint-every", "1h"];
    let mut front = Front::start(&plain(&[]), on, &flags);
    front.kapacitor.send(&init());
    let mut found = front.kapacitor.take(1);
    front.kapacitor.send(&points(100..150));
    found.extend(front.kapacitor.take(50));
    kill(front.worker());
    front.kapacitor.send(&[points(150..180), snapshot(), points(180..200)].concat());
    front.kapacitor.end_input();
    found.extend(front.kapacitor.rest());
    let expected =
        direct(&plain(&[]), &[init(), points(0..180), snapshot(), points(180..200)].concat());
    assert_same(&found[1..], &expected[101..]);
    let log = front.ends(0).join("\n");
    assert!(log.contains("took over") && !log.contains("did not get"), "{log}");
    assert_eq!(log.matches(" died ").count(), 1, "{log}");
}

fn a_state_of_kapacitor_that_is_the_same(on: Transport) {
    if !has_python() {
        return;
    }
    let kept = Kept::new();
    let taken = kept.fill(on, true);
    let mut front = kept.start(on);
    front.kapacitor.send(&init());
    front.kapacitor.take(1);
    front.kapacitor.send(&[restore(&taken), points(100..200)].concat());
    let found = front.finish();
    let expected = direct(&plain(&[]), &[init(), points(0..200)].concat());
    assert_same(&found[1..], &expected[101..]);
}

fn a_state_of_kapacitor_that_is_another(on: Transport) {
    if !has_python() {
        return;
    }
    let other = state_after(20);
    for snapshots in [false, true] {
        let kept = Kept::new();
        kept.fill(on, snapshots);
        let mut front = kept.start(on);
        front.kapacitor.send(&[init(), restore(&other), points(20..60)].concat());
        let found = front.finish();
        let expected = direct(&plain(&[]), &[init(), points(0..60)].concat());
        assert_same(&found[2..], &expected[21..]);
    }
}

fn fresh(kept: &Kept, on: Transport, init: &[u8]) {
    let mut front = kept.start(on);
    front.kapacitor.send(&[init, &points(0..20)].concat());
    let found = front.finish();
    assert_same(&found, &direct(&plain(&[]), &[init, &points(0..20)].concat()));
}

fn a_state_of_another_task(on: Transport) {
    if !has_python() {
        return;
    }
    let kept = Kept::new();
    kept.fill(on, false);
    let Ask::Init(mut other) = init_of(&plain(&[])) else { panic!("an Init") };
    other.node_id = "another".into();
    fresh(&kept, on, &frame(Ask::Init(other)));
}

fn a_state_of_garbage(on: Transport) {
    if !has_python() {
        return;
    }
    for cut in [true, false] {
        let kept = Kept::new();
        kept.fill(on, false);
        let files = fs::read_dir(kept.0.path()).expect("the directory is there").flatten();
        for file in files.filter(|file| file.path().is_file()) {
            let mut bytes = fs::read(file.path()).expect("the file is there");
            let half = bytes.len() / 2;
            if cut {
                bytes.truncate(half);
            } else if let Some(byte) = bytes.get_mut(half) {
                *byte ^= 4;
            }
            fs::write(file.path(), bytes).expect("the file is writable");
        }
        fresh(&kept, on, &init());
    }
}

fn a_state_in_use(on: Transport) {
    if !has_python() {
        return;
    }
    let kept = Kept::new();
    kept.fill(on, false);
    let mut front = kept.start(on);
    front.kapacitor.send(&init());
    front.kapacitor.take(1);
    front.kapacitor.send(&points(100..110));
    let found = front.kapacitor.take(10);
    let mut other = front.connect();
    other.send(&[init(), points(0..10)].concat());
    let fresh = direct(&plain(&[]), &[init(), points(0..10)].concat());
    assert_same(&other.take(11), &fresh[..11]);
    other.end_input();
    other.rest();
    let whole = direct(&plain(&[]), &[init(), points(0..110)].concat());
    assert_same(&found, &whole[101..111]);
    front.program.wait_for_log("the same task and node");
    front.finish();
}

fn a_state_without_a_directory(on: Transport) {
    if !has_python() {
        return;
    }
    let udf = plain(&[]);
    for _ in 0..2 {
        let mut front = Front::start(&udf, on, &["--checkpoint-bytes", "1024"]);
        let requests = [init(), points(0..20)].concat();
        front.kapacitor.send(&requests);
        assert_same(&front.kapacitor.take(21), &direct(&udf, &requests)[..21]);
        kill(front.pid());
    }
}
