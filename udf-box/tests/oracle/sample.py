"""The values that numpy interpolates at the times of the samples."""

import numpy as np

from cases import case, line, write

random = np.random.default_rng(11)
MILLI = 10**6
times = np.cumsum(random.integers(1, 3000, 100)) + 12345
times[50:] += 60_000
values = random.normal(50, 10, 100)
points = [line(t * MILLI, {"host": "a"}, v=v) for t, v in zip(times, values)]


def samples(every, max_gap, last=False, name="v"):
    grid = np.arange(-(-times[0] // every) * every, times[-1] + 1, every)
    grid = grid[grid > times[0]]
    before = np.searchsorted(times, grid, side="left") - 1
    linear = np.interp(grid, times, values)
    held = values[np.searchsorted(times, grid, side="right") - 1]
    for time, at, value in zip(grid, before, held if last else linear):
        if times[at + 1] - times[at] <= max_gap:
            yield line(time * MILLI, {"host": "a"}, **{name: value})


write(
    case("linear", ["field=v", "every=500ms"], points, list(samples(500, 5000))),
    case(
        "the last value",
        ["field=v", "every=2s", "how=last", "maxGap=2m", "as=held"],
        points,
        list(samples(2000, 120_000, True, "held")),
    ),
)
