//! `udf new`: each crate that it creates builds without warnings, passes its tests, and does what
//! its README shows. The quickstart is such a crate.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use udf_cli::create::{Dependency, Name, NewCrate};
use udf_proto::EdgeType;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in a folder")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("the output is UTF-8")
}

fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().expect("it runs")
}

/// Runs `udf new` in a directory. Returns the exit status, stdout and stderr.
fn new(directory: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_udf_command"));
    let output = output(command.arg("new").args(args).current_dir(directory));
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

fn listed(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("it is a directory");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("it is listed").file_name().into_string().expect("it is UTF-8")
    };
    entries.map(name).collect()
}

#[test]
fn the_quickstart_is_a_new_crate() {
    let new = NewCrate {
        name: Name::new("quickstart").expect("it is valid"),
        wants: EdgeType::Stream,
        provides: EdgeType::Stream,
        dependency: Dependency::Path("../../udf-runtime".to_owned()),
    };
    let folder = root().join("examples/quickstart");
    let mut names = BTreeSet::new();
    for (path, current) in new.files() {
        names.insert(path.split('/').next().unwrap_or_default().to_owned());
        let file = folder.join(&path);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &current).expect("it is writable");
        } else {
            assert!(
                fs::read_to_string(&file).unwrap_or_default() == current,
                "examples/quickstart/{path} differs from the templates of udf-cli; renew it with\n  \
                 UPDATE=1 cargo test -p udf-tests --test new quickstart"
            );
        }
    }
    // cargo creates the lock, and perhaps a target, when somebody tries the quickstart.
    let left: Vec<_> = listed(&folder)
        .into_iter()
        .filter(|name| name != "Cargo.lock" && name != "target")
        .collect();
    assert_eq!(left, Vec::from_iter(names));
}

#[test]
fn a_new_crate_lists_its_files_and_the_next_steps() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (status, stdout, stderr) = new(directory.path(), &["free-space"]);
    assert_eq!(status, 0, "{stderr}");
    assert_eq!(
        stdout,
        "free-space reads a stream and sends a stream. Created:
  free-space/.dockerignore
  free-space/.gitignore
  free-space/Cargo.toml
  free-space/Dockerfile
  free-space/README.md
  free-space/free-space.service
  free-space/sample.lp
  free-space/src/main.rs

Next:
  cd free-space && cargo test
  cargo run -- replay sample.lp -o field=used --group-by host
"
    );
    let note = "note: the UDF reads a stream and sends a stream; \
                use --wants and --provides for other edges\n";
    assert_eq!(stderr, note);
    let (_, _, stderr) =
        new(directory.path(), &["other", "--wants", "batch", "--provides", "batch"]);
    assert_eq!(stderr, "", "nothing was left open");

    let read = |file: &str| {
        fs::read_to_string(directory.path().join("free-space").join(file)).expect("it is there")
    };
    let manifest = read("Cargo.toml");
    let version = env!("CARGO_PKG_VERSION");
    assert!(manifest.contains(&format!("kapacitor-udf-runtime = \"{version}\"\n")), "{manifest}");
    assert!(read("src/main.rs").contains("struct FreeSpace {"));
    for (file, part) in [
        ("README.md", "[udf.functions.free_space]\n  prog = \"/usr/local/bin/free-space\""),
        ("README.md", "    @free_space()\n"),
        (
            "free-space.service",
            "ExecStart=/usr/local/bin/free-space \\\n    --socket /run/udfs/free_space.sock",
        ),
        ("Dockerfile", "COPY --from=build /src/target/release/free-space /usr/local/bin/"),
    ] {
        assert!(read(file).contains(part), "{file}: {}", read(file));
    }
    for line in stdout.lines().filter_map(|line| line.strip_prefix("  free-space/")) {
        assert!(!read(line).contains("{{"), "a place in {line} is not filled");
    }
}

/// The guide shows the report.
#[test]
fn the_guide_shows_what_new_prints() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::os::unix::fs::symlink(root(), directory.path().join("kit")).expect("it is ours");
    let (_, stdout, _) = new(directory.path(), &["my_udf", "--path", "kit"]);
    let guide = fs::read_to_string(root().join("docs/authoring.md")).expect("it is there");
    let shown = format!("$ udf new my_udf --path kit\n{stdout}```\n");
    assert!(guide.contains(&shown), "the guide does not show:\n{shown}");
}

#[test]
fn a_crate_that_cannot_be_created_leaves_nothing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path();
    fs::create_dir(path.join("used")).expect("it is ours");
    fs::write(path.join("used/notes"), "").expect("it is ours");
    for (args, expected_status, expected) in [
        (
            &["used"][..],
            1,
            "`used` exists already and is not an empty directory; choose another name, or remove it",
        ),
        (&["used/notes"], 1, "`used/notes` exists already"),
        (&["no/such"], 1, "there is no directory `no`; create it first"),
        (&["MovingAvg"], 2, "and begins with a letter; did you mean `moving_avg`?"),
        (&["fn"], 2, "Rust or cargo needs this name for something else; did you mean `fn_udf`?"),
        (&["new", "--path", "used"], 2, "`used` is neither a clone of the kit nor the folder of "),
        (&["new", "--wants", "points"], 2, "[possible values: stream, batch]"),
        (&[], 2, "<NAME>"),
    ] {
        let (status, stdout, stderr) = new(path, args);
        assert_eq!((status, &*stdout), (expected_status, ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(expected), "{args:?}: {stderr}");
    }
    assert_eq!(listed(path), BTreeSet::from(["used".to_owned()]));
    assert_eq!(listed(&path.join("used")), BTreeSet::from(["notes".to_owned()]));
}

/// A new crate in the target directory: a fixed path, so that the target does not grow with each
/// run.
struct Built {
    folder: PathBuf,
    target: PathBuf,
    name: String,
}

impl Built {
    fn create(wants: &str, provides: &str) -> Self {
        let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let parent = temporary.join("new");
        let name = format!("{wants}-to-{provides}");
        let folder = parent.join(&name);
        fs::create_dir_all(&parent).expect("it is ours");
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("it is ours");
        }
        let kit = root().to_str().expect("a path of this machine");
        let (status, _, stderr) =
            new(&parent, &[&name, "--wants", wants, "--provides", provides, "--path", kit]);
        assert_eq!((status, &*stderr), (0, ""));
        // The versions that are built already, and no others.
        fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).expect("it is there");
        let target = temporary.parent().expect("it is in the target").to_owned();
        Built { folder, target, name }
    }

    #[track_caller]
    fn run(&self, program: &str, args: &[&str]) -> String {
        let mut command = Command::new(program);
        let output = output(
            command.args(args).current_dir(&self.folder).env("CARGO_TARGET_DIR", &self.target),
        );
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{}: {program} {args:?}:\n{stdout}{stderr}", self.name);
        stdout
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).expect("it is there")
    }
}

#[test]
fn each_new_crate_passes_its_tests_and_does_what_its_readme_shows() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    for (wants, provides) in
        [("stream", "stream"), ("stream", "batch"), ("batch", "stream"), ("batch", "batch")]
    {
        let built = Built::create(wants, provides);
        // The file of an empty configuration: that of the kit is in a folder above.
        let check = ["--check", "--edition", "2024", "--config-path", "/dev/null", "src/main.rs"];
        built.run("rustfmt", &check);
        let flags = ["--offline", "--quiet", "--all-targets", "--", "-D", "warnings"];
        built.run(&cargo, &[&["clippy"], &flags[..]].concat());
        let tested = built.run(&cargo, &["test", "--offline"]);
        assert!(tested.contains("test result: ok. 2 passed"), "{tested}");

        let readme = built.read("README.md");
        let (_, behind) = readme.split_once("$ cargo run -- ").expect("it shows a replay");
        let (arguments, behind) = behind.split_once('\n').expect("the line ends");
        let (shown, _) = behind.split_once("```").expect("the block ends");
        let program = built.target.join("debug").join(&built.name);
        let program = program.to_str().expect("a path of this machine");
        built.run(&cargo, &["build", "--offline", "--quiet"]);
        assert_eq!(built.run(program, &Vec::from_iter(arguments.split(' '))), shown);

        // The command of the last section.
        let (_, check) = readme.split_once("\nudf check ").expect("it shows a check");
        let (check, _) = check.split_once(" -- ").expect("it names a program");
        let check = [&["check"], &Vec::from_iter(check.split(' '))[..], &["--", program]].concat();
        let report = built.run(env!("CARGO_BIN_EXE_udf_command"), &check);
        assert!(report.contains(" passed, 0 warnings, 0 failed, "), "{report}");

        // The TICKscript names the UDF, and calls options that there are.
        let info = built.run(program, &["info", "--format", "json"]);
        let info: serde_json::Value = serde_json::from_str(&info).expect("valid JSON");
        let (_, script) = readme.split_once("    @").expect("it shows a TICKscript");
        let (udf, calls) = script.split_once("()\n").expect("the UDF has no arguments");
        assert_eq!(info["name"], udf);
        let options: Vec<_> = info["options"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|option| &option["name"])
            .collect();
        let calls = calls.lines().map_while(|line| line.strip_prefix("        ."));
        let calls: Vec<_> = calls.filter_map(|call| call.split('(').next()).collect();
        assert!(!calls.is_empty());
        for call in calls {
            assert!(options.iter().any(|option| *option == call), "{call}: {info}");
        }
    }
}
