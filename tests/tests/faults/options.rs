//! Invalid options.

use std::sync::LazyLock;

use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{InitRequest, Option as OptionCall, OptionValue, option_value};
use udf_tests::program::{Transport, example};

use crate::subject::Subject;
use crate::{BOTH, cases};

cases! {
    an_option_that_does_not_exist, BOTH, "The refusal of an unknown option names it, and suggests the most similar one.";
    an_option_that_is_missing, BOTH, "The refusal of a missing option shows the call to add.";
    an_option_of_another_type, BOTH, "The refusal of an argument of another type names the expected and the actual type.";
    an_option_with_too_many_arguments, BOTH, "An invalid number of arguments is refused, not truncated.";
    an_option_out_of_range, BOTH, "The refusal of a number out of range names the range, also at the limits of 64 bits.";
    an_option_that_is_called_twice, BOTH, "A second call of an option that accepts one call is refused.";
    all_mistakes_at_once, BOTH, "One answer reports all invalid options of an Init.";
    a_value_that_is_not_of_its_type, BOTH, "A value whose type differs from its declared type is refused in an answer.";
    a_value_of_no_type, BOTH, "A value of an unknown type is refused in an answer.";
    an_option_with_a_text_of_4_mib, BOTH, "The refusal of an argument of any length stays short.";
    ten_thousand_unknown_options, BOTH, "The refusal of any number of invalid options stays short.";
    an_option_with_control_characters, BOTH, "The refusal is one line, even if an argument has control characters.";
    an_option_with_an_empty_name, BOTH, "The empty text is refused as the name of a field: InfluxDB would refuse each write of it.";
    a_task_without_a_name, BOTH, "A task and a node with empty names are served.";
}

static USAGE: LazyLock<[Value; 1]> = LazyLock::new(|| ["usage".into()]);

/// Returns a valid call of `.field`.
fn field() -> (&'static str, &'static [Value]) {
    ("field", &*USAGE)
}

/// Sends these options. They are refused in one answer with all of these texts, and valid options
/// are accepted afterwards.
fn refused(on: Transport, options: &[(&str, &[Value])], with: &[&str]) -> String {
    // One of the cases has options of some MiB.
    let args = ["--init-limit", "67108864"];
    let mut udf = Subject::start(example("moving_avg"), on, &args);
    let error = match udf.connection.init(options) {
        Answer::Init(init) if !init.success => init.error,
        other => panic!("not a refusal: {other:?}"),
    };
    for part in with {
        assert!(error.contains(part), "`{part}` is not in `{error}`");
    }
    let udf = udf.init(&[field(), ("size", &[Value::Int(3)])]);
    assert_eq!(udf.lives(), []);
    error
}

fn an_option_that_does_not_exist(on: Transport) {
    refused(on, &[field(), ("sise", &[Value::Int(3)])], &["`sise`", ".size"]);
}

fn an_option_that_is_missing(on: Transport) {
    refused(on, &[field()], &[".size("]);
}

fn an_option_of_another_type(on: Transport) {
    refused(on, &[field(), ("size", &["three".into()])], &[".size('three')", "INT", "STRING"]);
}

fn an_option_with_too_many_arguments(on: Transport) {
    refused(on, &[field(), ("size", &[Value::Int(3), Value::Int(4)])], &[".size(3, 4)", "2"]);
}

fn an_option_out_of_range(on: Transport) {
    for size in [0, -1, i64::MIN] {
        refused(on, &[field(), ("size", &[Value::Int(size)])], &["at least 1"]);
    }
}

fn an_option_that_is_called_twice(on: Transport) {
    let (one, two) = ([Value::Int(3)], [Value::Int(4)]);
    refused(on, &[field(), ("size", &one), ("size", &two)], &[".size(3)", ".size(4)"]);
}

fn all_mistakes_at_once(on: Transport) {
    let wrong: [(&str, &[Value]); 3] =
        [("feild", &["usage".into()]), ("size", &[Value::Int(0)]), ("as", &[Value::Bool(true)])];
    refused(on, &wrong, &["3 problems", "`feild`", ".size(0)", ".as(TRUE)"]);
}

/// Sends an Init with this value of the option `size`. It is refused with this text.
fn refused_value(on: Transport, value: OptionValue, with: &str) {
    let mut udf = Subject::example("moving_avg", on);
    let size = OptionCall { name: "size".into(), values: vec![value] };
    udf.ask(Ask::Init(InitRequest { options: vec![size], ..Default::default() }));
    match udf.connection.answer() {
        Answer::Init(init) if !init.success => {
            assert!(init.error.contains(with), "`{with}` is not in `{}`", init.error);
        }
        other => panic!("not a refusal: {other:?}"),
    }
    assert_eq!(udf.lives(), []);
}

fn a_value_that_is_not_of_its_type(on: Transport) {
    let value = Some(option_value::Value::StringValue("three".into()));
    refused_value(on, OptionValue { r#type: 1, value }, "INT but contains STRING");
    refused_value(on, OptionValue { r#type: 1, value: None }, "INT but contains no value");
}

fn a_value_of_no_type(on: Transport) {
    let value = Some(option_value::Value::IntValue(3));
    refused_value(on, OptionValue { r#type: 99, value }, "unknown type 99");
}

fn an_option_with_a_text_of_4_mib(on: Transport) {
    let long = [Value::from("x".repeat(4 << 20).as_str())];
    let error = refused(on, &[field(), ("size", &long)], &["INT", "STRING"]);
    assert!(error.len() < 4096, "{} bytes", error.len());
}

fn ten_thousand_unknown_options(on: Transport) {
    let error = refused(on, &vec![("nosuch", &[][..]); 10_000], &["10002 problems"]);
    assert!(error.len() < 16 << 10, "{} bytes", error.len());
}

fn an_option_with_control_characters(on: Transport) {
    let odd = ["one\r\ntwo\x1b[31m".into()];
    let error = refused(on, &[field(), ("size", &odd), ("new\nline", &[])], &["INT", "STRING"]);
    assert!(!error.contains(char::is_control), "{error:?}");
}

fn an_option_with_an_empty_name(on: Transport) {
    let (empty, size) = ([Value::from("")], ("size", &[Value::Int(3)][..]));
    refused(
        on,
        &[field(), size, ("as", &empty)],
        &[".as('')", "the name of a field", ".as('avg')"],
    );
    refused(on, &[size, ("field", &empty)], &[".field('')", "the name of a field"]);
}

fn a_task_without_a_name(on: Transport) {
    let mut udf = Subject::example("mirror", on);
    udf.ask(Ask::Init(InitRequest::default()));
    assert!(matches!(udf.connection.answer(), Answer::Init(init) if init.success));
    udf.echo(1);
    assert_eq!(udf.lives(), []);
}
