//! `http_lookup` with a server that fails in all ways.

use std::sync::{Arc, Barrier, Mutex};

use udf_box::enrich::HttpLookup;
use udf_runtime::UdfHandler;
use udf_runtime::testing::{self, Setup};

use crate::server;

/// The paths that a server was asked for.
type Asked = Arc<Mutex<Vec<String>>>;

/// Starts a server that calls `before` with each path, and sets up the UDF to ask it.
fn setup(before: impl Fn(&str) + Send + Sync + 'static) -> (Setup<UdfHandler<HttpLookup>>, Asked) {
    let asked = Asked::default();
    let paths = Arc::clone(&asked);
    let address = server::start(Arc::new(move |path| {
        paths.lock().expect("it is whole").push(path.to_owned());
        before(path);
        let name = path.trim_start_matches("/h/");
        let (status, body) = match name {
            "silent" => return None,
            "unknown" => (404, String::new()),
            "gone" => (410, String::new()),
            "broken" => (500, r#"{"owner": "none"}"#.to_owned()),
            "moves" => (302, String::new()),
            "text" => (200, "no JSON".to_owned()),
            "list" => (200, "[1]".to_owned()),
            "infinite" => (200, r#"{"limit": 1e999}"#.to_owned()),
            "large" => (200, format!(r#"{{"owner": "{}"}}"#, "x".repeat(70_000))),
            "deep" => (200, "{\"a\":".repeat(10_000)),
            "odd" => (200, r#"{"": 1, "time": 2, "owner": "", "a": null, "b": {}}"#.to_owned()),
            name => (200, format!(r#"{{"owner": "{name}", "limit": 9007199254740993}}"#)),
        };
        Some((status, body))
    }));
    let url = format!("url=http://{address}/h/{{host}}");
    let setup = testing::udf::<HttpLookup>().option(url).option("asTag=owner").group_by("host");
    (setup, asked)
}

fn asked(asked: &Asked) -> Vec<String> {
    asked.lock().expect("it is whole").clone()
}

#[test]
fn answers_come_in_the_order_of_the_input() {
    // No look-up returns before all four have arrived.
    let all = Barrier::new(4);
    let (setup, _) = setup(move |_| {
        all.wait();
    });
    let mut task = setup.start();
    task.feed("m,host=d v=1 1\nm,host=c v=2 2\nm,host=b v=3 3\nm,host=a v=4 4");
    task.emits(
        "m,host=d,owner=d v=1,limit=9007199254740992 1
         m,host=c,owner=c v=2,limit=9007199254740992 2
         m,host=b,owner=b v=3,limit=9007199254740992 3
         m,host=a,owner=a v=4,limit=9007199254740992 4",
    );
}

#[test]
fn answers_and_failures_are_used_again() {
    let (setup, paths) = setup(|_| ());
    let mut task = setup.start();
    task.feed("m,host=a v=1 1\nm,host=a v=2 2\nm,host=broken v=3 3\nm,host=broken v=4 4");
    task.feed("m,host=a v=5 5\nm,host=unknown v=6 6\nm,host=unknown v=7 7");
    assert_eq!(task.output().len(), 7);
    let mut paths = asked(&paths);
    paths.sort();
    assert_eq!(paths, ["/h/a", "/h/broken", "/h/unknown"]);
}

#[test]
fn old_answers_and_failures_are_asked_for_again() {
    for (ages, expected) in [
        (["maxAge=0s", "retryAfter=1h"], ["/h/a", "/h/a", "/h/broken"]),
        (["maxAge=1h", "retryAfter=0s"], ["/h/a", "/h/broken", "/h/broken"]),
    ] {
        let (setup, paths) = setup(|_| ());
        let mut task = ages.into_iter().fold(setup, Setup::option).start();
        for host in ["a", "a", "broken", "broken"] {
            task.feed(&format!("m,host={host} v=1 1"));
        }
        assert_eq!(task.output().len(), 4);
        assert_eq!(asked(&paths), expected);
    }
}

#[test]
fn a_point_whose_look_up_fails_passes() {
    let (setup, _) = setup(|_| ());
    let mut task = setup.option("timeout=200ms").option("unmatched=drop").start();
    let failing = ["silent", "broken", "moves", "text", "list", "infinite", "large", "deep", "odd"];
    let lines: Vec<_> = failing.map(|host| format!("m,host={host} v=1 1")).into();
    task.feed(&lines.join("\n"));
    task.emits(&lines.join("\n"));
    task.feed("m,host=unknown v=1 1\nm,host=gone v=1 2\nm v=1 3\nm,host=.. v=1 4");
    task.emits_nothing();
}

#[test]
fn a_look_up_that_fails_can_fail_the_task() {
    let (setup, _) = setup(|_| ());
    let mut task = setup.option("failed=fail").option("asField=none").start();
    task.feed("m,host=b v=1 1\nm,host=unknown v=2 2\nm,host=broken v=3 3\nm,host=c v=4 4");
    assert_eq!(task.failure(), "a look-up failed: the server answers with status 500");
    task.emits("m,host=b,owner=b v=1 1\nm,host=unknown v=2 2");
}
