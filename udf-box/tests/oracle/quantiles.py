"""The quantiles that numpy computes of all values of a window."""

import numpy as np

from cases import case, line, write

random = np.random.default_rng(5)
SECOND = 10**9

# Windows of a minute, with 400 values each, and one value that ends the last window.
windows = [random.normal(50, 10, 400), random.uniform(10, 20, 400), np.full(400, 3.5)]
times = [np.sort(random.integers(60 * n * SECOND, 60 * (n + 1) * SECOND, 400)) for n in range(3)]
points = [
    line(t, {"host": "a"}, v=v)
    for window, times in zip(windows, times)
    for t, v in zip(times, window)
]
points.append(line(180 * SECOND, {"host": "a"}, v=1.0))


def expected(quantiles, method):
    for number, window in enumerate(windows):
        fields = {"count": len(window)}
        for name, quantile in quantiles.items():
            fields[name] = np.quantile(window, quantile, method=method)
        yield line(60 * (number + 1) * SECOND, {"host": "a"}, **fields)


write(
    case(
        "within the error of a digest",
        ["field=v", "quantile=0.1", "quantile=0.5", "quantile=0.99", "compression=200"],
        points,
        list(expected({"p10": 0.1, "p50": 0.5, "p99": 0.99}, "linear")),
        tolerance=0.04,
    ),
    case(
        "the ends are exact",
        ["field=v", "quantile=0", "quantile=1", "compression=50"],
        points,
        list(expected({"p0": 0.0, "p100": 1.0}, "linear")),
    ),
)
