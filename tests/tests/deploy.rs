//! The files of `docs/deploy`: the documents show them as they are, systemd accepts its own, their
//! limits suffice, and the alert rules name metrics that exist.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use udf_cli::create::{Dependency, Name, NewCrate};
use udf_proto::EdgeType;
use udf_runtime::Limits;
use udf_tests::metrics;
use udf_tests::program::{Program, example};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

fn operations() -> String {
    fs::read_to_string(docs().join("operations.md")).expect("the file can be read")
}

/// The most KiB of memory that a connection may take beside `--buffer-limit` and the state of its
/// UDF. This constant decides the limits of the documents.
const CONNECTION: u64 = 256 + 1024 + 1024;

/// The memory of a daemon without connections, and what the allocator may keep, in MiB.
const BASE: u64 = 64;

/// The limits of a daemon with this many connections.
struct Sizing {
    connections: u64,
    /// In MiB, as the next one.
    buffer: u64,
    memory: u64,
    tasks: u64,
    descriptors: u64,
}

impl Sizing {
    fn of(connections: u64) -> Self {
        let buffer = Limits::default().buffer as u64 >> 20;
        let memory = (BASE + 2 * buffer + connections * CONNECTION / 1024).next_multiple_of(128);
        // A connection has a thread of its own, and one for its ticks. Beside the threads of the
        // daemon itself, there is room for some of the UDF.
        let tasks = 2 * connections + 100;
        // Scrapers and refused connections have up to 64 each.
        let descriptors = connections + 256;
        Sizing { connections, buffer, memory, tasks, descriptors }
    }
}

const BEGIN: &str = "<!-- The table of limits; the test `deploy` renews it. -->\n";
const END: &str = "<!-- The end of the table. -->\n";

/// The document with its table of limits renewed.
fn with_limits(text: &str) -> String {
    let (before, rest) = text.split_once(BEGIN).expect("the document marks the begin of the table");
    let (_, after) = rest.split_once(END).expect("the document marks the end of the table");
    let mut table = String::from(
        "\n| `--max-connections` | `--buffer-limit` | `MemoryMax=` | `TasksMax=` | `LimitNOFILE=` |\n\
         | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for connections in [10, 100, 1000] {
        let Sizing { buffer, memory, tasks, descriptors, .. } = Sizing::of(connections);
        let _ = writeln!(
            table,
            "| {connections} | {} | {memory}M | {tasks} | {descriptors} |",
            buffer << 20
        );
    }
    let (mebi, kibi) = (CONNECTION / 1024, CONNECTION % 1024 * 100 / 1024);
    let _ = write!(
        table,
        "\n`MemoryMax=` is {BASE} MiB, twice `--buffer-limit`, and {mebi}.{kibi:02} MiB for each connection, rounded up to a \
         multiple\nof 128 MiB. **Add the state of your UDF** for all tasks together.\n\n"
    );
    format!("{before}{BEGIN}{table}{END}{after}")
}

#[test]
fn the_files_have_the_limits_of_the_document() {
    let Sizing { connections, memory, tasks, descriptors, .. } = Sizing::of(1000);
    for (name, limits) in [
        (
            "moving_avg.service",
            [
                format!("MemoryMax={memory}M\n"),
                format!("TasksMax={tasks}\n"),
                format!("LimitNOFILE={descriptors}\n"),
            ],
        ),
        (
            "compose.yaml",
            [
                format!("mem_limit: {memory}m\n"),
                format!("pids_limit: {tasks}\n"),
                format!("nofile: {descriptors} "),
            ],
        ),
        (
            "kubernetes.yaml",
            // Kubernetes has neither of the others.
            [format!("memory: {memory}Mi"), String::new(), String::new()],
        ),
    ] {
        let text =
            fs::read_to_string(docs().join("deploy").join(name)).expect("the file can be read");
        let count = text.replace(['"', ','], "");
        assert!(count.contains(&format!("--max-connections {connections}")), "{name}: {text}");
        for limit in limits {
            assert!(text.contains(&limit), "{name} does not have `{limit}`:\n{text}");
        }
    }
}

/// A daemon with ten connections, and with the limits of the document for them.
#[test]
fn the_limits_of_descriptors_and_threads_suffice() {
    let Sizing { connections, tasks, descriptors, .. } = Sizing::of(10);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("udf.sock");
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={descriptors}")).arg(example("mirror"));
    command.args(["--metrics", "0", "--max-connections", &connections.to_string(), "--socket"]);
    let program = Program::spawn(command.arg(&path).stdin(Stdio::null())).at(&path);
    let address = program.metrics();
    program.wait_for_log("listens on");
    let open: Vec<_> = (0..connections)
        .map(|_| {
            let mut connection = program.connect();
            connection.init(&[]);
            connection
        })
        .collect();
    let scrapers: Vec<_> = (0..100).map(|_| metrics::connect(address)).collect();
    let refused: Vec<_> = (0..100).map(|_| program.connect()).collect();
    // Each is told of the limit of connections, and of no other.
    for connection in &refused {
        let answer = format!("{:?}", connection.answer());
        assert!(answer.contains("raise --max-connections"), "{answer}");
    }
    let threads = udf_tests::process::threads(program.pid()).len() as u64;
    assert!(threads < tasks - connections, "{threads} threads");
    drop((open, scrapers, refused));
}

/// What the daemon of a supervised UDF serves at `--metrics`, with one open connection.
fn scrape() -> String {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("udf.sock");
    let mut command = Command::new(example("mirror"));
    command.args(["--supervise", "--metrics", "0", "--socket"]).arg(&path).stdin(Stdio::null());
    let program = Program::spawn(&mut command).at(&path);
    let address = program.metrics();
    program.wait_for_log("listens on");
    let mut connection = program.connect();
    connection.init(&[]);
    metrics::scrape(address)
}

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|char: char| !char.is_ascii_lowercase() && char != '_');
    words.filter(|word| word.starts_with("udf_") && *word != "udf_runtime").collect()
}

#[test]
fn the_documents_and_the_alerts_name_the_metrics_that_there_are() {
    let said = scrape();
    let served: BTreeSet<_> =
        said.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(served.len() > 10, "{said}");
    let document = operations();
    assert_eq!(names(&document), served);
    let alerts =
        fs::read_to_string(docs().join("deploy/alerts.yaml")).expect("the file can be read");
    let unknown: Vec<_> = names(&alerts).difference(&served).copied().collect();
    assert!(unknown.is_empty(), "there are no metrics {unknown:?}");
    // Each alert has what it needs, and labels that its metric has.
    let rules: Vec<_> = alerts.split("- alert: ").skip(1).collect();
    assert!(rules.len() > 5);
    for rule in rules {
        for part in ["expr: ", "severity: ", "summary: \""] {
            assert_eq!(rule.matches(part).count(), 1, "`{part}` in {rule}");
        }
        let labels = rule.split("$labels.").skip(1).filter_map(|rest| rest.split(' ').next());
        for label in labels.filter(|label| *label != "instance") {
            let has_label = |line: &str| {
                names(rule).iter().any(|name| line.starts_with(&format!("{name}{{")))
                    && line.contains(&format!("{label}=\""))
            };
            assert!(said.lines().any(has_label), "no metric has the label {label}: {rule}");
        }
    }
    for reason in said.split("reason=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.contains(&format!("`{reason}`")), "the reason {reason} is not there");
    }
}

/// The document with each block behind a link to a file, and a colon, replaced by that file.
fn with_files(text: &str) -> String {
    let mut lines = text.lines();
    let (mut made, mut named) = (String::new(), None);
    while let Some(line) = lines.next() {
        made += line;
        made.push('\n');
        if let Some(name) = named.take_if(|_| line.starts_with("```")) {
            let file = fs::read_to_string(docs().join("deploy").join(name));
            made += &file.unwrap_or_else(|error| panic!("{name}: {error}"));
            let end = lines.by_ref().find(|line| line.starts_with("```"));
            made += end.expect("the block ends");
            made.push('\n');
        }
        let link = line.strip_suffix(':').and_then(|line| line.split_once("](deploy/"));
        named = link.and_then(|(_, rest)| rest.split(')').next()).or(named);
    }
    made
}

#[test]
fn the_documents_show_the_files_as_they_are() {
    let path = docs().join("operations.md");
    let found = fs::read_to_string(&path).expect("the file can be read");
    let current = with_limits(&with_files(&found));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &current).expect("it is writable");
    } else {
        assert!(
            found == current,
            "docs/operations.md does not show the files of docs/deploy, or its limits; renew it with\n  \
             UPDATE=1 cargo test -p udf-tests --test deploy"
        );
    }
}

/// The unit and the Dockerfile are those of a new crate. But the Dockerfile builds an example of
/// the workspace.
#[test]
fn the_unit_and_the_image_are_those_of_a_new_crate() {
    let new = NewCrate {
        name: Name::new("moving_avg").expect("it is valid"),
        wants: EdgeType::Stream,
        provides: EdgeType::Stream,
        dependency: Dependency::Registry,
    };
    let of_example = |text: &str| {
        text.replace("build --release --locked", "build --release --locked --example moving_avg")
            .replace("/src/target/release/", "/src/target/release/examples/")
    };
    for (name, text) in new.files() {
        let current = match &*name {
            "Dockerfile" => of_example(&text),
            "moving_avg.service" => text,
            _ => continue,
        };
        let path = docs().join("deploy").join(&name);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &current).expect("it is writable");
        } else {
            assert!(
                fs::read_to_string(&path).expect("it is there") == current,
                "docs/deploy/{name} differs from the template of udf-cli; renew it with\n  \
                 UPDATE=1 cargo test -p udf-tests --test deploy"
            );
        }
    }
}

/// The version of systemd for which the units and their rating were written.
const VERSION: &str = "systemd 252";

/// Runs `systemd-analyze` on the units with an existing program. Returns none if this version of
/// systemd is not installed.
fn analyze(args: &[&str]) -> Option<Output> {
    let version = Command::new("systemd-analyze").arg("--version").output();
    if !version.as_ref().is_ok_and(|output| output.stdout.starts_with(VERSION.as_bytes())) {
        eprintln!("SKIPPED: there is no {VERSION} here: {version:?}");
        return None;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    for name in ["moving_avg.service", "moving_avg.socket"] {
        let text =
            fs::read_to_string(docs().join("deploy").join(name)).expect("the file can be read");
        let program = example("moving_avg").display().to_string();
        let text = text.replace("/usr/local/bin/moving_avg", &program);
        fs::write(directory.path().join(name), text).expect("it is ours");
    }
    let mut command = Command::new("systemd-analyze");
    Some(command.args(args).current_dir(directory.path()).output().expect("the command runs"))
}

#[test]
fn systemd_accepts_the_units() {
    for unit in ["moving_avg.service", "moving_avg.socket"] {
        let Some(output) = analyze(&["verify", "--man=no", unit]) else { return };
        let text = String::from_utf8_lossy(&output.stderr);
        // systemd-analyze checks all units that these need, including units of the machine.
        let ours: Vec<_> = text.lines().filter(|line| line.contains("moving_avg")).collect();
        assert!(ours.is_empty(), "{text}");
    }
}

#[test]
fn the_unit_is_as_little_exposed_as_the_document_says() {
    let document = operations().split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, rest) =
        document.split_once("rates the exposure of this unit at ").expect("the document states it");
    let (score, _) = rest.split_once(" of 10").expect("the document states it");
    let threshold = score.replace('.', "");
    let args = ["security", "--offline=true", "--no-pager", "--threshold", &threshold];
    let Some(output) = analyze(&[&args[..], &["moving_avg.service"]].concat()) else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains(&format!("moving_avg.service: {score} ")), "{text}");
}
