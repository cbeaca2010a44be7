//! Chooses the fields of a picture.

use crate::picture::Side;
use crate::settings::Settings;
use crate::track::{Kind, Track};
use crate::words::instead;

/// The maximum number of input fields in a picture without `--plot-fields`.
const INPUTS: usize = 4;

/// The maximum number of output fields in a picture without `--plot-fields`.
const OUTPUTS: usize = 8;

/// The fields of a picture.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) fields: Vec<Field>,
}

/// A field of one side.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) side: Side,
    /// The place among the fields of its track.
    pub(crate) place: usize,
    /// Whether the values are marks, and the place of the series that they are on.
    pub(crate) marks: Option<Option<usize>>,
    /// Whether the field is a bool, with marks where it is true.
    pub(crate) is_flag: bool,
}

/// Chooses the fields.
pub(crate) fn choose(
    settings: &Settings,
    input: &Track,
    output: &Track,
    notes: &mut Vec<String>,
) -> Chosen {
    let inputs: Vec<_> = input.collected(Kind::Number).collect();
    let outputs: Vec<_> = output.collected(Kind::Number).collect();
    let is_wanted = |name: &str| settings.fields.iter().any(|field| field == name);
    let is_chosen = |name: &str| settings.fields.is_empty() || is_wanted(name);
    note_unknown(settings, input, output, notes);

    let mut fields = choose_inputs(settings, input, &inputs, &outputs);
    let shown = fields.len();
    if settings.fields.is_empty() && shown < inputs.len() && input.wants_none_of(&fields) {
        notes.push(format!(
            "{shown} of {} input fields{}",
            inputs.len(),
            settings.selects_others("--plot-fields")
        ));
    }
    let (mut same, mut left_out) = (0, 0);
    for (place, name) in outputs.iter().filter(|(_, name)| is_chosen(name)) {
        let carried = output.checks.are_carried(*place, &input.checks);
        let of_input = inputs.iter().find(|(_, input)| input == name).map(|(place, _)| *place);
        let shown =
            fields.iter().position(|field| field.side == Side::Input && field.name == *name);
        let fewer = of_input.map_or(1.0, |of_input| {
            output.count(*place) as f64 / (input.count(of_input) as f64).max(1.0)
        });
        let field = Field {
            name: (*name).to_owned(),
            side: Side::Output,
            place: *place,
            marks: None,
            is_flag: false,
        };
        match (carried, shown) {
            // The UDF has selected these points.
            (true, Some(on)) if fewer <= 0.5 => {
                fields.push(Field { marks: Some(Some(on)), ..field });
            }
            (true, Some(_)) if fewer >= 1.0 => same += 1,
            (true, None) if !is_wanted(name) => {}
            _ if fields.len() >= shown_limit(settings) => left_out += 1,
            _ => fields.push(field),
        }
    }
    if left_out > 0 {
        let others = settings.selects_others("--plot-fields");
        notes.push(format!("{left_out} more output fields{others}"));
    }
    add_flags(settings, input, output, &mut fields);
    let changes = fields.iter().any(|field| field.side == Side::Output);
    note_missing(input, output, same > 0 && !changes, notes);
    Chosen { fields }
}

fn shown_limit(settings: &Settings) -> usize {
    INPUTS + OUTPUTS + settings.fields.len() * 2
}

/// Chooses the input fields: those that the user or an option of the UDF names, else those that the
/// output has, too, else the first ones.
fn choose_inputs(
    settings: &Settings,
    input: &Track,
    inputs: &[(usize, &str)],
    outputs: &[(usize, &str)],
) -> Vec<Field> {
    let is_named = |name: &str| match settings.fields.is_empty() {
        true => input.is_wanted(name),
        false => settings.fields.iter().any(|field| field == name),
    };
    let named: Vec<_> = inputs.iter().filter(|(_, name)| is_named(name)).collect();
    let in_both = |name: &str| outputs.iter().any(|(_, output)| *output == name);
    let in_both: Vec<_> = inputs.iter().filter(|(_, name)| in_both(name)).take(INPUTS).collect();
    let chosen = match () {
        () if !named.is_empty() || !settings.fields.is_empty() => named,
        () if !in_both.is_empty() => in_both,
        () => inputs.iter().take(INPUTS).collect(),
    };
    let field = |(place, name): &(usize, &str)| Field {
        name: (*name).to_owned(),
        side: Side::Input,
        place: *place,
        marks: None,
        is_flag: false,
    };
    chosen.into_iter().map(field).collect()
}

/// Adds the bool fields of the output, as marks on the first series.
fn add_flags(settings: &Settings, input: &Track, output: &Track, fields: &mut Vec<Field>) {
    let is_chosen =
        |name: &str| settings.fields.is_empty() || settings.fields.iter().any(|f| f == name);
    let of_input: Vec<_> = input.collected(Kind::Bool).map(|(_, name)| name).collect();
    let base = (!fields.is_empty()).then_some(0);
    for (place, name) in output.collected(Kind::Bool) {
        let is_new = !of_input.contains(&name) || !settings.fields.is_empty();
        if is_chosen(name) && is_new && output.count(place) > 0 {
            fields.push(Field {
                name: name.to_owned(),
                side: Side::Output,
                place,
                marks: Some(base),
                is_flag: true,
            });
        }
    }
}

/// Adds notes about names of the user that no point has.
fn note_unknown(settings: &Settings, input: &Track, output: &Track, notes: &mut Vec<String>) {
    let tracks = [input, output];
    let known = tracks.iter().flat_map(|track| &track.fields);
    let known = known.filter(|field| field.kind != Kind::Text).map(|field| field.name.as_str());
    let mut names: Vec<&str> = Vec::new();
    for name in known {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for name in settings.fields.iter().filter(|name| !names.contains(&name.as_str())) {
        let instead = instead(name, names.iter().copied());
        notes.push(format!("no point has a number in the field `{name}`; {instead}"));
    }
}

/// Adds notes about what cannot be seen.
fn note_missing(input: &Track, output: &Track, is_same: bool, notes: &mut Vec<String>) {
    let texts = |track: &Track| {
        let texts = track.fields.iter().filter(|field| field.kind == Kind::Text);
        texts.map(|field| format!("`{}`", field.name)).collect::<Vec<_>>()
    };
    match (input.points, output.points) {
        (0, 0) => notes.push("there are no points in the input".to_owned()),
        (_, 0) => notes.push("no point came back".to_owned()),
        _ if is_same => notes.push("the output has the same values as the input".to_owned()),
        _ => {}
    }
    let is_numeric = |track: &Track| track.fields.iter().any(|field| field.kind == Kind::Number);
    // Without a field, no point is in a group of the picture.
    let has_field = !(input.fields.is_empty() && output.fields.is_empty());
    if has_field && !is_numeric(input) && !is_numeric(output) {
        notes.push("no field is a number, so there is nothing to draw".to_owned());
    }
    let known = texts(input);
    let new: Vec<_> = texts(output).into_iter().filter(|name| !known.contains(name)).collect();
    if !new.is_empty() {
        notes.push(format!("text cannot be drawn: {}", new.join(", ")));
    }
}

impl Track {
    /// Returns whether neither the user nor an option names the fields.
    fn wants_none_of(&self, fields: &[Field]) -> bool {
        !fields.iter().any(|field| self.is_wanted(&field.name))
    }
}
