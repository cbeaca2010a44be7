"""Greedy compression by brute force: a point may be skipped while numpy's interpolation between the
kept point before it and the newest point is near enough to all points between."""

import numpy as np

from cases import case, line, write

random = np.random.default_rng(6)
SECOND = 10**9
times = np.cumsum(random.integers(1, 20, 200))
values = np.cumsum(random.normal(0, 1, 200))
values[50:80] = values[50]
values[120:150] = values[120] + 0.5 * (times[120:150] - times[120])
points = [line(t * SECOND, {"host": "a"}, v=v) for t, v in zip(times, values)]


def kept(deviation, max_gap=np.inf):
    start = 0
    for at in range(1, len(times)):
        between = np.arange(start + 1, at)
        ends = [start, at]
        guess = np.interp(times[between], times[ends], values[ends])
        # The tolerance is for points that lie exactly on a line.
        near = np.all(np.abs(guess - values[between]) <= deviation + 1e-9)
        if not near or times[at] - times[start] > max_gap:
            if at - 1 > start:
                yield at - 1
                start = at - 1
            if times[at] - times[start] > max_gap:
                yield at
                start = at


def output(*settings):
    return [points[0]] + [points[at] for at in kept(*settings)]


write(
    case("narrow", ["field=v", "deviation=0.5"], points, output(0.5)),
    case("wide", ["field=v", "deviation=3"], points, output(3)),
    case("with a gap", ["field=v", "deviation=3", "maxGap=15s"], points, output(3, 15)),
)
