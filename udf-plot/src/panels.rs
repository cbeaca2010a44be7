//! Arranges fields in panels: fields that are readable on one axis share a panel.

use crate::fields::{Chosen, Field};
use crate::picture::{Form, Key, Panel, Side};
use crate::range::Range;

/// The arrangement that all groups share.
pub(crate) struct Layout {
    /// The number of panels of a group.
    pub(crate) rows: usize,
    /// The label of each panel.
    pub(crate) labels: Vec<String>,
    pub(crate) keys: Vec<Placed>,
}

/// An entry of the legend, and its place.
pub(crate) struct Placed {
    pub(crate) key: Key,
    /// The panel of each group.
    pub(crate) row: usize,
    /// The field, or the lower and the upper edge of a band.
    pub(crate) fields: Vec<usize>,
}

/// Words in the names of two fields that are the edges of a band.
const EDGES: [(&str, &str); 5] =
    [("lower", "upper"), ("min", "max"), ("low", "high"), ("lo", "hi"), ("minimum", "maximum")];

/// Arranges the fields, whose ranges over all groups are `ranges`.
pub(crate) fn layout(chosen: &Chosen, ranges: &[Option<Range>]) -> Layout {
    let fields = &chosen.fields;
    let mut rows: Vec<Range> = Vec::new();
    let mut keys: Vec<Placed> = Vec::new();
    let mut row_of = vec![0; fields.len()];
    for (place, field) in fields.iter().enumerate() {
        let Some(range) = ranges[place] else { continue };
        let upper = fields.iter().position(|other| is_band(field, other));
        if fields.iter().any(|other| is_band(other, field)) && ranges[place].is_some() {
            // The lower edge brings it along.
            continue;
        }
        let upper = upper.filter(|upper| ranges[*upper].is_some());
        let range = upper.and_then(|upper| ranges[upper]).map_or(range, |upper| upper.union(range));
        let row = match field.marks {
            Some(Some(on)) => row_of[on],
            _ => rows.iter().position(|row| row.fits(range)).unwrap_or_else(|| {
                rows.push(range);
                rows.len() - 1
            }),
        };
        if !field.is_flag {
            rows[row] = rows[row].union(range);
        }
        row_of[place] = row;
        let form = match (field.marks, upper) {
            (Some(_), _) => Form::Marks,
            (None, Some(_)) => Form::Band,
            (None, None) => Form::Line,
        };
        let key =
            Key { name: name(field, upper.map(|upper| &fields[upper])), side: field.side, form };
        keys.push(Placed {
            key,
            row,
            fields: [Some(place), upper].into_iter().flatten().collect(),
        });
    }
    let labels = (0..rows.len()).map(|row| label(row, &keys, fields)).collect();
    Layout { rows: rows.len(), labels, keys }
}

/// Returns the names of the fields of a panel.
fn label(row: usize, keys: &[Placed], fields: &[Field]) -> String {
    let mut names: Vec<&str> = Vec::new();
    let of_row = keys.iter().filter(|key| key.row == row && key.key.form != Form::Marks);
    for field in of_row.flat_map(|key| &key.fields) {
        let name = fields[*field].name.as_str();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// Returns the name of a series in the legend.
fn name(field: &Field, upper: Option<&Field>) -> String {
    let side = if field.side == Side::Input { "input" } else { "output" };
    match (upper, field.marks) {
        (Some(upper), _) => format!("{} to {} ({side})", field.name, upper.name),
        (None, Some(_)) if field.is_flag => format!("{} is true ({side})", field.name),
        (None, Some(_)) => format!("{}: points that came back", field.name),
        (None, None) => format!("{} ({side})", field.name),
    }
}

/// Returns whether two fields are the lower and the upper edge of a band.
fn is_band(lower: &Field, upper: &Field) -> bool {
    let are_lines = lower.marks.is_none() && upper.marks.is_none();
    are_lines && lower.side == upper.side && are_edges(&lower.name, &upper.name)
}

fn are_edges(lower: &str, upper: &str) -> bool {
    let words =
        |name: &str| name.split(['_', '-', '.', ' ']).map(str::to_lowercase).collect::<Vec<_>>();
    let (lower, upper) = (words(lower), words(upper));
    if lower.len() != upper.len() {
        return false;
    }
    let mut other = lower.iter().zip(&upper).filter(|(lower, upper)| lower != upper);
    match (other.next(), other.next()) {
        (Some((lower, upper)), None) => EDGES.contains(&(lower.as_str(), upper.as_str())),
        _ => false,
    }
}

/// Sets the ranges of the value axes: the same range in each group, unless it would hide the values
/// of one of them.
pub(crate) fn set_ranges(panels: &mut [Panel], rows: usize) {
    let mut own = Vec::new();
    for panel in &*panels {
        let mut range = None;
        panel.see_samples(&mut |sample| Range::extend(&mut range, sample.value));
        own.push(range);
    }
    for row in 0..rows {
        let of_row = || own.iter().skip(row).step_by(rows).flatten();
        let Some(all) = of_row().copied().reduce(Range::union) else { continue };
        let is_shared = of_row().all(|range| range.is_readable_in(all));
        for (panel, own) in panels.iter_mut().zip(&own).skip(row).step_by(rows) {
            let range = if is_shared { all } else { own.unwrap_or(all) }.padded();
            panel.values = (range.low, range.high);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::are_edges;

    #[test]
    fn bands_are_recognized_by_their_names() {
        for (lower, upper) in [
            ("lower", "upper"),
            ("min", "max"),
            ("usage_lower", "usage_upper"),
            ("Lower.bound", "Upper.bound"),
            ("temp-lo", "temp-hi"),
        ] {
            assert!(are_edges(lower, upper), "{lower} and {upper}");
            assert!(!are_edges(upper, lower), "{upper} and {lower}");
        }
        for (lower, upper) in [("lower", "lower"), ("a_min", "b_max"), ("below", "above"), ("", "")]
        {
            assert!(!are_edges(lower, upper), "{lower} and {upper}");
        }
    }
}
