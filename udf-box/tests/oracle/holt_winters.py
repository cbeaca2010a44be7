"""The one-step forecasts of statsmodels, with the initial state and the weights given."""

import warnings

import numpy as np
from statsmodels.tsa.holtwinters import ExponentialSmoothing

from cases import case, line, write

warnings.simplefilter("ignore")
random = np.random.default_rng(9)
SECOND = 10**9
count = 150
values = 50 + 0.1 * np.arange(count) + 8 * np.sin(np.arange(count) * 2 * np.pi / 12)
values += random.normal(0, 1, count)
values[100] += 30
points = [line(at * SECOND, {"host": "a"}, v=v) for at, v in enumerate(values)]


def forecasts(season, alpha, beta, gamma):
    first = values[: 2 * season].reshape(2, season)
    before, after = first.mean(axis=1)
    trend = (after - before) / season
    middle = (season - 1) / 2
    parts = (first - first.mean(axis=1)[:, None]).mean(axis=0) - trend * (np.arange(season) - middle)
    known = dict(
        initialization_method="known",
        initial_level=after + trend * middle,
        initial_trend=trend,
    )
    if season > 1:
        known |= dict(initial_seasonal=parts, seasonal="add", seasonal_periods=season)
    model = ExponentialSmoothing(values[2 * season :], trend="add", **known)
    weights = dict(smoothing_level=alpha, smoothing_trend=beta, optimized=False)
    if season > 1:
        weights |= dict(smoothing_seasonal=gamma)
    return model.fit(**weights).fittedvalues


def expected(season, alpha, beta, gamma, band=3.0, name="forecast"):
    error = errors = 0
    for at, forecast in enumerate(forecasts(season, alpha, beta, gamma), start=2 * season):
        value, width = values[at], band * error
        outside = bool(errors >= 10 and abs(value - forecast) > width)
        fields = {"v": value, name: forecast, f"{name}_lower": forecast - width}
        fields |= {f"{name}_upper": forecast + width, f"{name}_outside": outside}
        yield line(at * SECOND, {"host": "a"}, **fields)
        weight = gamma if errors else 1.0
        error = weight * abs(value - forecast) + (1 - weight) * error
        errors += 1


options = ["field=v", "alpha=0.4", "beta=0.1"]
write(
    case("no season", options + ["gamma=0.2"], points, list(expected(1, 0.4, 0.1, 0.2))),
    case(
        "a season of 12",
        options + ["gamma=0.3", "season=12", "band=2", "as=f"],
        points,
        list(expected(12, 0.4, 0.1, 0.3, 2.0, "f")),
    ),
)
