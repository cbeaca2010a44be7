//! Ugly series: no UDF fails, sends a NaN or an infinity, or grows without bound.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::running::Row;
use crate::series;
use crate::table::ROWS;

/// Runs seeds for each UDF: a few, or as many as fit into `UDF_BOX_SECONDS` seconds. `UDF_BOX_NAMES`
/// selects UDFs, separated by commas.
fn seeds(mut run: impl FnMut(&Row, u64)) {
    let seconds = std::env::var("UDF_BOX_SECONDS").ok();
    let time = seconds.map(|text| Duration::from_secs(text.parse().expect("a number of seconds")));
    let names = std::env::var("UDF_BOX_NAMES").ok();
    let names: Option<Vec<_>> = names.as_ref().map(|names| names.split(',').collect());
    for row in
        ROWS.iter().filter(|row| names.as_ref().is_none_or(|names| names.contains(&row.name)))
    {
        let started = Instant::now();
        let mut seed = 0;
        while time.map_or(seed < 5, |time| started.elapsed() < time) {
            // Shown if the test fails.
            println!("{}, seed {seed}", row.name);
            run(row, seed);
            seed += 1;
        }
    }
}

#[test]
fn no_series_fails_a_udf() {
    seeds(|row, seed| {
        let options = &row.changed.get(seed as usize % (row.changed.len() + 1));
        let mut task = row.start(options.copied().unwrap_or(row.options));
        for (number, chunk) in series::ugly(seed, 1000).chunks(50).enumerate() {
            task.feed(chunk);
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                task.feed_point(&series::same_everywhere(value, number as i64));
            }
            match (seed as usize + number) % 5 {
                0 => task.restart(),
                1 => task.tick(),
                _ => {}
            }
            task.lines();
        }
        task.end();
    });
}

#[test]
fn extreme_values_do_no_lasting_harm() {
    for (row, seed) in ROWS.iter().flat_map(|row| (0..3).map(move |seed| (row, seed))) {
        let mut task = row.start(row.options);
        for line in series::extreme(seed, 200) {
            task.feed(&[series::of_host(&line, 1)]);
        }
        // The usual points come years later.
        let usual = series::usual(seed, 200).into_iter().zip(0..).map(|(line, second)| {
            series::at_time(&series::of_host(&line, 1), (1_000_000_000 + second) * 1_000_000_000)
        });
        let usual: Vec<_> = usual.collect();
        let (first, rest) = usual.split_at(100);
        task.feed(first);
        task.lines();
        task.feed(rest);
        assert!(row.answers_ticks || !task.lines().is_empty(), "{}, {seed}", row.name);
    }
}

#[test]
fn the_state_is_bounded() {
    for row in ROWS.iter().filter(|row| row.has("maxGroups")) {
        let mut task = row.start(&[row.options, &["maxGroups=5"]].concat());
        let mut size_after = |hosts: Range<usize>, points: usize| {
            for host in hosts {
                for chunk in series::usual(host as u64, points).chunks(500) {
                    task.feed(
                        &chunk.iter().map(|line| series::of_host(line, host)).collect::<Vec<_>>(),
                    );
                }
                task.lines();
            }
            task.snapshot().len()
        };
        let few = size_after(0..10, 50);
        let many = size_after(10..100, 50);
        assert!(many < few * 2 + 1000, "{}: {few} and {many} bytes", row.name);
        let short = size_after(500..505, 500);
        let long = size_after(500..505, 1500);
        assert!(long < short * 3 / 2 + 1000, "{}: {short} and {long} bytes", row.name);
        // Points at one time close no window, and make no other point due.
        let mut size_after = |points: usize| {
            let lines = series::usual(1, points);
            task.feed(&lines.iter().map(|line| series::at_time(line, 0)).collect::<Vec<_>>());
            task.lines();
            task.snapshot().len()
        };
        let (short, long) = (size_after(4000), size_after(12_000));
        assert!(long < short * 3 / 2 + 1000, "{}: {short} and {long} bytes", row.name);
    }
}
