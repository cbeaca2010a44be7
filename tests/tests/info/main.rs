//! The output of `info`: the UDF accepts the TICKscript, and the text contains every fact about the
//! options.

mod tickscript;
mod zoo;

use std::num::{NonZeroI32, NonZeroI64};
use std::process::Command;
use std::str::FromStr;
use std::time::Duration;

use udf_proto::{Init, OptionCall};
use udf_runtime::options::{self, Help, MustBe, OptionType};
use udf_runtime::{Edge, Udf, udf};
use udf_tests::program::example;
use udf_tests::{handles_nothing, udf_of};
use udf_text::describe::Description;

use tickscript::{calls, chain};

fn description<T: Udf>() -> Description {
    Description {
        name: T::NAME.to_owned(),
        help: T::help(),
        wants: T::Wants::TYPE,
        provides: T::Provides::TYPE,
        options: T::options(),
        complete: true,
    }
}

fn tick<T: Udf>() -> String {
    description::<T>().to_tick()
}

fn accepts<T: Udf>(options: Vec<OptionCall>) -> Result<(), String> {
    let init = Init { options, task_id: "task".into(), node_id: "udf2".into() };
    options::parse::<T>(init).map(|_| ()).map_err(|refusal| refusal.to_string())
}

/// Checks that the UDF accepts the sample, alone and with each of the options that are comments in
/// it.
fn runs<T: Udf>() {
    let tick = tick::<T>();
    let live = calls(&tick);
    assert_eq!(accepts::<T>(live.clone()), Ok(()), "{tick}");
    for option in T::options() {
        let exclusive = option.conflicts.iter().any(|name| live.iter().any(|c| c.name == *name));
        if exclusive || live.iter().any(|call| call.name == option.name) {
            continue;
        }
        let shown = format!("        // .{}(", option.name);
        let (_, call) =
            tick.split_once(&shown).expect("the sample shows a call of the optional option");
        let (call, _) = call.split_once(")\n").expect("the call ends");
        let call = format!(".{}({})", option.name, call.replace("\n//", "\n"));
        let mut more = [live.clone(), chain(&call)];
        for needed in T::options().into_iter().filter(|o| option.requires.contains(&o.name)) {
            if !live.iter().any(|call| call.name == needed.name) {
                more[1].push(OptionCall { name: needed.name, values: needed.example });
            }
        }
        assert_eq!(accepts::<T>(more.concat()), Ok(()), "with .{}: {tick}", option.name);
    }
}

fn never(_: &i64) -> Result<(), String> {
    Err("nothing will do".to_owned())
}

fn panics(_: &str) -> Result<(), String> {
    panic!("no task has called it")
}

struct Secret;

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "open sesame" { Ok(Secret) } else { Err("it is not known".to_owned()) }
    }
}

udf_of!(Unknown {
    #[option(validate = never)]
    a: i64,
    /// Who may see it.
    #[option(parse)]
    b: Secret,
    #[option(validate = panics)]
    c: Option<String>,
});

#[test]
fn where_no_value_is_known_it_is_said() {
    let tick = tick::<Unknown>();
    let none = "// Write a value here. No valid value is known.\n        ";
    for line in [
        format!("        {none}// .a(INT)\n"),
        format!("        // Who may see it.\n        {none}// .b(STRING)\n"),
        format!("        // Optional.\n        {none}// .c(STRING)\n"),
    ] {
        assert!(tick.contains(&line), "{line} is not in {tick}");
    }
    assert!(calls(&tick).is_empty());
    let text = "UDF unknown: 2 problems with its options: \
                (1) `.a` is missing; write `.a(INT)`; (2) `.b` is missing; write `.b(STRING)`";
    assert_eq!(accepts::<Unknown>(vec![]), Err(text.to_owned()));
}

udf_of!(Numbers {
    #[option(range = -3..=-1)]
    below: NonZeroI32,
    #[option]
    any: NonZeroI64,
    #[option]
    mixed: (String, [u8; 2], char),
    #[option(range = "1h".."2h")]
    wait: Duration,
});

#[test]
fn what_a_value_must_be_is_told_of_every_argument() {
    let text = description::<Numbers>().to_text(200);
    for told in [
        "Must be from -3 to -1.",
        "Must be other than 0.",
        "Must have argument 2 from 0 to 255, argument 3 from 0 to 255, argument 4 one character.",
        "Must be at least 1h and less than 2h.",
    ] {
        assert!(text.contains(told), "`{told}` is not in\n{text}");
    }
}

struct Speed(bool);

impl OptionType for Speed {
    type Raw = String;

    fn from_raw(raw: String) -> udf_runtime::Result<Self> {
        match &*raw {
            "slow" | "calm" | "easy" => Ok(Speed(false)),
            "fast" => Ok(Speed(true)),
            _ => Err(MustBe::new("a speed").into()),
        }
    }

    fn to_raw(&self) -> String {
        if self.0 { "fast".to_owned() } else { "slow".to_owned() }
    }

    fn help() -> Help {
        Help::new().choice("slow", "In its time.").alias("calm").alias("easy").choice("fast", "")
    }
}

/// First paragraph,
/// goes on.
///
/// Second paragraph.
#[udf(wants = stream, provides = stream)]
#[allow(dead_code)]
struct Told {
    #[option(default = Speed(true), conflicts(other, third))]
    speed: Speed,
    /// What it is.
    ///
    /// And what not.
    #[option(requires = third)]
    other: Option<u8>,
    #[option]
    third: Option<u8>,
}
handles_nothing!(Told);

#[test]
fn text_and_json_tell_what_goes_together_and_what_means_the_same() {
    let text = description::<Told>().to_text(80);
    for part in [
        "\n\nFirst paragraph, goes on.\n\nSecond paragraph.\n\n",
        "      Default: the value of `Speed(true)`. Not together with .other or .third.\n",
        "        'slow'  In its time. Also written 'calm' and 'easy'.\n        'fast'\n",
        "      Optional. Must be from 0 to 255. Not together with .speed. Needs .third\n      too.\n",
        "      What it is.\n\n      And what not.\n",
        "  .third(INT)\n      Optional. Must be from 0 to 255. Not together with .speed.\n",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let json: serde_json::Value = serde_json::from_str(&description::<Told>().to_json()).unwrap();
    let options = &json["options"];
    assert_eq!(options[0]["conflicts"], serde_json::json!(["other", "third"]));
    assert_eq!(
        options[1]["conflicts"],
        serde_json::json!(["speed"]),
        "also where it is not written"
    );
    assert_eq!(options[1]["requires"], serde_json::json!(["third"]));
    assert_eq!(options[0]["choices"][0]["aliases"], serde_json::json!(["calm", "easy"]));
}

#[test]
fn the_guide_shows_what_is_printed() {
    const GUIDE: &str = include_str!("../../../docs/authoring.md");
    let program = example("rate");
    for format in ["toml", "tick"] {
        let (_, shown) = GUIDE
            .split_once(&format!("$ rate info --format {format}\n"))
            .expect("the guide has the command");
        let (shown, _) = shown.split_once("```").expect("the block ends");
        let output = Command::new(&program).args(["info", "--format", format]).output();
        let printed = String::from_utf8(output.expect("the command runs").stdout)
            .expect("the output is UTF-8");
        let path = program.to_str().expect("a path of this machine");
        assert_eq!(printed.replace(path, "/usr/local/bin/rate"), shown);
    }
}
