//! Restarts of Kapacitor: without a change of the task, they do not show.

use crate::running::{Row, Running};
use crate::series;
use crate::table::ROWS;

const POINTS: usize = 300;
/// Points between two ticks, and in a batch.
const CHUNK: usize = 30;

/// Something that happens between two chunks.
type Act<'a> = &'a dyn Fn(&mut dyn Running);

/// Feeds the points, and calls `between` before the chunk of this number.
fn feed(task: &mut dyn Running, points: &[String], between: &[(usize, Act<'_>)]) {
    for (number, chunk) in points.chunks(CHUNK).enumerate() {
        between.iter().filter(|(at, _)| *at == number).for_each(|(_, act)| act(task));
        task.feed(chunk);
        // The groups are silent now and then.
        (0..number % 4 * 2).for_each(|_| task.tick());
    }
}

fn run(row: &Row, points: &[String], restarts: &[usize]) -> Vec<String> {
    let mut task = row.start(row.options);
    let restart: Act<'_> = &|task| task.restart();
    let between: Vec<_> = restarts.iter().map(|at| (*at, restart)).collect();
    feed(&mut *task, points, &between);
    task.end();
    task.lines()
}

#[test]
fn a_restart_in_the_middle_does_not_show() {
    for (row, seed) in ROWS.iter().flat_map(|row| [1, 2].map(|seed| (row, seed))) {
        for points in [series::usual(seed, POINTS), series::ugly(seed, POINTS)] {
            let whole = run(row, &points, &[]);
            for restarts in [&[1][..], &[5], &[1, 2, 3, 4, 5, 6, 7, 8, 9]] {
                assert_eq!(
                    run(row, &points, restarts),
                    whole,
                    "{}, {seed}, {restarts:?}",
                    row.name
                );
            }
        }
        assert!(!run(row, &series::usual(seed, POINTS), &[]).is_empty(), "{} sends none", row.name);
    }
}

#[test]
fn a_task_with_changed_options_goes_on() {
    for (row, seed) in ROWS.iter().flat_map(|row| [1, 2].map(|seed| (row, seed))) {
        assert!(!row.changed.is_empty(), "{} needs other options", row.name);
        let ugly = series::ugly(seed, POINTS);
        for points in [series::usual(seed, POINTS), ugly] {
            for options in row.changed {
                let mut task = row.start(row.options);
                let change: Act<'_> = &|task| task.restart_with(options);
                let back: Act<'_> = &|task| task.restart_with(row.options);
                feed(&mut *task, &points, &[(3, change), (7, back)]);
                task.end();
            }
        }
    }
}

#[test]
fn another_field_begins_anew() {
    let other = |option: &&'static str| match *option {
        "field=v" => "field=x",
        "field=n" => "field=v",
        "field=w" => "field=other",
        option => option,
    };
    for row in ROWS {
        let changed: Vec<_> = row.options.iter().map(other).collect();
        if changed == row.options {
            continue;
        }
        let points = series::usual(3, POINTS);
        let (before, after) = points.split_at(POINTS / 2);
        let mut fresh = row.start(&changed);
        feed(&mut *fresh, after, &[]);
        let mut task = row.start(row.options);
        feed(&mut *task, before, &[]);
        task.lines();
        task.restart_with(&changed);
        feed(&mut *task, after, &[]);
        assert_eq!(task.lines(), fresh.lines(), "{}", row.name);
    }
}
