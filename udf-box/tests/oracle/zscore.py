"""The mean and the deviation that numpy computes over the values before each point."""

import numpy as np

from cases import case, line, write

random = np.random.default_rng(2)
values = random.normal(50, 20, 120)
values[60] = 400
values[80:110] = 7.0
values[110] = 7.5


def scores(size, minimum, floor=0.0):
    for at, value in enumerate(values):
        before = values[max(0, at - size) : at]
        if len(before) < minimum:
            continue
        distance = value - np.mean(before)
        scale = max(np.std(before, ddof=1), floor)
        score = distance / scale if scale else np.sign(distance) * 1000
        yield line(at, {"host": "a"}, v=value, zscore=np.clip(score, -1000, 1000))


points = [line(at, {"host": "a"}, v=value) for at, value in enumerate(values)]
write(
    case("20 values", ["field=v", "size=20"], points, list(scores(20, 10))),
    case(
        "a smallest deviation",
        ["field=v", "size=15", "minPoints=2", "minDeviation=0.25"],
        points,
        list(scores(15, 2, 0.25)),
    ),
)
