//! Options of an Init, and options as text.

use std::collections::BTreeMap;

use prost::Message as _;
use udf_proto::messages::InitRequest;
use udf_proto::{EdgeType, Info, Init, OptionCall, Value};
use udf_runtime::{Udf, options};
use udf_text::options::OptionProblem;

use super::udfs::Everything;
use super::within;
use crate::Trace;

pub(super) const WORDS: &[&str] = &[
    "field", "size", "share", "window", "level", "quiet", "veryLoud", "pair", "many", "flag",
    "maybe", "path", "small", "usage", "10s", "1h30m", "=", ",", "'",
];

fn init(calls: Vec<(&str, Vec<Value>)>) -> Vec<u8> {
    let options =
        calls.into_iter().map(|(name, values)| OptionCall { name: name.into(), values }).collect();
    InitRequest::from(Init { options, task_id: "task".into(), node_id: "node".into() })
        .encode_to_vec()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    vec![
        init(vec![]),
        init(vec![("field", vec!["usage".into()])]),
        init(vec![
            ("field", vec!["usage".into()]),
            ("size", vec![Value::Int(3)]),
            ("share", vec![Value::Double(0.5)]),
            ("window", vec![Value::Duration(10_000_000_000)]),
            ("level", vec!["veryLoud".into()]),
            ("pair", vec![Value::Int(1), "a".into()]),
            ("many", vec![Value::Int(1)]),
            ("many", vec![Value::Int(2)]),
            ("flag", vec![]),
            ("maybe", vec![Value::Bool(true)]),
            ("path", vec!["/tmp".into()]),
            ("small", vec![Value::Int(-128)]),
        ]),
        init(vec![("feild", vec!["usage".into()]), ("size", vec![Value::Int(0)])]),
    ]
}

pub(super) fn check(input: &[u8], trace: &mut Trace) {
    let Ok(request) = InitRequest::decode(input) else { return };
    let init = match Init::try_from(request) {
        Ok(init) => init,
        Err(error) => return trace.see_text(&error.to_string()),
    };
    trace.see_size("calls", init.options.len());
    within((256 << 10) + 300 * input.len() as u64, || match options::parse::<Everything>(init) {
        Ok(accepted) => {
            let udf = accepted.udf;
            assert!((1..=1000).contains(&udf.size), "{}", udf.size);
            assert!((0.0..1.0).contains(&udf.share), "{}", udf.share);
            assert!(udf.many.len() <= 3, "{:?}", udf.many);
            trace.see((udf.many.len(), udf.flag, udf.maybe, udf.level.is_some()));
        }
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(!text.is_empty() && text.len() < 64 << 10, "{} bytes", text.len());
            assert!(!text.contains(char::is_control), "{text:?}");
            assert!(refusal.count() > 0);
            for problem in text.split("; (").take(3) {
                // Without the call before it, which can be any text.
                trace.see_text(problem.rsplit("`: ").next().unwrap_or_default());
            }
        }
    });
}

pub(super) fn prompt_seeds() -> Vec<Vec<u8>> {
    let seeds = [
        "field=usage",
        "field='a,b\\''\nsize=3\nshare=1e-3\nwindow=1h30m",
        "pair=1,a\nmany=1\nmany=2\nflag\nmaybe=TRUE",
        "window=-1500ms\nsmall=-9223372036854775808",
        "size=\nfeild=x\n=y",
    ];
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

pub(super) fn check_prompt(input: &[u8], trace: &mut Trace) {
    let text = String::from_utf8_lossy(input);
    let typed: Vec<_> = text.split('\n').collect();
    let mut all = BTreeMap::new();
    for option in Everything::options() {
        all.insert(option.name, option.args);
    }
    let info = Info { wants: EdgeType::Stream, provides: EdgeType::Stream, options: all };
    match udf_text::options::parse(&info, &typed) {
        Ok(calls) => {
            assert_eq!(calls.len(), typed.len());
            for call in calls {
                let types: Vec<_> = call.values.iter().map(Value::value_type).collect();
                assert_eq!(types, info.options[&call.name]);
                trace.see((&call.name, types.len()));
                for value in call.values {
                    let shown = value.to_string();
                    trace.see_size("shown", shown.len());
                    if let Value::Duration(nanos) = value {
                        let again = udf_text::duration::nanos(&shown);
                        assert_eq!(again.ok(), Some(nanos), "{shown}");
                    }
                }
            }
        }
        Err(error) => {
            assert!(!error.problems.is_empty());
            for problem in error.problems {
                assert!(!problem.to_string().is_empty());
                trace.see(std::mem::discriminant(&problem));
                match problem {
                    OptionProblem::Arguments { types, got, .. } => {
                        trace.see((types.len(), got.map(|got| got.min(4))))
                    }
                    OptionProblem::Quotes { problem, .. } => trace.see(problem),
                    OptionProblem::Type { expected, hint, .. } => {
                        trace.see(expected as i32);
                        trace.see_text(&hint);
                    }
                    _ => {}
                }
            }
        }
    }
}
