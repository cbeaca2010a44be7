//! The report of the measurements, as text for people and as JSON for tools.

use std::fmt::Write as _;

use serde::Serialize;
use udf_host::Writes;
use udf_plot::{Measured, Measurements, Run};
use udf_proto::{EdgeType, Info};

use super::block::Block;
use super::latency::LatencyOf;
use super::{BenchSettings, Load, RoundTrips, Row};
use crate::sample::Sample;
use crate::{Target, Transport};

/// The measurements of a UDF.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The name of the UDF's file.
    pub udf: String,
    /// The transport of the connections.
    pub transport: Transport,
    /// The edge that the UDF wants, `STREAM` or `BATCH`.
    pub wants: &'static str,
    /// The edge that the UDF provides.
    pub provides: &'static str,
    /// The bytes of a point on the wire. Within a batch, including its share of the begin and the
    /// end.
    pub point_bytes: usize,
    /// The number of points in a batch. Null for a stream.
    pub batch_points: Option<usize>,
    /// The number of repetitions of each measurement.
    pub rounds: usize,
    /// A row for each way to write and each number of connections.
    pub rows: Vec<Row>,
}

impl Report {
    pub(super) fn new(
        target: &Target,
        info: &Info,
        settings: &BenchSettings,
        sample: &Sample,
        rows: Vec<Row>,
    ) -> Self {
        let batch = settings.batch.max(1);
        let load = Load::new(info.wants, Writes::Large).batch(batch).sample(sample.clone());
        Report {
            udf: target.name(),
            transport: target.transport(),
            wants: info.wants.name(),
            provides: info.provides.name(),
            point_bytes: Block::point_bytes(&load),
            batch_points: (info.wants == EdgeType::Batch).then_some(batch),
            rounds: settings.rounds.max(1),
            rows,
        }
    }

    /// Returns the report as JSON.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report has a form in JSON");
        text.push('\n');
        text
    }

    /// Returns the report as a picture.
    pub fn picture(&self) -> Measurements {
        let setting = |row: &Row| {
            let plural = if row.connections == 1 { "" } else { "s" };
            let [udf, echo] = &row.round_trips;
            let run = |points_per_second, round_trips: &RoundTrips| Run {
                points_per_second,
                round_trips: round_trips.clone(),
            };
            Measured {
                name: format!("{} writes, {} connection{plural}", row.writes, row.connections),
                udf: run(row.points_per_second_in, udf),
                echo: run(row.echo_points_per_second, echo),
                ratio: row.ratio_to_echo,
            }
        };
        Measurements {
            title: self.title(),
            subtitle: self.points_and_rounds(),
            round_trip: self.round_trip().to_owned(),
            settings: self.rows.iter().map(setting).collect(),
        }
    }

    fn title(&self) -> String {
        let over = match self.transport {
            Transport::Pipe => "pipes",
            Transport::Socket => "a socket",
        };
        format!("{} over {over}", self.udf)
    }

    fn points_and_rounds(&self) -> String {
        let what = match self.batch_points {
            Some(points) => {
                format!("batches of {points} points, {} bytes per point", self.point_bytes)
            }
            None => format!("a stream of points of {} bytes", self.point_bytes),
        };
        let rounds = if self.rounds == 1 {
            "1 round"
        } else {
            &format!("medians of {} rounds", self.rounds)
        };
        format!("{what}; {rounds}")
    }

    fn round_trip(&self) -> &'static str {
        match self.rows.first().map(|row| row.latency_of) {
            Some(LatencyOf::Point) => "a point, until it is answered",
            Some(LatencyOf::Batch) => "a batch, until it is answered",
            _ => "data and a keepalive, until its echo",
        }
    }

    /// Returns the report as tables.
    pub fn to_text(&self) -> String {
        let mut out = format!("{}: {}\n\n", self.title(), self.points_and_rounds());
        let mut table = vec![
            ["writes", "connections", "points/s in", "points/s out", "echo points/s", "of echo"]
                .map(str::to_owned),
        ];
        table.extend(self.rows.iter().map(|row| {
            [
                row.writes.to_owned(),
                row.connections.to_string(),
                thousands(row.points_per_second_in),
                thousands(row.points_per_second_out),
                thousands(row.echo_points_per_second),
                format!("{:.0} %", 100.0 * row.ratio_to_echo),
            ]
        }));
        append_table(&table, &mut out);

        let trip = self.round_trip();
        write!(out, "\nRound trips of {trip}, in µs:\n\n")
            .expect("writing to a string cannot fail");
        let mut table =
            vec![["writes", "connections", "p50", "p99", "max", "echo p50"].map(str::to_owned)];
        table.extend(self.rows.iter().map(|row| {
            [
                row.writes.to_owned(),
                row.connections.to_string(),
                format!("{:.0}", row.latency_us.p50),
                format!("{:.0}", row.latency_us.p99),
                format!("{:.0}", row.latency_us.max),
                format!("{:.0}", row.echo_latency_us.p50),
            ]
        }));
        append_table(&table, &mut out);

        out.push_str("\nCPU and memory of the UDF:\n\n");
        let mut table = vec![
            ["writes", "connections", "CPU s/million points", "peak memory"].map(str::to_owned),
        ];
        let unknown = || "unknown".to_owned();
        table.extend(self.rows.iter().map(|row| {
            [
                row.writes.to_owned(),
                row.connections.to_string(),
                row.cpu_seconds_per_million_points.map_or_else(unknown, |cpu| format!("{cpu:.2}")),
                row.peak_memory_bytes
                    .map_or_else(unknown, |peak| format!("{:.1} MiB", peak as f64 / 1_048_576.0)),
            ]
        }));
        append_table(&table, &mut out);
        out
    }
}

/// Appends a table with the first column aligned left and the others right.
fn append_table<const N: usize>(table: &[[String; N]], out: &mut String) {
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    for row in table {
        let mut line = format!("{:width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            write!(line, "   {cell:>width$}").expect("writing to a string cannot fail");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// Formats a whole number with its digits in groups of three.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_tables_are_easy_to_read() {
        assert_eq!(
            ["1", "999", "1,000", "1,234,568"],
            [1.0, 999.4, 1000.0, 1_234_567.8].map(thousands)
        );
        let mut out = String::new();
        append_table(&[["a", "long"], ["wide", "1"]].map(|row| row.map(str::to_owned)), &mut out);
        assert_eq!(out, "a      long\nwide      1\n");
    }
}
