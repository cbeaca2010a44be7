"""The modified z-score of Iglewicz and Hoaglin, by numpy's median and scipy's normal quantile."""

import numpy as np
from scipy.stats import norm

from cases import case, line, write

random = np.random.default_rng(23)
SECOND = 10**9

values = random.normal(50, 3, 40)
values[[12, 25]] = [90, 10]


def lines(size, min_points):
    points, expected = [], []
    for n, value in enumerate(values):
        points.append(line(n * SECOND, {"host": "a"}, v=value))
        window = values[max(0, n - size) : n]
        if len(window) >= min_points:
            center = np.median(window)
            deviation = np.median(np.abs(window - center)) / norm.ppf(0.75)
            score = (value - center) / deviation
            expected.append(line(n * SECOND, {"host": "a"}, v=value, mad=score))
    return points, expected


write(
    case("the defaults", ["field=v"], *lines(60, 10)),
    case("a short window", ["field=v", "size=8", "minPoints=5"], *lines(8, 5)),
)
