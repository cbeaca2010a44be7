//! Every form of a description is readable, and valid in its format.

use std::collections::BTreeMap;

use proptest::prelude::*;
use udf_proto::{EdgeType, Info, Value, ValueType};
use udf_text::describe::{Choice, Description, Install, OptionHelp};

/// Returns a description with every kind of option.
fn complete() -> Description {
    let option = |name: &str, help: &str, args: &[ValueType]| OptionHelp {
        name: name.into(),
        help: help.into(),
        args: args.to_vec(),
        ..OptionHelp::default()
    };
    let choice = |value: &str, help: &str, aliases: &[&str]| Choice {
        value: value.into(),
        help: help.into(),
        aliases: aliases.iter().map(|&alias| alias.into()).collect(),
    };
    Description {
        name: "moving_avg".into(),
        help: "Mean of a field over its last `size` points, for each group.\nA group is \
               what the task groups by; a point without the field is left out:\n- with a warning, \
               which names the measurement,\n- unless told otherwise.\nSo it goes."
            .into(),
        wants: EdgeType::Stream,
        provides: EdgeType::Stream,
        options: vec![
            OptionHelp {
                min_calls: 1,
                example: vec![Value::from("usage_user")],
                ..option("field", "Field to average.", &[ValueType::String])
            },
            OptionHelp {
                min_calls: 1,
                range: Some("at least 1".into()),
                example: vec![Value::Int(10)],
                aliases: vec!["points".into(), "n".into()],
                ..option(
                    "size",
                    "Points in the window. Before there are as many, the mean is that of all that have \
                     come so far.",
                    &[ValueType::Int],
                )
            },
            OptionHelp {
                default: Some(vec![Value::from("avg")]),
                // The author's example comes before the default.
                example: vec![Value::from("mean")],
                ..option("as", "Name of the field that is emitted.", &[ValueType::String])
            },
            OptionHelp {
                default: Some(vec![Value::from("skip")]),
                choices: vec![
                    choice("skip", "It is left out.", &[]),
                    choice("pass", "It is passed on as it came, with all of its fields.", &["on"]),
                    choice("it's", "", &[]),
                    choice("fail", "", &["stop", "it'll"]),
                ],
                ..option("onMissing", "What becomes of a point without it.", &[ValueType::String])
            },
            OptionHelp {
                repeated: true,
                example: vec![Value::from("host"), Value::Double(2.0)],
                ..option(
                    "weight",
                    "Weighs a tag's points.\n\nOf several:\n1. the last one counts,\n2. if any.",
                    &[ValueType::String, ValueType::Double],
                )
            },
            OptionHelp {
                repeated: true,
                min_calls: 3,
                range: Some("called at least 3 times".into()),
                requires: vec!["quote".into(), "weight".into()],
                example: vec![Value::Int(1)],
                ..option("edge", "", &[ValueType::Int])
            },
            OptionHelp {
                requires: vec!["oldQuote".into()],
                conflicts: vec!["verbose".into(), "window".into()],
                default: Some(vec![Value::from("a\nb")]),
                ..option("quote", "", &[ValueType::String])
            },
            OptionHelp {
                deprecated: Some("use\n.quote".into()),
                example: vec![Value::from("q")],
                ..option("oldQuote", "", &[ValueType::String])
            },
            OptionHelp {
                min_calls: 1,
                ..option("key", "Nobody knows one.", &[ValueType::String, ValueType::Int])
            },
            OptionHelp {
                default: Some(vec![Value::Double(f64::NAN)]),
                ..option("missing", "What a gap is.", &[ValueType::Double])
            },
            OptionHelp {
                default: Some(vec![Value::from("one\n  .two()\n'three'")]),
                ..option("text", "", &[ValueType::String])
            },
            option("verbose", "", &[]),
            OptionHelp {
                deprecated: Some("use .size".into()),
                ..option("window", "", &[ValueType::Duration])
            },
        ],
        complete: true,
    }
}

fn from_info() -> Description {
    let options = [
        ("field", vec![ValueType::String]),
        ("scale", vec![ValueType::Double, ValueType::Duration]),
        ("verbose", vec![]),
    ];
    let info = Info {
        wants: EdgeType::Batch,
        provides: EdgeType::Batch,
        options: options.into_iter().map(|(name, types)| (name.to_owned(), types)).collect(),
    };
    Description::from_info("outliers", &info)
}

fn install() -> Install {
    Install {
        program: "/usr/local/bin/moving_avg".into(),
        args: vec!["--log".into(), "say \"hi\"".into()],
        socket: "/run/moving_avg.sock".into(),
        ..Install::default()
    }
}

#[test]
fn for_people() {
    assert_eq!(complete().to_text(60), include_str!("golden/complete.txt"));
    assert_eq!(from_info().to_text(80), include_str!("golden/from_info.txt"));
    let bare = Description { options: vec![], ..from_info() };
    assert_eq!(
        bare.to_text(80),
        "outliers: reads batches and sends batches\n\nIt has no options.\n"
    );
}

#[test]
fn lines_are_as_long_as_the_terminal_is_wide() {
    for width in [0, 1, 40, 60, 80, 200] {
        let text = complete().to_text(width);
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(width.max(48)), "{width}: {longest:?}");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&text), words(&complete().to_text(80)), "no word is lost");
    }
}

#[test]
fn for_tools() {
    for (description, golden) in [
        (complete(), include_str!("golden/complete.json")),
        (from_info(), include_str!("golden/from_info.json")),
    ] {
        let json = description.to_json();
        assert_eq!(json, golden);
        let parsed: serde_json::Value = serde_json::from_str(&json).expect("valid JSON");
        assert_eq!(parsed["options"].as_array().map(Vec::len), Some(description.options.len()));
    }
}

#[test]
fn for_kapacitor_conf() {
    assert_eq!(complete().to_toml(&install()), include_str!("golden/complete.toml"));
}

#[test]
fn what_is_not_known_is_not_in_the_section() {
    let alone = |install: Install| {
        let section = complete().to_toml(&install);
        let conf: toml::Table = section.parse().expect("valid TOML");
        let keys = conf["udf"]["functions"]["moving_avg"].as_table().unwrap().keys().cloned();
        assert!(!section.contains("Or"), "{section}");
        keys.collect::<Vec<_>>()
    };
    let program = Install { socket: String::new(), ..install() };
    assert_eq!(alone(program), ["args", "prog", "timeout"]);
    let daemon = Install { program: String::new(), ..install() };
    assert_eq!(alone(daemon), ["socket", "timeout"]);
}

#[test]
fn the_section_names_the_variables_without_setting_them() {
    let variables = vec!["TOKEN".to_owned(), "URL".to_owned()];
    let section = complete().to_toml(&Install { variables, ..install() });
    let line = "  # It needs TOKEN and URL in [udf.functions.moving_avg.env], or in the environment of Kapacitor.\n";
    let place = section.find(line).expect("they are named");
    assert!(place < section.find("# Or ").expect("there are two forms"), "{section}");
    let conf: toml::Table = section.parse().expect("valid TOML");
    assert!(conf["udf"]["functions"]["moving_avg"].get("env").is_none(), "{section}");
}

#[test]
fn the_section_names_the_command_of_the_daemon() {
    let words = ["/opt/my udfs/it's", "--socket", "/run/a.sock", "", "a\nb = 1"];
    let daemon = words.map(str::to_owned).to_vec();
    let section = complete().to_toml(&Install { daemon, ..install() });
    let line =
        "connects to its socket: '/opt/my udfs/it'\\''s' --socket /run/a.sock '' \"a\\nb = 1\"\n";
    assert!(section.contains(line), "{section}");
    let conf: toml::Table = section.parse().expect("valid TOML");
    assert_eq!(conf["udf"]["functions"].as_table().map(toml::Table::len), Some(1), "{section}");
}

#[test]
fn both_forms_of_the_section_are_toml_also_below_what_is_there() {
    let section = complete().to_toml(&install());
    let (process, socket) = section.split_once("\n\n").expect("there are two forms");
    let socket = socket.replace("\n#", "\n");
    for form in [process, &socket, &section] {
        let conf = format!("[udf]\n[udf.functions]\n[udf.functions.other]\nprog = \"x\"\n{form}");
        let conf: toml::Table = conf.parse().expect("valid TOML");
        assert_eq!(conf["udf"]["functions"]["moving_avg"]["timeout"].as_str(), Some("10s"));
    }
}

#[test]
fn for_a_tickscript() {
    assert_eq!(complete().to_tick(), include_str!("golden/complete.tick"));
    assert_eq!(from_info().to_tick(), include_str!("golden/from_info.tick"));
}

#[test]
fn for_telegraf_conf() {
    let install = Install {
        telegraf: ["/usr/bin/udf", "telegraf"].map(str::to_owned).to_vec(),
        telegraf_behind: ["--", "python3", "/opt/outliers.py"].map(str::to_owned).to_vec(),
        variables: vec!["TOKEN".to_owned()],
        ..install()
    };
    for (section, golden) in [
        (complete().to_telegraf(&self::install()), include_str!("golden/complete.telegraf.conf")),
        (from_info().to_telegraf(&install), include_str!("golden/from_info.telegraf.conf")),
    ] {
        assert_eq!(section, golden);
        let conf = format!("[agent]\n{section}");
        let conf: toml::Table = conf.parse().expect("valid TOML");
        assert_eq!(conf["processors"]["execd"][0]["restart_delay"].as_str(), Some("1s"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_survives_in_json(
        name in any::<String>(),
        help in any::<String>(),
        text in any::<String>(),
        double in any::<f64>(),
        int in any::<i64>(),
    ) {
        let example = vec![Value::String(text.clone()), Value::Double(double), Value::Int(int)];
        let option = OptionHelp { help: help.clone(), example, ..OptionHelp::default() };
        let description =
            Description { name: name.clone(), options: vec![option], ..from_info() };
        let json = description.to_json();
        let parsed: serde_json::Value = serde_json::from_str(&json).expect("valid JSON");
        prop_assert_eq!(parsed["name"].as_str(), Some(&*name));
        prop_assert_eq!(parsed["options"][0]["help"].as_str(), Some(&*help));
        let example = &parsed["options"][0]["example"];
        prop_assert_eq!(example[0].as_str(), Some(&*text));
        prop_assert_eq!(example[2].as_i64(), Some(int));
    }

    #[test]
    fn any_path_survives_in_toml(
        name in any::<String>(),
        program in any::<String>(),
        arg in any::<String>(),
    ) {
        let description = Description { name: name.clone(), ..from_info() };
        let install =
            Install { program: program.clone(), args: vec![arg.clone()], socket: program.clone(), ..Install::default() };
        let conf: toml::Table = description.to_toml(&install).parse().expect("valid TOML");
        let section = &conf["udf"]["functions"][name.as_str()];
        prop_assert_eq!(section["prog"].as_str(), Some(&*program));
        prop_assert_eq!(section["args"][0].as_str(), Some(&*arg));
    }

    #[test]
    fn any_text_survives_in_telegraf_conf(
        name in any::<String>(),
        help in any::<String>(),
        texts in proptest::collection::vec(any::<String>(), 1..3),
        program in any::<String>(),
    ) {
        let option = |name: &str, min_calls| OptionHelp {
            name: name.into(),
            help: help.clone(),
            args: vec![ValueType::String; texts.len()],
            example: texts.iter().map(|text| Value::from(&**text)).collect(),
            min_calls,
            ..OptionHelp::default()
        };
        let options = vec![option("text", 1), option("other", 0)];
        let description =
            Description { name, help: help.clone(), options, complete: true, ..from_info() };
        let install = Install { program: program.clone(), ..Install::default() };
        let conf: toml::Table = description.to_telegraf(&install).parse().expect("valid TOML");
        let execd = &conf["processors"]["execd"][0];
        let keys: Vec<_> = execd.as_table().unwrap().keys().map(String::as_str).collect();
        prop_assert_eq!(keys, ["command", "namepass", "restart_delay"]);
        let words = execd["command"].as_array().unwrap();
        prop_assert_eq!(words[0].as_str(), Some(&*program));
        let types = BTreeMap::from([("text".to_owned(), vec![ValueType::String; texts.len()])]);
        let info = Info { wants: EdgeType::Batch, provides: EdgeType::Batch, options: types };
        // A text with a backslash before a quote cannot be written in a TICKscript either.
        let known = description.to_tick().contains("\n        .text(");
        let calls = udf_text::options::parse(&info, &[words[3].as_str().unwrap()]);
        if known {
            prop_assert_eq!(&calls.unwrap()[0].values, &description.options[0].example);
        }
    }

    #[test]
    fn no_text_breaks_out_of_its_comment(help in any::<String>(), text in ".*\\n.*") {
        let option = |help: &str, text: &str| OptionHelp {
            name: "text".into(),
            help: help.into(),
            args: vec![ValueType::String],
            default: Some(vec![Value::from(text)]),
            deprecated: None,
            ..OptionHelp::default()
        };
        let described = |help: &str, text: &str| Description {
            help: help.into(),
            options: vec![option(help, text)],
            complete: true,
            ..from_info()
        };
        let live = |tick: &str| -> Vec<String> {
            let lines = tick.lines().filter(|line| !line.trim_start().starts_with("//"));
            lines.map(str::to_owned).collect()
        };
        let plain = described("", "").to_tick();
        prop_assert_eq!(live(&described(&help, &text).to_tick()), live(&plain));
        prop_assert_eq!(live(&described(&text, &help).to_tick()), live(&plain));
        // The next line would take such text for the begin of a call.
        prop_assume!(!text.contains("\n ."));
        let without_marks = described("", &text).to_tick().replace("// .", ".").replace("\n//", "\n");
        let call = format!(".text({})", Value::from(&*text));
        prop_assert!(without_marks.contains(&call), "{} is not in {}", call, without_marks);
    }
}
