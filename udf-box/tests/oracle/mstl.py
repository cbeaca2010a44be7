"""MSTL by statsmodels."""

import numpy as np
from statsmodels.tsa.seasonal import MSTL

from cases import case, line, write

random = np.random.default_rng(41)
SECOND = 10**9

n = np.arange(96)
values = 50 + 0.05 * n + 6 * np.sin(n * np.pi / 6) + 3 * np.cos(n * np.pi / 12)
values += random.normal(0, 0.5, len(n))
values[[30, 71]] += 12


def lines(periods, robust):
    found = MSTL(values, periods=periods, stl_kwargs={"robust": robust}).fit()
    seasons = np.asarray(found.seasonal).reshape(len(values), -1)
    points, expected = [], []
    for place, value in enumerate(values):
        points.append(line(place * SECOND, {"host": "a"}, v=value))
        fields = {"v": value, "mstl_trend": found.trend[place]}
        for season, period in enumerate(periods):
            fields[f"mstl_season_{period}"] = seasons[place, season]
        fields["mstl_remainder"] = found.resid[place]
        expected.append(line(place * SECOND, {"host": "a"}, **fields))
    return points, expected


write(
    case("one season", ["field=v", "period=12"], *lines([12], False), tolerance=1e-6),
    case(
        "two seasons, and outliers",
        ["field=v", "period=12", "period=24", "robust"],
        *lines([12, 24], True),
        tolerance=1e-6,
    ),
)
