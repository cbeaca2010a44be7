"""The cumulated counts of numpy's histogram."""

import numpy as np

from cases import case, line, write

random = np.random.default_rng(7)
SECOND = 10**9
BOUNDS = [10.0, 20.5, 50.0]

windows = [random.uniform(0, 60, 50), random.normal(20, 5, 30)]
points, expected = [], []
for number, window in enumerate(windows):
    start = 10 * number * SECOND
    # Values at a bound belong to the bucket below it.
    window[:3] = BOUNDS
    for n, value in enumerate(window):
        points.append(line(start + n * 10**8, {"host": "a"}, v=value))
    counts = np.histogram(window, [-np.inf, *np.nextafter(BOUNDS, np.inf), np.inf])[0]
    fields = {f"le_{bound:g}": int(count) for bound, count in zip(BOUNDS, np.cumsum(counts))}
    fields |= {"count": len(window), "min": window.min(), "max": window.max()}
    expected.append(line(start + 10 * SECOND, {"host": "a"}, **fields))
points.append(line(20 * SECOND, {"host": "a"}, v=1.0))

options = ["field=v", "every=10s", *(f"bucket={bound}" for bound in BOUNDS)]
write(case("values at and between the bounds", options, points, expected))
