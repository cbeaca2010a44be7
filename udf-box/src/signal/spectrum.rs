//! The energy of a signal in bands of frequencies.

use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};
use udf_runtime::options::{FieldName, OptionType};
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Group, Point, Result, Stream, StreamUdf, Task, udf};

use crate::common::scaled::Scaled;
use crate::common::{number, seconds};

/// The energy of a field in bands of frequencies, over windows of points at regular times.
#[udf(wants = stream, provides = stream)]
pub struct Spectrum {
    /// Field to read.
    #[option]
    field: FieldName,
    /// A band: its name, its lowest frequency, and the frequency at which it ends, in hertz. Call it
    /// once for each band.
    #[option(len = ..=100, example = ("slow", 0.0, 0.1))]
    band: Vec<Band>,
    /// Number of points in a window.
    #[option(default = 256, range = 4..=8192)]
    size: usize,
    /// Number of points from one window to the next. Defaults to half of `size`.
    #[option(range = 1..=8192)]
    step: Option<usize>,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 1000, range = 1..)]
    max_groups: usize,
    /// The times and values of the open window.
    #[state(made_with = field, max = max_groups)]
    windows: Groups<VecDeque<(i64, f64)>>,
    transform: Option<Arc<dyn RealToComplex<f64>>>,
    /// The weights of the points in a window, and the sum of their squares.
    weights: Vec<f64>,
}

/// A range of frequencies.
#[derive(Debug, OptionType)]
struct Band {
    name: String,
    from: f64,
    to: f64,
}

impl Spectrum {
    /// Returns the energies of the frequencies, each a multiple of the first, which is returned, too.
    fn energies(&self, window: &VecDeque<(i64, f64)>) -> Result<Option<(f64, Vec<f64>)>> {
        let (Some(transform), Some((first, _)), Some((last, _))) =
            (&self.transform, window.front(), window.back())
        else {
            return Ok(None);
        };
        let length = seconds(*first, *last) * self.size as f64 / (self.size - 1) as f64;
        if length <= 0.0 {
            return Ok(None);
        }
        let scaled = Scaled::new(&window.iter().map(|(_, value)| *value).collect::<Vec<_>>());
        let mean = scaled.values.iter().sum::<f64>() / self.size as f64;
        let weighted = scaled.values.iter().zip(&self.weights).map(|(value, w)| (value - mean) * w);
        let mut weighted: Vec<_> = weighted.collect();
        let mut found = transform.make_output_vec();
        transform.process(&mut weighted, &mut found)?;
        let squares = self.weights.iter().map(|weight| weight * weight).sum::<f64>();
        let (last, is_even) = (found.len() - 1, self.size.is_multiple_of(2));
        let energy = |(place, value): (usize, &realfft::num_complex::Complex<f64>)| {
            // All others are in the spectrum twice, with their negative frequency.
            let sides = if place == 0 || is_even && place == last { 1.0 } else { 2.0 };
            scaled.square(sides * value.norm_sqr() / (self.size as f64 * squares))
        };
        Ok(Some((1.0 / length, found.iter().enumerate().map(energy).collect())))
    }

    fn send(
        &self,
        group: &Group,
        time: i64,
        (unit, energies): (f64, Vec<f64>),
        out: &mut Emitter<Stream>,
    ) -> Result<()> {
        let sum = |energies: &mut dyn Iterator<Item = f64>| energies.sum::<f64>().min(f64::MAX);
        let mut point = out.build_in(group).time(time);
        for Band { name, from, to } in &self.band {
            let is_in = |place: usize| (*from..*to).contains(&(place as f64 * unit));
            let inside = energies.iter().enumerate().filter(|(place, _)| is_in(*place));
            point = point.field(name, sum(&mut inside.map(|(_, energy)| *energy)));
        }
        let strongest = energies.iter().enumerate().skip(1).max_by(|a, b| a.1.total_cmp(b.1));
        let peak = strongest.map_or(0.0, |(place, _)| place as f64 * unit);
        point = point.field("energy", sum(&mut energies.iter().copied()));
        Ok(point.field("peak", peak.min(f64::MAX)).send()?)
    }
}

impl StreamUdf for Spectrum {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        let is_bad = |band: &&Band| {
            band.name.is_empty()
                || ["energy", "peak", "time"].contains(&band.name.as_str())
                || !(0.0..f64::INFINITY).contains(&band.from)
                || band.to.is_nan()
                || band.to <= band.from
        };
        if let Some(Band { name, from, to }) = self.band.iter().find(is_bad) {
            return Err(format!(
                "the band `{name}` from {from} to {to} is invalid; write a name other than `energy`, \
                 `peak` and `time`, a frequency from 0 on, and a higher one"
            )
            .into());
        }
        self.transform = Some(RealFftPlanner::new().plan_fft_forward(self.size));
        // Hann's window.
        let weight = |place| 0.5 - 0.5 * (TAU * place as f64 / self.size as f64).cos();
        self.weights = (0..self.size).map(weight).collect();
        Ok(())
    }

    fn restored(&mut self) -> Result<()> {
        for (_, window) in self.windows.iter_mut() {
            window.drain(..(window.len() + 1).saturating_sub(self.size));
            window.shrink_to(self.size);
        }
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let (time, value) = (point.time(), number(point, &self.field)?);
        let window = self.windows.of(point);
        if window.back().is_some_and(|(last, _)| time < *last) {
            return Ok(());
        }
        window.push_back((time, value));
        if window.len() < self.size {
            return Ok(());
        }
        let whole = window.clone();
        let step = self.step.unwrap_or(self.size / 2).clamp(1, self.size);
        window.drain(..step);
        match self.energies(&whole)? {
            Some(found) => self.send(&Group::from(point), time, found, out),
            None => Ok(()),
        }
    }
}
