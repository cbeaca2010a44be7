//! Each UDF agrees with an independent oracle: a script in `tests/oracle` has recorded the points
//! and the expected output.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::running::Settings;
use crate::table::ROWS;

fn texts(value: &Value) -> Vec<&str> {
    let all = value.as_array().unwrap_or_else(|| panic!("not a list: {value}"));
    all.iter().map(|text| text.as_str().expect("the list has texts")).collect()
}

#[test]
fn every_udf_agrees_with_its_oracle() {
    for row in ROWS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle");
        let file = folder.join(row.name).with_extension("json");
        let text = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let cases: Value = serde_json::from_slice(&text).expect("it is JSON");
        for case in cases.as_array().expect("it is a list of cases") {
            println!("{}: {}", row.name, case["case"]);
            let settings = Settings {
                group_by: case["group_by"].as_str().expect("the tags are a text"),
                tolerance: case["tolerance"].as_f64().expect("the tolerance is a number"),
            };
            let mut task = row.start_with(&texts(&case["options"]), &settings);
            let expected = texts(&case["output"]);
            assert!(!expected.is_empty(), "nothing is expected");
            let lines: Vec<_> = texts(&case["input"]).iter().map(ToString::to_string).collect();
            for (number, lines) in lines.split(|line| line == "# tick").enumerate() {
                if number > 0 {
                    task.tick();
                }
                task.feed(lines);
            }
            task.emits(&expected.join("\n"));
        }
    }
}
