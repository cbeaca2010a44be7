//! A UDF under a writer of one line per write, as Telegraf is one, compared with `cat` under the
//! same writer. Telegraf formats each metric before it writes the line. A writer whose lines are
//! ready leaves more of the time to the UDF.

use std::error::Error;
use std::io::{self, Read, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::thread;
use std::time::Instant;

use crate::echo::ROUNDS;
use crate::programs::example;
use crate::table::{Goal, Table, median};

/// The number of lines of a turn.
const LINES: usize = 400_000;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let mirror = example("mirror")?;
    for (formats, of) in [(false, "ready lines"), (true, "formatted lines")] {
        for floats in [3, 7, 11] {
            let metrics: Vec<_> = (0..1000).map(|number| Metric::new(number, floats)).collect();
            let lines: Vec<_> = metrics.iter().map(Metric::line).collect();
            let length = lines.iter().map(Vec::len).sum::<usize>() / lines.len();
            let write: &mut WriteLine = if formats {
                &mut |number, input| input.write_all(&metrics[number % metrics.len()].line())
            } else {
                &mut |number, input| input.write_all(&lines[number % lines.len()])
            };
            let (mut shares, mut rates) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let alone = lines_per_second(&mut Command::new("cat"), write)?;
                let rate = lines_per_second(Command::new(&mirror).arg("telegraf"), write)?;
                shares.push(rate / alone);
                rates.push(rate / 1e6);
            }
            let goal = Goal::AtLeast { reach: 0.60, beyond: 0.75 };
            let what = format!("mirror in Telegraf, of cat, {of} of {length} bytes");
            table.row(&what, median(shares), "", goal);
            println!("  median of the UDF: {:.2} million lines a second", median(rates));
        }
    }
    Ok(())
}

/// Returns the line of a metric of Telegraf's `cpu`, with so many floats.
pub(crate) fn line(number: u64, floats: u64) -> Vec<u8> {
    Metric::new(number, floats).line()
}

/// A metric of Telegraf's `cpu`, with three tags, floats and an integer.
struct Metric {
    tags: [(&'static str, String); 3],
    floats: Vec<(String, f64)>,
    uptime: u64,
}

impl Metric {
    fn new(number: u64, floats: u64) -> Self {
        let names =
            ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest"];
        let float = |place: u64| {
            let share = (number * 7919 + place * 104_729) % 100_003;
            (format!("usage_{}{}", names[place as usize % 9], place / 9), share as f64 / 1000.03)
        };
        let tags = [
            ("cpu", format!("cpu{}", number % 8)),
            ("host", "node1".to_owned()),
            ("rack", format!("r{}", number % 3)),
        ];
        Metric { tags, floats: (0..floats).map(float).collect(), uptime: number }
    }

    /// Returns the line, with floats as Telegraf writes them.
    fn line(&self) -> Vec<u8> {
        let mut line = b"cpu".to_vec();
        // Writing to memory does not fail.
        for (name, value) in &self.tags {
            let _ = write!(line, ",{name}={value}");
        }
        line.push(b' ');
        for (name, value) in &self.floats {
            let _ = write!(line, "{name}={value},");
        }
        let time = 1_700_000_000_000_000_000 + self.uptime * 1_000_000_000;
        let _ = writeln!(line, "uptime={}i {time}", self.uptime);
        line
    }
}

/// Writes the line with this number to the stdin of a program, with one call of the system.
type WriteLine<'a> = dyn FnMut(usize, &mut ChildStdin) -> io::Result<()> + 'a;

/// Plays lines to a program until it has returned all. Returns the lines per second.
fn lines_per_second(
    command: &mut Command,
    write: &mut WriteLine<'_>,
) -> Result<f64, Box<dyn Error>> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().ok_or("stdin is piped")?;
    let mut output = child.stdout.take().ok_or("stdout is piped")?;
    let mut byte = [0];
    // The start of the program does not count.
    write(0, &mut input)?;
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
    (0..LINES).try_for_each(|number| write(number, &mut input))?;
    drop(input);
    let count = reader.join().map_err(|_| "the reader panicked")??;
    let seconds = begun.elapsed().as_secs_f64();
    if !child.wait()?.success() || count != LINES {
        return Err(format!("{count} of {LINES} lines came back").into());
    }
    Ok(LINES as f64 / seconds)
}
