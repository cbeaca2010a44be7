"""The tabular cumulative sums of the NIST handbook, 6.3.2.3, from a learned mean and deviation."""

import numpy as np

from cases import case, line, write

random = np.random.default_rng(29)
SECOND = 10**9

# The mean rises by one deviation, and later falls by two.
values = np.concatenate(
    [random.normal(50, 2, 60), random.normal(52, 2, 60), random.normal(48, 2, 60)]
)


def lines(learn, slack, limit):
    points, expected = [], []
    learned, high, low, changes = [], 0.0, 0.0, 0
    for n, value in enumerate(values):
        points.append(line(n * SECOND, {"host": "a"}, v=value))
        if len(learned) < learn:
            learned.append(value)
            continue
        score = (value - np.mean(learned)) / np.std(learned, ddof=1)
        high = max(0.0, high + score - slack)
        low = max(0.0, low - score - slack)
        changed = bool(high > limit or low > limit)
        fields = {"cusum": changed, "cusum_high": high, "cusum_low": low}
        expected.append(line(n * SECOND, {"host": "a"}, v=value, **fields))
        if changed:
            learned, high, low = [], 0.0, 0.0
            changes += 1
    assert changes >= 2, changes
    return points, expected


write(
    case("the defaults", ["field=v"], *lines(30, 0.5, 5)),
    case("quick", ["field=v", "learn=10", "slack=0.25", "limit=3"], *lines(10, 0.25, 3)),
)
