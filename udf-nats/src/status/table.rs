//! The status as text for people.

use std::fmt;

use super::{Partition, Raw, Snapshot, Status, WorkerStatus};

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status { name, server, input, output, grouping, raw, .. } = self;
        let partitions = self.partitions.len();
        writeln!(f, "{name}: {partitions} partitions, from {input} to {output}.*")?;
        match grouping {
            Some(groups) => writeln!(f, "groups:       {groups}")?,
            None => writeln!(f, "groups:       none yet, because no splitter or worker has begun")?,
        }
        writeln!(f, "server:       {server}")?;
        writeln!(f, "dead letters: {}\n", self.dead_letters)?;
        let rows = [raw_row(raw)].into_iter().chain(self.partitions.iter().map(partition_row));
        table(f, ["PARTITION", "OWNER", "POSITION", "LAG", "SNAPSHOT", ""], rows)?;
        writeln!(f)?;
        let rows = self.workers.iter().map(worker_row);
        table(f, ["WORKER", "ROLE", "HOST", "PID", "UP", "PARTITIONS"], rows)
    }
}

fn raw_row(raw: &Raw) -> [String; 6] {
    let position = raw.position.map_or("-".to_owned(), |position| position.to_string());
    let trouble = trouble(raw.failed.as_ref(), raw.retrying.as_ref());
    let trouble = trouble.map_or(String::new(), |trouble| format!("; {trouble}"));
    let note = format!("raw lines, in {}{trouble}", raw.stream);
    let owner = owner(raw.owner.as_ref());
    ["raw".to_owned(), owner, position, raw.lag.to_string(), "-".to_owned(), note]
}

fn partition_row(partition: &Partition) -> [String; 6] {
    let is_silent = partition.owner.is_some() && !partition.is_owner_alive;
    let note = match trouble(partition.failed.as_ref(), partition.retrying.as_ref()) {
        // What it has said before it fell silent may be old.
        _ if is_silent => "its owner does not answer".to_owned(),
        trouble => trouble.unwrap_or_default(),
    };
    let snapshot = match &partition.snapshot {
        None => "none".to_owned(),
        Some(Snapshot { bytes, age, .. }) => format!("{}, {} ago", size(*bytes), time(*age)),
    };
    [
        partition.number.to_string(),
        owner(partition.owner.as_ref()),
        partition.position.to_string(),
        partition.lag.to_string(),
        snapshot,
        note,
    ]
}

/// Returns what keeps a partition from going on, if something does.
fn trouble(failed: Option<&String>, retrying: Option<&String>) -> Option<String> {
    let failed = failed.map(|why| format!("stopped: {why}"));
    failed.or_else(|| retrying.map(|why| format!("trying again: {why}")))
}

fn worker_row(worker: &WorkerStatus) -> [String; 6] {
    let partitions: Vec<_> = worker.partitions.iter().map(u32::to_string).collect();
    let partitions = match (worker.is_alive, worker.role, &partitions[..]) {
        (false, ..) => "does not answer".to_owned(),
        (_, "splitter", []) => "stands by".to_owned(),
        (_, "splitter", _) => "raw".to_owned(),
        (_, _, []) => "-".to_owned(),
        (_, _, partitions) => partitions.join(" "),
    };
    [
        worker.name.clone(),
        worker.role.to_owned(),
        worker.host.clone(),
        worker.pid.to_string(),
        time(worker.uptime),
        partitions,
    ]
}

fn owner(owner: Option<&String>) -> String {
    owner.cloned().unwrap_or_else(|| "nobody".to_owned())
}

/// Writes rows with columns of one width each.
fn table(
    f: &mut fmt::Formatter<'_>,
    head: [&str; 6],
    rows: impl Iterator<Item = [String; 6]>,
) -> fmt::Result {
    let rows: Vec<_> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..6).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Returns a size in bytes as people read it.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// Returns a time in seconds as people read it.
fn time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nats::Groups;

    #[test]
    fn the_table_shows_what_needs_attention() {
        let status = Status {
            name: "ma".to_owned(),
            server: "2.15.1".to_owned(),
            input: "telegraf.raw".to_owned(),
            output: "derived.ma".to_owned(),
            grouping: Some(Groups { tags: vec!["host".to_owned()], by_name: false }),
            raw: Raw {
                failed: Some("up to 5 messages are lost".to_owned()),
                retrying: None,
                stream: "ma-raw".to_owned(),
                owner: Some("n1-7-ab12cd".to_owned()),
                position: Some(1200),
                lag: 3,
            },
            partitions: vec![
                Partition {
                    number: 0,
                    owner: Some("n1-8-ef34ab".to_owned()),
                    is_owner_alive: true,
                    failed: None,
                    retrying: Some("cannot read the state: no answer within 5s".to_owned()),
                    position: 1201,
                    lag: 0,
                    snapshot: Some(Snapshot { position: 1190, bytes: 12_345, age: 4 }),
                },
                Partition {
                    number: 1,
                    owner: Some("n2-9-ff00aa".to_owned()),
                    is_owner_alive: false,
                    failed: None,
                    retrying: None,
                    position: 17,
                    lag: 1184,
                    snapshot: None,
                },
            ],
            workers: vec![WorkerStatus {
                name: "n1-8-ef34ab".to_owned(),
                role: "worker",
                host: "n1".to_owned(),
                pid: 8,
                version: "0.1.0".to_owned(),
                is_alive: true,
                uptime: 7300,
                partitions: vec![0],
            }],
            dead_letters: 2,
        };
        let expected = "\
ma: 2 partitions, from telegraf.raw to derived.ma.*
groups:       --group-by 'host'
server:       2.15.1
dead letters: 2

PARTITION  OWNER        POSITION  LAG   SNAPSHOT
raw        n1-7-ab12cd  1200      3     -              raw lines, in ma-raw; stopped: up to 5 messages are lost
0          n1-8-ef34ab  1201      0     12 kB, 4s ago  trying again: cannot read the state: no answer within 5s
1          n2-9-ff00aa  17        1184  none           its owner does not answer

WORKER       ROLE    HOST  PID  UP  PARTITIONS
n1-8-ef34ab  worker  n1    8    2h  0
";
        assert_eq!(status.to_string(), expected);
    }
}
