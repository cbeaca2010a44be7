//! The checked-in messages are equal to prost-build's output for `udf.proto`.
//!
//! They are checked in so that building the kit needs no code generator. After a change of
//! `udf.proto`, run `UPDATE=1 cargo test -p kapacitor-udf-proto --test generated`.

use std::fs;
use std::path::Path;

#[test]
fn messages_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checked_in = root.join("src/messages.rs");
    let descriptors =
        protox::compile([root.join("udf.proto")], [root]).expect("udf.proto compiles");
    let module = prost_build::Module::from_protobuf_package_name("agent");
    let mut config = prost_build::Config::new();
    // Ordered maps, so that the same message always has the same bytes.
    config.btree_map(["."]);
    let requests =
        descriptors.file.into_iter().map(|file| (module.clone(), file)).collect::<Vec<_>>();
    let generated = config.generate(requests).expect("the messages are generated");
    let generated = format!(
        "// Generated from udf.proto. To update, see the test `generated`.\n{}",
        generated[&module]
    );
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&checked_in, &generated).expect("src/messages.rs is writable");
    }
    let found = fs::read_to_string(&checked_in).unwrap_or_default();
    assert!(
        found == generated,
        "src/messages.rs is not what udf.proto gives; renew it with\n  \
         UPDATE=1 cargo test -p kapacitor-udf-proto --test generated"
    );
}
