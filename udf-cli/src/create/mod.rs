//! A new crate with a UDF: the files that `udf new` writes.
//!
//! ```
//! use udf_cli::create::{Dependency, Name, NewCrate};
//! use udf_proto::EdgeType;
//!
//! let name = Name::new("moving-avg")?;
//! let new = NewCrate {
//!     name,
//!     wants: EdgeType::Stream,
//!     provides: EdgeType::Stream,
//!     dependency: Dependency::Registry,
//! };
//! let files = new.files();
//! let (path, text) = &files[2];
//! assert_eq!(*path, "Cargo.toml");
//! assert!(text.contains("name = \"moving-avg\""));
//! # Ok::<(), udf_cli::create::NameError>(())
//! ```

mod name;
mod write;

use udf_proto::EdgeType;

pub use name::{Name, NameError};
pub(crate) use write::parent;
pub use write::{CreateError, check, write};

/// A crate to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCrate {
    /// The name of the package, the program and the UDF.
    pub name: Name,
    /// The edge that the UDF wants.
    pub wants: EdgeType,
    /// The edge that the UDF provides.
    pub provides: EdgeType,
    /// Where cargo finds the runtime.
    pub dependency: Dependency,
}

/// Where cargo finds the package `kapacitor-udf-runtime`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dependency {
    /// The registry, in the version of this crate.
    Registry,
    /// A folder, as a path from the new crate.
    Path(String),
}

/// The files that depend on the edges.
struct Kind {
    main: &'static str,
    /// The output of the first replay.
    output: &'static str,
    script: &'static str,
    about: &'static str,
    /// The arguments of the first replay.
    arguments: &'static str,
}

macro_rules! kind {
    ($folder:literal, $about:literal, $arguments:literal) => {
        Kind {
            main: include_str!(concat!("../../templates/", $folder, "/main.rs")),
            output: include_str!(concat!("../../templates/", $folder, "/output.lp")),
            script: include_str!(concat!("../../templates/", $folder, "/script.tick")),
            about: $about,
            arguments: $arguments,
        }
    };
}

static STREAM_STREAM: Kind = kind!(
    "stream_stream",
    "A UDF that replaces a field with its change since the last point of the same group.",
    "-o field=used --group-by host"
);
static STREAM_BATCH: Kind = kind!(
    "stream_batch",
    "A UDF that gathers the points of a stream into batches, for each group.",
    "-o field=used -o size=2 --group-by host"
);
static BATCH_STREAM: Kind = kind!(
    "batch_stream",
    "A UDF that sends the mean of each batch, as a point.",
    "-o field=used --group-by host"
);
static BATCH_BATCH: Kind = kind!(
    "batch_batch",
    "A UDF that keeps the points of each batch with the greatest values.",
    "-o field=used --group-by host"
);

impl NewCrate {
    fn kind(&self) -> &'static Kind {
        match (self.wants, self.provides) {
            (EdgeType::Stream, EdgeType::Stream) => &STREAM_STREAM,
            (EdgeType::Stream, EdgeType::Batch) => &STREAM_BATCH,
            (EdgeType::Batch, EdgeType::Stream) => &BATCH_STREAM,
            (EdgeType::Batch, EdgeType::Batch) => &BATCH_BATCH,
        }
    }

    /// Returns the arguments of `replay` that play `sample.lp` to the UDF.
    pub fn replay_arguments(&self) -> &'static str {
        self.kind().arguments
    }

    /// Returns the files, by their paths within the crate.
    pub fn files(&self) -> Vec<(String, String)> {
        let kind = self.kind();
        let name = self.name.package();
        let version = env!("CARGO_PKG_VERSION");
        let dependency = match &self.dependency {
            Dependency::Registry => format!("\"{version}\""),
            Dependency::Path(path) => {
                format!("{{ version = \"{version}\", path = {} }}", toml_text(path))
            }
        };
        let docker = match self.dependency {
            Dependency::Registry => "",
            Dependency::Path(_) => {
                "\n  The build sees only this folder: copy the kit into it first, and set its `path` in `Cargo.toml`."
            }
        };
        let filled = |text: &str| {
            // The script has a place of its own in it, so it comes first.
            [
                ("{{script}}", kind.script),
                ("{{output}}", kind.output),
                ("{{about}}", kind.about),
                ("{{arguments}}", kind.arguments),
                ("{{docker}}", docker),
                ("{{name}}", name),
                ("{{udf}}", &self.name.udf()),
                ("{{rust}}", env!("CARGO_PKG_RUST_VERSION")),
                // May contain anything, so it comes last.
                ("{{dependency}}", &dependency),
            ]
            .into_iter()
            .fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
        };
        let ignored = include_str!("../../templates/ignore");
        vec![
            (".dockerignore".to_owned(), ignored.to_owned()),
            (".gitignore".to_owned(), ignored.to_owned()),
            ("Cargo.toml".to_owned(), filled(include_str!("../../templates/manifest.toml"))),
            ("Dockerfile".to_owned(), filled(include_str!("../../templates/Dockerfile"))),
            ("README.md".to_owned(), filled(include_str!("../../templates/README.md"))),
            (format!("{name}.service"), filled(include_str!("../../templates/unit.service"))),
            ("sample.lp".to_owned(), include_str!("../../templates/sample.lp").to_owned()),
            ("src/main.rs".to_owned(), kind.main.replace(name::PLACE, &self.name.type_name())),
        ]
    }
}

/// Writes a basic string of TOML.
fn toml_text(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            char if char.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(char))),
            char => out.push(char),
        }
    }
    out.push('"');
    out
}
