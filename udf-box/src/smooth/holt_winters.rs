//! Additive Holt-Winters smoothing, point by point.

use serde::{Deserialize, Serialize};
use udf_runtime::options::FieldName;
use udf_runtime::state::Groups;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, udf};

use crate::common::number;

/// Errors that are needed before a value counts as outside of the band.
const TRAINING: u32 = 10;

/// Forecast of the next value from level, trend and season (Holt-Winters), with a band.
#[udf(wants = stream, provides = stream)]
pub struct HoltWinters {
    /// Field to forecast. Its points must come at a regular interval.
    #[option]
    field: FieldName,
    /// Points in a season, such as 1440 for a day of minutes. Defaults to no season.
    #[option(range = 2..=100_000)]
    season: Option<usize>,
    /// Weight of a new value in the level.
    #[option(default = 0.3, range = 0.0..=1.0)]
    alpha: f64,
    /// Weight of a new change of the level in the trend.
    #[option(default = 0.05, range = 0.0..=1.0)]
    beta: f64,
    /// Weight of a new value in the season, and of a new error in the width of the band.
    #[option(default = 0.1, range = 0.0..=1.0)]
    gamma: f64,
    /// Half of the width of the band, in smoothed absolute errors.
    #[option(default = 3.0, above = 0.0)]
    band: f64,
    /// Name of the field with the forecast. The names of the other fields begin with it.
    #[option(default = "forecast")]
    r#as: FieldName,
    /// Groups to keep. With more groups, the least recently used ones begin anew.
    #[option(default = 10_000, range = 1..)]
    max_groups: usize,
    #[state(made_with(field, season), max = max_groups)]
    models: Groups<Model>,
    /// The names of the other fields.
    names: [String; 3],
}

/// The model of a group.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Model {
    time: Option<i64>,
    /// The values of the first two seasons, until the model begins.
    first: Vec<f64>,
    level: f64,
    trend: f64,
    /// The seasonal parts. Empty until the model begins.
    seasons: Vec<f64>,
    /// The position of the next value in the season.
    at: usize,
    /// The smoothed absolute error, and the number of errors, up to [`TRAINING`].
    error: f64,
    errors: u32,
}

/// The weights of new values.
#[derive(Debug, Clone, Copy)]
struct Weights {
    alpha: f64,
    beta: f64,
    gamma: f64,
}

impl Model {
    /// Returns the forecast of the next value.
    fn forecast(&self) -> Option<f64> {
        Some(self.level + self.trend + self.seasons.get(self.at)?)
    }

    /// Begins the model with two seasons: the trend is the change from one to the other.
    fn begin(&mut self, value: f64, season: usize) {
        self.first.push(value);
        if self.first.len() < 2 * season {
            return;
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / season as f64;
        let (one, two) = self.first.split_at(season);
        let (before, after) = (mean(one), mean(two));
        self.trend = (after - before) / season as f64;
        // The means lie in the middle of their seasons, and the level at the end.
        self.level = after + self.trend * (season as f64 - 1.0) / 2.0;
        let part = |at: usize| {
            let line = self.trend * (at as f64 - (season as f64 - 1.0) / 2.0);
            (one[at] - before + two[at] - after) / 2.0 - line
        };
        self.seasons = (0..season).map(part).collect();
        self.first = Vec::new();
    }

    fn add(&mut self, value: f64, forecast: f64, weights: Weights) {
        let Weights { alpha, beta, gamma } = weights;
        let (level, trend) = (self.level, self.trend);
        let part = &mut self.seasons[self.at];
        self.level = alpha * (value - *part) + (1.0 - alpha) * (level + trend);
        self.trend = beta * (self.level - level) + (1.0 - beta) * trend;
        if self.seasons.len() > 1 {
            let part = &mut self.seasons[self.at];
            *part = gamma * (value - level - trend) + (1.0 - gamma) * *part;
        }
        self.at = (self.at + 1) % self.seasons.len();
        let error = (value - forecast).abs();
        let weight = if self.errors == 0 { 1.0 } else { gamma };
        self.error = weight * error + (1.0 - weight) * self.error;
        self.errors = (self.errors + 1).min(TRAINING);
    }

    /// Returns whether no value has left the range of a float.
    fn is_finite(&self) -> bool {
        let last = self.at.checked_sub(1).or(self.seasons.len().checked_sub(1));
        let part = last.map_or(0.0, |last| self.seasons[last]);
        (self.level + self.trend + part + self.error).is_finite()
    }
}

impl StreamUdf for HoltWinters {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        let name = |part: &str| format!("{}_{part}", &*self.r#as);
        self.names = [name("lower"), name("upper"), name("outside")];
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let (time, value) = (point.time(), number(point, &self.field)?);
        let model = self.models.of(point);
        if model.time.is_some_and(|last| time <= last) {
            return Ok(());
        }
        model.time = Some(time);
        let Some(forecast) = model.forecast() else {
            model.begin(value, self.season.unwrap_or(1));
            return Ok(());
        };
        let width = self.band * model.error;
        let is_outside = model.errors >= TRAINING && (value - forecast).abs() > width;
        let weights = Weights { alpha: self.alpha, beta: self.beta, gamma: self.gamma };
        model.add(value, forecast, weights);
        if !(forecast + width).is_finite() || !(forecast - width).is_finite() || !model.is_finite()
        {
            // Huge values have left the range of a float.
            *model = Model { time: Some(time), ..Model::default() };
            return Ok(());
        }
        let [lower, upper, outside] = &self.names;
        let edit = out.edit(point).field(&self.r#as, forecast);
        let edit = edit.field(lower, forecast - width).field(upper, forecast + width);
        Ok(edit.field(outside, is_outside).send()?)
    }
}
