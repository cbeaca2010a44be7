//! Trend, seasons and remainder of a batch.

use stlrs::{Mstl as Decomposition, Stl};
use udf_runtime::options::FieldName;
use udf_runtime::{Batch, BatchView, Emitter, Result, Task, WholeBatchUdf, udf};

use crate::common::number;
use crate::common::scaled::Scaled;

/// Splits the values of a batch into a trend, seasons and a remainder (MSTL).
#[udf(wants = batch, provides = batch)]
pub struct Mstl {
    /// Field to split.
    #[option]
    field: FieldName,
    /// Length of a season, in points. Call it once for each season, the shortest one first.
    #[option(name = "period", len = 1..=5, range = 2..=10_000, example = 24)]
    periods: Vec<usize>,
    /// Makes outliers count less. They are then in the remainder.
    #[option(flag)]
    robust: bool,
    /// Beginning of the names of the fields that are added: `mstl_trend`, `mstl_remainder`, and
    /// `mstl_season` with the length of the season.
    #[option(default = "mstl")]
    r#as: FieldName,
    /// Points of a batch to split. A longer batch is dropped, with a warning.
    #[option(default = 10_000, range = 1..=100_000)]
    max_points: usize,
    trend: String,
    remainder: String,
    seasons: Vec<String>,
}

impl WholeBatchUdf for Mstl {
    fn init(&mut self, _: &Task<Batch>) -> Result<()> {
        if !self.periods.is_sorted_by(|one, next| one < next) {
            return Err(format!(
                "the periods {:?} do not rise; call `.period` with the shortest season first, and \
                 with each season once",
                self.periods
            )
            .into());
        }
        self.trend = format!("{}_trend", &*self.r#as);
        self.remainder = format!("{}_remainder", &*self.r#as);
        let name = |period: &usize| format!("{}_season_{period}", &*self.r#as);
        self.seasons = self.periods.iter().map(name).collect();
        Ok(())
    }

    fn batch(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        let points = batch.read(|point| Ok((point, number(&point, &self.field)?)))?;
        let least = self.periods.last().map_or(0, |period| 2 * period);
        if points.len() < least || points.len() > self.max_points {
            tracing::warn!(
                "a batch of {} points is dropped, because it must have from {least} to {} points, at \
                 least two of the longest season; query another range, or raise `.maxPoints`",
                points.len(),
                self.max_points
            );
            return Ok(());
        }
        let values: Vec<_> = points.iter().map(|(_, value)| *value).collect();
        let scaled = Scaled::new(&values);
        let mut stl = Stl::params();
        stl.robust(self.robust).seasonal_jump(1).trend_jump(1).low_pass_jump(1);
        // As statsmodels does by default.
        stl.seasonal_degree(1).inner_loops(if self.robust { 2 } else { 5 });
        let mut params = Decomposition::params();
        let parts = params.stl_params(stl).fit(&scaled.values, &self.periods)?;
        let mut sent = out.begin(batch.begin());
        for (place, (point, _)) in points.iter().enumerate() {
            let mut edit = sent.edit(point).field(&self.trend, scaled.value(parts.trend()[place]));
            for (name, season) in self.seasons.iter().zip(parts.seasonal()) {
                edit = edit.field(name, scaled.distance(season[place]));
            }
            edit.field(&self.remainder, scaled.distance(parts.remainder()[place])).send()?;
        }
        Ok(sent.end(batch.tmax())?)
    }
}
