//! Compares measured figures with their targets.

/// The target of a figure, and the figure that exceeds it. `NAN` means that no figure does.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtLeast { reach: f64, beyond: f64 },
    AtMost { reach: f64, beyond: f64 },
}

/// The rows of a run.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 5]>,
}

impl Table {
    /// Prints a row now, and keeps it for the end.
    pub(crate) fn row(&mut self, measure: &str, figure: f64, unit: &str, goal: Goal) {
        let (reach, beyond, reached, is_beyond) = match goal {
            Goal::AtLeast { reach, beyond } => (reach, beyond, figure >= reach, figure >= beyond),
            Goal::AtMost { reach, beyond } => (reach, beyond, figure <= reach, figure <= beyond),
        };
        let verdict = match (reached, is_beyond) {
            (_, true) => "stretch target met".to_owned(),
            (true, false) => "met".to_owned(),
            (false, _) => {
                format!("MISSED: {:.2} of the target", (figure / reach).min(reach / figure))
            }
        };
        let row = [
            measure.to_owned(),
            with(figure, unit),
            with(reach, unit),
            with(beyond, unit),
            verdict,
        ];
        println!(
            "  {}: {} (target {}, stretch target {}): {}",
            row[0], row[1], row[2], row[3], row[4]
        );
        self.rows.push(row);
    }

    /// Prints all rows again, together.
    pub(crate) fn print(&self) {
        if self.rows.is_empty() {
            return;
        }
        let head = ["measure", "figure", "target", "stretch target", "verdict"].map(str::to_owned);
        let lines = || std::iter::once(&head).chain(&self.rows);
        let width =
            |column: usize| lines().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3].map(width);
        println!();
        for [measure, figure, reach, beyond, verdict] in lines() {
            println!(
                "{measure:w0$}  {figure:>w1$}  {reach:>w2$}  {beyond:>w3$}  {verdict}",
                w0 = widths[0],
                w1 = widths[1],
                w2 = widths[2],
                w3 = widths[3],
            );
        }
    }
}

fn with(figure: f64, unit: &str) -> String {
    let figure = match figure {
        none if none.is_nan() => return "-".to_owned(),
        whole if whole.fract() == 0.0 => format!("{whole}"),
        large if large >= 20.0 => format!("{large:.0}"),
        small => format!("{small:.2}"),
    };
    if unit.is_empty() { figure } else { format!("{figure} {unit}") }
}

/// Returns the median of the figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
