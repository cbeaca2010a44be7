//! `lookup` reads its file again.

use std::fs;

use udf_box::enrich::Lookup;
use udf_runtime::testing;

#[test]
fn a_changed_file_is_read_again_and_an_invalid_one_is_not() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("hosts.csv");
    fs::write(&path, "host,owner\na,ann\n").expect("the file can be written");
    let setup = testing::udf::<Lookup>().option("by=host").option("asFloat=limit");
    let error = setup.option(format!("file={}", path.display())).refusal();
    assert!(error.contains("it has no column `limit`, only host, owner"), "{error}");

    let setup = testing::udf::<Lookup>().option("by=host");
    let mut task = setup.option(format!("file={}", path.display())).start();
    let mut owner = |expected: &str| {
        task.tick();
        task.feed("m,host=a v=1 1");
        task.emits(&format!("m,host=a{expected} v=1 1"));
    };
    owner(",owner=ann");
    fs::write(&path, "host,owner\na,barbara\n").expect("the file can be written");
    owner(",owner=barbara");
    // The header of another table, and a file that is gone.
    fs::write(&path, "name,owner\na,ann\n").expect("the file can be written");
    owner(",owner=barbara");
    fs::remove_file(&path).expect("the file can be removed");
    owner(",owner=barbara");
    fs::write(&path, "host,owner\nb,ben\n").expect("the file can be written");
    owner("");
}
