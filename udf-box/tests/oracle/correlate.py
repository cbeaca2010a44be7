"""Pearson's correlation by numpy, over the latest points."""

import numpy as np

from cases import case, line, write

random = np.random.default_rng(11)
SECOND = 10**9

x = random.normal(20, 4, 40)
y = 0.5 * x + random.normal(0, 1.5, 40)


def lines(size, min_points, name):
    points, expected = [], []
    for n in range(len(x)):
        fields = {"v": x[n], "x": y[n]}
        points.append(line(n * SECOND, {"host": "a"}, **fields))
        if n + 1 >= min_points:
            window = slice(max(0, n + 1 - size), n + 1)
            fields[name] = np.corrcoef(x[window], y[window])[0, 1]
            expected.append(line(n * SECOND, {"host": "a"}, **fields))
    return points, expected


SHORT = ["field=v", "with=x", "size=10", "minPoints=4", "as=r"]
write(
    case("the defaults", ["field=v", "with=x"], *lines(60, 10, "correlation")),
    case("a short window", SHORT, *lines(10, 4, "r")),
)
