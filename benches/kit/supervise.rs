//! Supervised programs, compared with the same programs alone.

use std::error::Error;
use std::ffi::OsStr;
use std::time::Duration;

use udf_cli::Target;
use udf_cli::bench::{Load, Subject, compare};
use udf_host::Writes;
use udf_proto::{EdgeType, Init, Value};

use crate::programs::{example, init, moving_avg};
use crate::table::{Goal, Table, median};

/// How often both alternate.
const ROUNDS: usize = 7;

/// The duration of each turn of both.
const SLICE: Duration = Duration::from_secs(1);

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let outliers = init(&[("field", Value::from("usage_user"))]);
    let programs = [
        ("mirror", Init::default(), EdgeType::Stream),
        ("moving_avg", moving_avg(), EdgeType::Stream),
        ("outliers", outliers, EdgeType::Batch),
    ];
    for (name, init, edge) in programs {
        let path = example(name)?;
        for (writes, shown, reach) in
            [(Writes::Kapacitor, "Kapacitor's", 0.70), (Writes::Large, "large", 0.60)]
        {
            let load = Load::new(edge, writes);
            let rate = |args: &[&str]| -> Result<f64, Box<dyn Error>> {
                let words = [path.as_os_str()].into_iter().chain(args.iter().map(OsStr::new));
                let target = Target::of_words(words.map(OsStr::to_owned));
                let subject = Subject::udf(target, init.clone());
                let row = compare(&subject, &load, 1, SLICE, None, &mut |_| {})?;
                Ok(row.points_per_second_in)
            };
            let mut shares = Vec::new();
            for _ in 0..ROUNDS {
                let alone = rate(&[])?;
                shares.push(rate(&["--supervise"])? / alone);
            }
            let measure = format!("{name} supervised, {shown} writes, of direct");
            let goal = Goal::AtLeast { reach, beyond: f64::NAN };
            table.row(&measure, median(shares), "", goal);
        }
    }
    Ok(())
}
