//! The rules of ARCHITECTURE.md: where things are, and which file may import which.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

/// The packages with a library or a program, and what each may name of the others.
const PACKAGES: [(&str, &[&str]); 10] = [
    ("proto", &[]),
    ("udf-text", &["udf_proto"]),
    ("udf-macros", &[]),
    ("udf-runtime", &["udf_proto", "udf_text", "udf_macros", "udf_host", "udf_play"]),
    ("udf-plot", &["udf_proto", "udf_text"]),
    ("udf-host", &["udf_proto", "udf_text", "udf_plot"]),
    ("udf-play", &["udf_proto", "udf_text", "udf_plot", "udf_host"]),
    ("udf-nats", &["udf_proto", "udf_text", "udf_host"]),
    ("udf-box", &["udf_runtime"]),
    (
        "udf-cli",
        &["udf_proto", "udf_text", "udf_plot", "udf_play", "udf_host", "udf_nats", "udf_runtime"],
    ),
];

/// The rooms of `udf-runtime`: the other rooms, and the package, that each may name.
const ROOMS: [(&str, &[&str]); 6] = [
    ("agent", &[]),
    ("server", &["agent"]),
    ("udf", &["agent"]),
    ("supervise", &["agent", "udf_host"]),
    ("homes", &["agent", "server", "udf", "supervise", "udf_host", "udf_play"]),
    ("testing", &["agent", "udf", "homes", "udf_host"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A module that is a file, by the names that lead to it from `lib.rs`.
type Module = Vec<String>;

fn shown(module: &[String]) -> String {
    if module.is_empty() { "lib.rs".to_owned() } else { module.join("::") }
}

/// The paths that each file of a package names, by its module.
fn modules(package: &str) -> BTreeMap<Module, Vec<Vec<String>>> {
    let src = root().join(package).join("src");
    let mut found = BTreeMap::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&src).expect("it is below").with_extension("");
                let names = relative.iter().map(|name| name.to_string_lossy().into_owned());
                let mut module: Module = names.collect();
                module.pop_if(|name| ["mod", "lib"].contains(&name.as_str()));
                let text = fs::read_to_string(&path).expect("the file can be read");
                let tokens = text.parse().unwrap_or_else(|error| panic!("{path:?}: {error}"));
                let mut paths = Vec::new();
                collect(tokens, &[], &mut paths);
                found.insert(module, paths);
            }
        }
    }
    found
}

/// Adds the paths of two names or more, those of a `use` with braces one by one. Unit tests are
/// left out.
fn collect(tokens: TokenStream, before: &[String], paths: &mut Vec<Vec<String>>) {
    let mut path = before.to_vec();
    let mut colons = if before.is_empty() { 0 } else { 2 };
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Ident(ident) if colons == 2 => {
                path.push(ident.to_string());
                colons = 0;
            }
            TokenTree::Group(group) if colons == 2 => {
                collect(group.stream(), &path, paths);
                colons = 0;
            }
            other => {
                let is_test = path.last().is_some_and(|name| name == "tests");
                if path.len() > 1 {
                    paths.push(path);
                }
                path = before.to_vec();
                colons = if before.is_empty() { 0 } else { 2 };
                match other {
                    TokenTree::Ident(ident) => {
                        path = [before, &[ident.to_string()]].concat();
                        colons = 0;
                    }
                    TokenTree::Group(group) if !is_test => collect(group.stream(), &[], paths),
                    _ => {}
                }
            }
        }
    }
    if path.len() > 1 && path.len() > before.len() {
        paths.push(path);
    }
}

/// The module that a path in `module` leads to, if it is one of the same package.
fn target<T>(module: &Module, path: &[String], modules: &BTreeMap<Module, T>) -> Option<Module> {
    let supers = path.iter().take_while(|name| *name == "super").count();
    let (start, rest) = match path[0].as_str() {
        "crate" => (&[][..], &path[1..]),
        "self" => (&module[..], &path[1..]),
        "super" => (&module[..module.len() - supers], &path[supers..]),
        child => {
            modules.get(&[&module[..], &[child.to_owned()]].concat())?;
            (&module[..], path)
        }
    };
    let mut found = start.to_vec();
    for name in rest {
        found.push(name.clone());
        if !modules.contains_key(&found) {
            found.pop();
            break;
        }
    }
    Some(found)
}

/// For each module, those that it imports from. A folder's `mod.rs` and the files in the folder
/// count as one: imports between them are left out.
fn imports(modules: &BTreeMap<Module, Vec<Vec<String>>>) -> BTreeMap<&Module, BTreeSet<Module>> {
    let of = |(module, paths): (_, &Vec<Vec<String>>)| {
        let targets = paths.iter().filter_map(|path| target(module, path, modules));
        let others = targets.filter(|target| {
            target.is_empty() || !(target.starts_with(module) || module.starts_with(target))
        });
        (module, others.filter(|target| target != module).collect())
    };
    modules.iter().map(of).collect()
}

/// Removes the modules that import from none that is left, again and again; a circle stays.
fn circles(imports: &BTreeMap<&Module, BTreeSet<Module>>) -> Vec<String> {
    let mut left: BTreeSet<&Module> = imports.keys().copied().collect();
    loop {
        let is_leaf = |module: &&Module| !imports[*module].iter().any(|to| left.contains(to));
        let leaves: Vec<_> = left.iter().copied().filter(is_leaf).collect();
        if leaves.is_empty() {
            break;
        }
        left.retain(|module| !leaves.contains(module));
    }
    left.iter().map(|module| shown(module)).collect()
}

#[test]
fn no_two_files_import_each_other() {
    for (package, _) in PACKAGES {
        let modules = modules(package);
        let imports = imports(&modules);
        let left = circles(&imports);
        assert!(left.is_empty(), "{package}: these import each other, or one that does: {left:?}");
    }
}

#[test]
fn nothing_in_the_runtime_imports_from_its_lib() {
    let modules = modules("udf-runtime");
    let imports = imports(&modules);
    let lazy = imports.iter().filter(|(module, to)| !module.is_empty() && to.contains(&Vec::new()));
    let lazy: Vec<_> = lazy.map(|(module, _)| shown(module)).collect();
    assert!(lazy.is_empty(), "they import what `lib.rs` names, not the module: {lazy:?}");
}

#[test]
fn packages_and_rooms_import_what_the_table_allows() {
    let packages = PACKAGES.map(|(folder, _)| folder.replace('-', "_"));
    let packages = packages.map(|name| if name == "proto" { "udf_proto".to_owned() } else { name });
    for ((package, allowed), own) in PACKAGES.iter().zip(&packages) {
        for (module, paths) in modules(package) {
            let named = paths.iter().map(|path| &path[0]).filter(|name| packages.contains(name));
            for name in named {
                let is_allowed = name == own || allowed.contains(&name.as_str());
                assert!(is_allowed, "{package}: {} names {name}", shown(&module));
            }
        }
    }
    let modules = modules("udf-runtime");
    for (module, to) in imports(&modules) {
        let Some((room, allowed)) =
            ROOMS.iter().find(|(room, _)| module.first().is_some_and(|name| name == room))
        else {
            assert!(module.is_empty() || module[0] == "private", "{} has no room", shown(module));
            continue;
        };
        for other in to.iter().filter_map(|to| to.first()).filter(|other| other != room) {
            assert!(allowed.contains(&other.as_str()), "{} imports from {other}", shown(module));
        }
        let names_host = modules[module].iter().any(|path| path[0] == "udf_host");
        assert!(!names_host || allowed.contains(&"udf_host"), "{} names udf_host", shown(module));
    }
}

#[test]
fn every_path_in_the_document_exists() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the file can be read");
    let quoted = text.split('`').skip(1).step_by(2);
    let paths: Vec<_> = quoted.filter(|name| name.contains('/') && !name.contains(' ')).collect();
    assert!(paths.len() > 20, "{paths:?}");
    for path in paths {
        let places = [root().join(path), root().join("udf-runtime/src").join(path)];
        assert!(places.iter().any(|place| place.exists()), "ARCHITECTURE.md names `{path}`");
    }
}
