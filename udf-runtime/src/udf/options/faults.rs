//! The errors in the options of a UDF itself, for its tests.

use udf_proto::{Init, OptionCall};

use crate::udf::options::init::parse;
use crate::udf::options::known::Known;
use crate::udf::traits::Udf;

/// Returns the errors in the options of the UDF itself: limits without a value, and defaults,
/// examples and samples that the UDF refuses. Makes the defaults, and calls `validate` and `parse`
/// with the samples.
pub(crate) fn faults<T: Udf>() -> Vec<String> {
    let known: Vec<Known> = T::OPTIONS.iter().map(Known::new).collect();
    let mut faults: Vec<String> = known.iter().flat_map(Known::faults).collect();
    if !faults.is_empty() {
        return faults;
    }
    let call = |known: &Known, values| OptionCall { name: known.data.name.to_owned(), values };
    let is_required = |known: &Known| known.min_calls() > 0 || known.is_first_of_a_set();
    let required = || known.iter().filter(|known| is_required(known));
    let mut tried: Vec<Option<&Known>> = vec![None];
    // An example is the sample of its option.
    tried.extend(known.iter().map(Some));
    for sample in tried {
        let also = sample.filter(|sample| !is_required(sample));
        let calls = required().chain(also).flat_map(|known| {
            let values = known.sample()?;
            Some(std::iter::repeat_n(call(known, values), known.min_calls().max(1)))
        });
        let options: Vec<OptionCall> = calls.flatten().collect();
        // Related options cannot be tried one by one.
        let names: Vec<&str> = options.iter().map(|call| &*call.name).collect();
        let related = |known: &Known| {
            let mut others = known.data.conflicts.iter().chain(known.data.requires);
            others.any(|_| names.contains(&known.data.name))
        };
        let is_complete = required().all(|known| names.contains(&known.data.name));
        if !is_complete || sample.is_some() && known.iter().any(related) {
            continue;
        }
        // Nothing supplies `#[shared]` fields here, which is no fault of the options.
        if let Err(refusal) = parse::<T>(Init { options, ..Init::default() })
            && refusal.count() > 0
        {
            let text = refusal.to_string();
            if !faults.contains(&text) {
                faults.push(text);
            }
        }
    }
    faults
}
