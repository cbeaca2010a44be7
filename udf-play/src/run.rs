//! One run for the page: the values of its form, played and drawn.

use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use udf_plot::{Look, Picture};
use udf_proto::{Info, OptionCall, ValueType};
use udf_text::describe::{command_line, node_call};
use udf_text::line_protocol::{Grouping, Precision};
use udf_text::{duration, options};

use crate::latest::Run;
use crate::problems::{self, Problem};
use crate::{Connect, Page, Play};

/// The narrowest and the widest picture, in pixels.
const WIDTHS: std::ops::RangeInclusive<u32> = 280..=4000;

/// The values of the page. Two settings are compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    one: Setting,
    other: Option<Setting>,
    /// The width of a picture, in pixels.
    width: u32,
}

/// The values of one form.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    options: Vec<Typed>,
    /// The tags to group by, or `*` alone.
    group_by: Vec<String>,
    by_name: bool,
    /// The length of windows, or empty.
    every: String,
}

/// The call of an option, as its arguments are typed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    name: String,
    args: Vec<String>,
}

/// The results of all settings.
#[derive(Serialize)]
pub(crate) struct Response {
    results: Vec<Shown>,
    /// The last log lines of the UDF, in the run of all settings.
    log: Vec<String>,
    /// The duration of the run and of the drawing.
    milliseconds: u64,
}

/// The result of one setting.
#[derive(Default, Serialize)]
struct Shown {
    svg: Option<String>,
    /// The errors. Empty with a picture.
    problems: Vec<Problem>,
    /// An error of the length of windows.
    every_problem: Option<String>,
    notes: Vec<String>,
    tickscript: Option<String>,
    command: Option<String>,
    points_in: u64,
    points_out: u64,
    #[serde(skip)]
    picture: Option<Picture>,
}

/// Plays all settings of a request at once.
pub(crate) fn play(
    page: &Page<'_>,
    connect: Connect<'_>,
    run: &Run,
    request: &Request,
) -> Response {
    let started = Instant::now();
    page.play.log.clear();
    let Request { one, other, width } = request;
    let mut results = thread::scope(|scope| {
        let other = other
            .as_ref()
            .map(|setting| scope.spawn(move || play_one(page, connect, run, setting)));
        let one = play_one(page, connect, run, one);
        let other = other.map(|other| other.join().expect("a run does not panic"));
        [one].into_iter().chain(other).collect::<Vec<_>>()
    });
    if let [Shown { picture: Some(one), .. }, Shown { picture: Some(other), .. }] = &mut results[..]
    {
        one.share_axes(other);
    }
    let look = Look { width: (*width).clamp(*WIDTHS.start(), *WIDTHS.end()), ..Look::default() };
    for shown in &mut results {
        shown.svg = shown.picture.as_ref().map(|picture| picture.svg(&look));
    }
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Response { results, log: page.play.log.all(), milliseconds }
}

fn play_one(page: &Page<'_>, connect: Connect<'_>, run: &Run, setting: &Setting) -> Shown {
    let Page { play, info, .. } = page;
    let mut shown = Shown::default();
    let grouping = match setting.group_by.iter().any(|tag| tag == "*") {
        true => Grouping::by_all_tags(),
        false => Grouping::by(&setting.group_by),
    };
    let every = match setting.every.trim() {
        "" => Ok(None),
        text => duration::positive(text).map(Some),
    };
    let every = every.unwrap_or_else(|error| {
        shown.every_problem = Some(error.to_string());
        None
    });
    let typed: Vec<_> = setting.options.iter().map(|typed| typed.argument(info)).collect();
    let calls = options::parse(info, &typed).unwrap_or_else(|error| {
        shown.problems = problems::of_options(error);
        Vec::new()
    });
    if !shown.problems.is_empty() || shown.every_problem.is_some() {
        return shown;
    }
    let replay = play.replay.clone();
    let replay = replay
        .options(typed)
        .grouping(grouping.by_name(setting.by_name))
        .every(every.map(|every| i64::try_from(every.as_nanos()).unwrap_or(i64::MAX)));
    let (public_calls, public_options) = without_secrets(play, &calls, &replay.options);
    shown.tickscript = Some(tickscript(play, setting, every, &public_calls));
    shown.command = Some(command(play, setting, every.is_some(), &public_options));
    let reader = match play.input.reader() {
        Ok(reader) => reader,
        Err(error) => {
            shown.problems = vec![Problem::general(error)];
            return shown;
        }
    };
    let plot = udf_plot::Settings {
        name: play.udf.name.clone(),
        secrets: play.udf.secrets(),
        source: play.source(),
        utc: play.is_utc,
        on_page: true,
        ..udf_plot::Settings::default()
    };
    let watched = || run.watch(connect());
    match replay.picture(&watched, reader, None, &plot, &mut |_| {}) {
        Ok((mut summary, picture)) => {
            // The form has no field for the precision, which determines how the file is read.
            let precision = summary.likely_precision.take();
            shown.notes.extend(precision.map(precision_note));
            (shown.points_in, shown.points_out) = (summary.points_in, summary.points_out);
            shown.notes.extend(summary.notes());
            let more = picture.notes.iter().filter(|note| !shown.notes.contains(note));
            let more: Vec<_> = more.cloned().collect();
            shown.notes.extend(more);
            shown.picture = Some(picture);
        }
        Err(error) => shown.problems = problems::of_run(error, &play.udf, &calls),
    }
    shown
}

fn precision_note(unit: Precision) -> String {
    format!(
        "all times were read as nanoseconds and are in January 1970; if they have another unit, \
         start `play` again with --precision {unit}"
    )
}

impl Typed {
    /// Returns the call as an argument `-o`.
    fn argument(&self, info: &Info) -> String {
        let types = info.options.get(&self.name).map_or(&[][..], Vec::as_slice);
        if types.is_empty() && self.args.is_empty() {
            return self.name.clone();
        }
        let args = self.args.iter().enumerate().map(|(place, text)| match types.get(place) {
            // Text that no quotes fit is refused when it is parsed.
            Some(ValueType::String) => options::quote(text).unwrap_or_else(|| text.clone()),
            _ => text.clone(),
        });
        format!("{}={}", self.name, args.collect::<Vec<_>>().join(","))
    }
}

/// Returns the calls, and the same calls as arguments `-o`, with `***` for the values of secrets.
fn without_secrets(
    play: &Play,
    calls: &[OptionCall],
    options: &[String],
) -> (Vec<OptionCall>, Vec<String>) {
    let secrets = play.udf.secrets();
    let both = calls.iter().zip(options).map(|(call, option)| {
        if !secrets.contains(&call.name) {
            return (call.clone(), option.clone());
        }
        let hidden = OptionCall { name: call.name.clone(), values: vec!["***".into()] };
        (hidden, format!("{}=***", call.name))
    });
    both.unzip()
}

/// Returns the lines of a TICKscript for the values: the groups, the windows, and the call.
fn tickscript(
    play: &Play,
    setting: &Setting,
    every: Option<Duration>,
    calls: &[OptionCall],
) -> String {
    let mut text = String::new();
    if !setting.group_by.is_empty() || setting.by_name {
        let tags = setting.group_by.iter().map(|tag| match tag.as_str() {
            "*" => "*".to_owned(),
            tag => udf_proto::Value::from(tag).to_string(),
        });
        text += &format!("    |groupBy({})\n", tags.collect::<Vec<_>>().join(", "));
    }
    if setting.by_name {
        text += "        .byMeasurement()\n";
    }
    if every.is_some() {
        let every = setting.every.trim();
        text += &format!(
            "    |window()\n        .period({every})\n        .every({every})\n        .align()\n"
        );
    }
    text + &node_call(&play.udf.name, calls)
}

/// Returns the command line that plays the file with the values, and draws the same picture.
fn command(play: &Play, setting: &Setting, has_every: bool, options: &[String]) -> String {
    let mut words = play.words.clone();
    words.push(play.input.path().to_string_lossy().into_owned());
    for option in options {
        words.extend(["-o".to_owned(), option.clone()]);
    }
    if !setting.group_by.is_empty() {
        words.extend(["--group-by".to_owned(), setting.group_by.join(",")]);
    }
    words.extend(setting.by_name.then(|| "--by-name".to_owned()));
    if has_every {
        words.extend(["--every".to_owned(), setting.every.trim().to_owned()]);
    }
    words.extend(play.reading.iter().cloned());
    words.extend(["--plot".to_owned(), format!("{}.svg", play.udf.name)]);
    words.extend(play.is_utc.then(|| "--utc".to_owned()));
    words.extend(play.words_behind.iter().cloned());
    command_line(&words)
}
