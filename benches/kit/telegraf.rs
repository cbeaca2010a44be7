//! A UDF under a writer of one line per write, as Telegraf is one, compared with `cat` under the
//! same writer.

use std::error::Error;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::echo::ROUNDS;
use crate::programs::example;
use crate::table::{Goal, Table, median};

/// The number of lines of a turn.
const LINES: usize = 400_000;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let mirror = example("mirror")?;
    for fields in [3, 7, 11] {
        let lines: Vec<Vec<u8>> = (0..1000).map(|number| line(number, fields)).collect();
        let length = lines.iter().map(Vec::len).sum::<usize>() / lines.len();
        let (mut shares, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let alone = lines_per_second(&mut Command::new("cat"), &lines)?;
            let rate = lines_per_second(Command::new(&mirror).arg("telegraf"), &lines)?;
            shares.push(rate / alone);
            rates.push(rate / 1e6);
        }
        let goal = Goal::AtLeast { reach: 0.60, beyond: 0.75 };
        let what = format!("mirror in Telegraf, of cat, lines of {length} bytes");
        table.row(&what, median(shares), "", goal);
        println!("  median of the UDF: {:.2} million lines a second", median(rates));
    }
    Ok(())
}

/// Returns a metric of Telegraf's `cpu`, with three tags, floats as Telegraf writes them, and an
/// integer.
pub(crate) fn line(number: u64, floats: u64) -> Vec<u8> {
    let fields = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest"];
    let mut line = format!("cpu,cpu=cpu{},host=node1,rack=r{} ", number % 8, number % 3);
    for place in 0..floats {
        let (field, share) =
            (fields[place as usize % 9], (number * 7919 + place * 104_729) % 100_003);
        line += &format!("usage_{field}{}={},", place / 9, share as f64 / 1000.03);
    }
    line += &format!("uptime={number}i {}\n", 1_700_000_000_000_000_000 + number * 1_000_000_000);
    line.into_bytes()
}

/// Plays the lines to a program until it has returned all. Returns the lines per second.
fn lines_per_second(command: &mut Command, lines: &[Vec<u8>]) -> Result<f64, Box<dyn Error>> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().ok_or("stdin is piped")?;
    let mut output = child.stdout.take().ok_or("stdout is piped")?;
    let mut byte = [0];
    // The start of the program does not count.
    input.write_all(&lines[0])?;
    while output.read(&mut byte)? == 1 && byte != *b"\n" {}
    let reader = thread::spawn(move || {
        let (mut buffer, mut count) = (vec![0; 64 << 10], 0);
        loop {
            match output.read(&mut buffer) {
                Ok(0) => return Ok(count),
                Ok(read) => count += buffer[..read].iter().filter(|byte| **byte == b'\n').count(),
                Err(error) => return Err(error),
            }
        }
    });
    let begun = Instant::now();
    lines.iter().cycle().take(LINES).try_for_each(|line| input.write_all(line))?;
    drop(input);
    let count = reader.join().map_err(|_| "the reader panicked")??;
    let seconds = begun.elapsed().as_secs_f64();
    if !child.wait()?.success() || count != LINES {
        return Err(format!("{count} of {LINES} lines came back").into());
    }
    Ok(LINES as f64 / seconds)
}
