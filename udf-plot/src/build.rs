//! Makes a picture of two tracks: chooses the fields, and arranges them in panels.

use crate::fields::{Chosen, Field, choose};
use crate::panels;
use crate::picture::{Data, Form, Key, Panel, Picture, Series, Side};
use crate::range::Range;
use crate::series::{Sample, Sorted};
use crate::settings::{Groups, Settings};
use crate::track::Track;
use crate::words::{counted, number};
use crate::zone::Zone;

impl Picture {
    /// Makes a picture of the input and the output of a UDF. `options` are the options of the UDF
    /// as the user has typed them, and follow its name in the title. Both tracks must have the same
    /// settings.
    pub fn new(settings: &Settings, options: &[String], input: Track, output: Track) -> Picture {
        let mut notes = Vec::new();
        let groups = groups(settings, &input, &output, &mut notes);
        let chosen = choose(settings, &input, &output, &mut notes);
        let (points_in, points_out) = (input.points, output.points);
        let unfit = input.unfit + output.unfit;
        if unfit > 0 {
            notes
                .push(format!("{} not finite: left out", counted(unfit, "value is", "values are")));
        }
        let (panels, legend) = arrange(settings, &chosen, &groups, input, output, &mut notes);
        let times = times(&panels);
        let source = Some(settings.source.as_str()).filter(|source| !source.is_empty());
        let counts =
            format!("{} in, {} out", counted(points_in, "point", "points"), number(points_out));
        Picture {
            title: title(settings, options),
            subtitle: source.into_iter().chain([counts.as_str()]).collect::<Vec<_>>().join(": "),
            legend,
            panels,
            times,
            notes,
            zone: if settings.utc { Zone::utc() } else { Zone::local() },
        }
    }
}

/// Returns the name of the UDF, and its options as the user has typed them.
fn title(settings: &Settings, options: &[String]) -> String {
    let mut title = settings.name.clone();
    for option in options {
        title.push(' ');
        match option.split_once('=') {
            Some((name, _)) if settings.secrets.iter().any(|secret| secret == name.trim()) => {
                title.push_str(name);
                title.push_str("=***");
            }
            _ => title.push_str(option),
        }
    }
    title
}

/// Returns the names of the groups in the picture.
fn groups(
    settings: &Settings,
    input: &Track,
    output: &Track,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let mut all: Vec<&String> = Vec::new();
    for group in input.groups.iter().chain(&output.groups) {
        if let Err(place) = all.binary_search(&&group.name) {
            all.insert(place, &group.name);
        }
    }
    let most = match &settings.groups {
        Groups::First(most) => (*most).clamp(1, Groups::MOST),
        Groups::Named(_) => Groups::MOST,
    };
    let mut shown: Vec<String> = all.iter().take(most).map(|name| (*name).clone()).collect();
    let others = input.others.union(&output.others).count() + all.len() - shown.len();
    match &settings.groups {
        Groups::Named(names) => {
            // In the order in which the user has named them.
            shown = names.iter().filter(|name| all.contains(name)).take(most).cloned().collect();
            for name in names.iter().filter(|name| !all.contains(name)) {
                notes.push(format!("no point has the group `{name}`"));
            }
        }
        Groups::First(_) if others > 0 => {
            let more =
                if input.has_uncounted() || output.has_uncounted() { "more than " } else { "" };
            notes.push(format!(
                "the first {} by name, of {more}{} groups{}",
                shown.len(),
                number((shown.len() + others) as u64),
                settings.selects_others("--plot-groups")
            ));
        }
        Groups::First(_) => {}
    }
    shown
}

/// Makes the panels of all groups.
fn arrange(
    settings: &Settings,
    chosen: &Chosen,
    groups: &[String],
    mut input: Track,
    mut output: Track,
    notes: &mut Vec<String>,
) -> (Vec<Panel>, Vec<Key>) {
    let mut data: Vec<Vec<Option<Sorted>>> = Vec::new();
    let mut shared_times = 0;
    for group in groups {
        let of_group = chosen.fields.iter().map(|field| {
            let track = if field.side == Side::Input { &mut input } else { &mut output };
            let place = track.place(group).ok()?;
            Some(track.groups[place].take(field.place)?.sorted())
        });
        let of_group: Vec<_> = of_group.collect();
        shared_times += usize::from(of_group.iter().zip(&chosen.fields).any(|(sorted, field)| {
            let is_input = field.side == Side::Input;
            is_input && sorted.as_ref().is_some_and(has_shared_times)
        }));
        data.push(of_group);
    }
    if shared_times > 0 {
        let separate = match settings.on_page {
            true => "group by more tags to separate them",
            false => "--group-by separates them by tags",
        };
        notes.push(format!("several points of a group have the same time: {separate}"));
    }
    let mut ranges = vec![None; chosen.fields.len()];
    for group in &data {
        for (sorted, range) in group.iter().zip(&mut ranges) {
            for sample in sorted.iter().flat_map(|sorted| &sorted.samples) {
                Range::extend(range, sample.value);
            }
        }
    }
    let layout = panels::layout(chosen, &ranges);
    let legend: Vec<Key> = layout.keys.iter().map(|key| key.key.clone()).collect();
    let mut panels = Vec::new();
    for (name, data) in groups.iter().zip(&data) {
        for rows in 0..layout.rows {
            let mut of_row = Vec::new();
            // Bands are behind lines, and lines behind marks.
            for form in [Form::Band, Form::Line, Form::Marks] {
                for (place, key) in layout.keys.iter().enumerate() {
                    if key.row == rows
                        && key.key.form == form
                        && let Some(data) = series(&key.fields, &chosen.fields, data)
                    {
                        of_row.push(Series { key: place, data });
                    }
                }
            }
            panels.push(Panel {
                group: name.replace('\n', ", "),
                label: layout.labels[rows].clone(),
                values: (0.0, 0.0),
                series: of_row,
            });
        }
    }
    panels::set_ranges(&mut panels, layout.rows);
    panels.retain(|panel| !panel.series.is_empty());
    (panels, legend)
}

/// Returns whether many samples have the time of the one before.
fn has_shared_times(sorted: &Sorted) -> bool {
    let equal = sorted.samples.windows(2).filter(|pair| pair[0].time == pair[1].time).count();
    // A series that was thinned has many values in a pixel column.
    sorted.samples.len() as u64 == sorted.count && equal * 4 > sorted.samples.len()
}

/// Returns the data of one entry of the legend in one group.
fn series(places: &[usize], fields: &[Field], data: &[Option<Sorted>]) -> Option<Data> {
    match *places {
        [lower, upper] => {
            let (lower, upper) = (data[lower].as_ref()?.runs(), data[upper].as_ref()?.runs());
            Some(Data::Band(lower.into_iter().zip(upper).collect()))
        }
        [place] => match fields[place].marks {
            Some(on) => {
                let base = on.and_then(|on| data[on].as_ref());
                let mark = |sample: &Sample| {
                    let value = if fields[place].is_flag {
                        base.and_then(|base| base.at(sample.time)).unwrap_or(sample.value)
                    } else {
                        sample.value
                    };
                    Sample { time: sample.time, value }
                };
                Some(Data::Marks(data[place].as_ref()?.samples.iter().map(mark).collect()))
            }
            None => Some(Data::Line(data[place].as_ref()?.runs())),
        },
        _ => None,
    }
}

fn times(panels: &[Panel]) -> Option<(i64, i64)> {
    let mut times: Option<(i64, i64)> = None;
    for panel in panels {
        panel.see_samples(&mut |sample| {
            let (first, last) = times.unwrap_or((sample.time, sample.time));
            times = Some((first.min(sample.time), last.max(sample.time)));
        });
    }
    times
}
