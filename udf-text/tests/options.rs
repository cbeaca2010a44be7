//! Options in the form `-o name=value` become the same calls as in a TICKscript.

use proptest::prelude::*;
use udf_proto::{EdgeType, Info, OptionCall, Value, ValueType};
use udf_text::options::parse;

fn info() -> Info {
    use ValueType::{Bool, Double, Duration, Int, String};
    let options = [
        ("as", vec![String]),
        ("field", vec![String]),
        ("on", vec![Bool]),
        ("pair", vec![String, Int]),
        ("period", vec![Duration]),
        ("ratio", vec![Double]),
        ("verbose", vec![]),
        ("windowSize", vec![Int]),
    ];
    Info {
        wants: EdgeType::Stream,
        provides: EdgeType::Stream,
        options: options.into_iter().map(|(name, types)| (name.to_owned(), types)).collect(),
    }
}

fn value(typed: &str) -> Value {
    let calls = parse(&info(), &[typed]).expect(typed);
    assert_eq!(calls.len(), 1);
    let [value] = calls[0].values.as_slice() else { panic!("{calls:?}") };
    value.clone()
}

fn error(typed: &[&str]) -> String {
    parse(&info(), typed).expect_err("it is refused").to_string()
}

#[test]
fn calls_come_in_the_order_in_which_they_were_typed() {
    let typed = ["windowSize=10", "verbose", "field=usage_user", "pair=a,1", "pair=b,2"];
    let call =
        |name: &str, values: &[Value]| OptionCall { name: name.into(), values: values.to_vec() };
    assert_eq!(
        parse(&info(), &typed),
        Ok(vec![
            call("windowSize", &[Value::Int(10)]),
            call("verbose", &[]),
            call("field", &[Value::from("usage_user")]),
            call("pair", &[Value::from("a"), Value::Int(1)]),
            call("pair", &[Value::from("b"), Value::Int(2)]),
        ])
    );
    assert_eq!(parse(&info(), &[""; 0]), Ok(vec![]));
}

#[test]
fn every_type_is_read_as_it_is_written_in_a_tickscript() {
    assert_eq!(value("on=TRUE"), Value::Bool(true));
    assert_eq!(value("on=false"), Value::Bool(false));
    assert_eq!(value("windowSize=-9223372036854775808"), Value::Int(i64::MIN));
    assert_eq!(value("windowSize= 5 "), Value::Int(5));
    assert_eq!(value("ratio=1.5"), Value::Double(1.5));
    assert_eq!(value("ratio=2"), Value::Double(2.0));
    assert_eq!(value("ratio=-1e-3"), Value::Double(-0.001));
    assert_eq!(value("period=1h30m"), Value::Duration(5_400_000_000_000));
    assert_eq!(value("field="), Value::from(""));
    assert_eq!(value("field= a b "), Value::from(" a b "));
    assert_eq!(value("field=a=b"), Value::from("a=b"));
    assert_eq!(value("field=it's"), Value::from("it's"));
    assert_eq!(value("field='a,b'"), Value::from("a,b"));
    assert_eq!(value(r"field='it\'s, \d+\.'"), Value::from(r"it's, \d+\."));
    assert_eq!(value("field=''"), Value::from(""));
    let pair = parse(&info(), &["pair= 'a, b' , 7"]).expect("two arguments");
    assert_eq!(pair[0].values, [Value::from("a, b"), Value::Int(7)]);
}

#[test]
fn each_mistake_is_named() {
    let cases = [
        ("=5", "`=5` has no name; write name=value"),
        ("", "`` has no name; write name=value"),
        ("window_size=5", "there is no option `window_size`; did you mean `windowSize`?"),
        ("feild=a", "there is no option `feild`; did you mean `field`?"),
        (
            "zzz=1",
            "there is no option `zzz`; the UDF's options are `as`, `field`, `on`, `pair`, `period`, \
             `ratio`, `verbose`, `windowSize`",
        ),
        ("verbose=TRUE", "option `verbose` is a flag; write verbose without ="),
        ("verbose=", "option `verbose` is a flag; write verbose without ="),
        ("field", "option `field` takes 1 argument, got none; write field=STRING"),
        (
            "field=a,b",
            "option `field` takes 1 argument, got 2; write field=STRING; quote a STRING that \
             contains a comma: 'a,b'",
        ),
        ("windowSize=1,2", "option `windowSize` takes 1 argument, got 2; write windowSize=INT"),
        (
            "pair=a",
            "option `pair` takes 2 arguments, got 1; write pair=STRING,INT; quote a STRING \
             that contains a comma: 'a,b'",
        ),
        (
            "windowSize=ten",
            "option `windowSize`: `ten` is not a valid INT: write a whole number, like 10",
        ),
        (
            "windowSize=3.0",
            "option `windowSize`: `3.0` is not a valid INT: write a whole number, like 10",
        ),
        (
            "windowSize=",
            "option `windowSize`: `` is not a valid INT: write a whole number, like 10",
        ),
        (
            "windowSize=9223372036854775808",
            "option `windowSize`: `9223372036854775808` is not a valid INT: integers are from \
             -9223372036854775808 to 9223372036854775807",
        ),
        (
            "windowSize='5'",
            "option `windowSize`: `5` is not a valid INT: only a STRING can be quoted",
        ),
        ("on=yes", "option `on`: `yes` is not a valid BOOL: write TRUE or FALSE"),
        ("ratio=much", "option `ratio`: `much` is not a valid DOUBLE: write a number, like 1.5"),
        (
            "ratio=1e999",
            "option `ratio`: `1e999` is not a valid DOUBLE: a TICKscript can contain only finite numbers",
        ),
        (
            "ratio=NaN",
            "option `ratio`: `NaN` is not a valid DOUBLE: a TICKscript can contain only finite numbers",
        ),
        (
            "period=10",
            "option `period`: `10` is not a valid DURATION: the unit is missing; write 10s or 5m, for example, with one of ns, u, ms, s, m, h, d and w",
        ),
        (
            "pair=a,b",
            "option `pair`: argument 2, `b` is not a valid INT: write a whole number, like 10",
        ),
        ("field='a", "option `field`: a closing quote is missing"),
        (
            "field='a'b",
            "option `field`: only a comma may follow a closing quote; write \\' for a quote within \
             quoted text",
        ),
    ];
    for (typed, expected) in cases {
        assert_eq!(error(&[typed]), expected, "{typed}");
    }
}

#[test]
fn all_mistakes_come_in_one_message() {
    assert_eq!(
        error(&["feild=a", "windowSize=10", "on=yes", "verbose=1"]),
        "there is no option `feild`; did you mean `field`?\n\
         option `on`: `yes` is not a valid BOOL: write TRUE or FALSE\n\
         option `verbose` is a flag; write verbose without ="
    );
    let bare = Info { options: Default::default(), ..info() };
    let error = parse(&bare, &["size=1"]).expect_err("it has no options");
    assert_eq!(error.to_string(), "there is no option `size`; the UDF has no options");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_can_be_typed_in_quotes(text in any::<String>(), number in any::<i64>()) {
        // TICKscript cannot write a backslash before the closing quote.
        prop_assume!(!text.ends_with('\\'));
        let typed = format!("pair='{}',{number}", text.replace('\'', r"\'"));
        let calls = parse(&info(), &[typed]).expect("it is quoted");
        prop_assert_eq!(&calls[0].values, &[Value::String(text), Value::Int(number)]);
    }

    #[test]
    fn nothing_that_is_typed_panics(typed in any::<String>()) {
        for name in info().options.keys() {
            let _ = parse(&info(), &[format!("{name}={typed}")]);
        }
        let _ = parse(&info(), &[&typed]);
    }
}
