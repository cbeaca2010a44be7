"""Rows that differ from the row before, by pandas; and with the time of a repetition, by the
definition."""

import numpy as np
import pandas as pd

from cases import case, line, write

random = np.random.default_rng(7)
SECOND = 10**9
frame = pd.DataFrame(
    {
        "v": random.integers(0, 2, 100),
        "w": random.choice(["on", "off"], 100),
        "t": np.cumsum(random.integers(1, 4, 100)),
    }
)
points = [
    line(row.t * SECOND, {"host": "a"}, v=float(row.v) if row.t % 2 else int(row.v), w=row.w)
    for row in frame.itertuples()
]


def changed(names):
    return frame[names].ne(frame[names].shift()).any(axis=1)


def output(names, every=None):
    sent, lines = None, []
    for at, is_changed in enumerate(changed(names)):
        time = frame.t[at]
        if is_changed or (every and time - sent >= every):
            sent = time
            lines.append(points[at])
    return lines


write(
    case("all fields", [], points, output(["v", "w"])),
    case("one field", ["field=v"], points, output(["v"])),
    case("again after a time", ["field=w", "every=5s"], points, output(["w"], 5)),
)
