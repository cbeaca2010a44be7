"""The periodogram of scipy with Hann's window."""

import numpy as np
from scipy.signal import periodogram

from cases import case, line, write

random = np.random.default_rng(43)
SECOND = 10**9

count, interval = 130, 0.25
t = np.arange(count) * interval
values = 50 + 3 * np.sin(2 * np.pi * 0.5 * t) + np.sin(2 * np.pi * 1.3 * t)
values += random.normal(0, 0.2, count)


def lines(size, step, bands):
    points, expected = [], []
    for n, value in enumerate(values):
        time = int(n * interval * SECOND)
        points.append(line(time, {"host": "a"}, v=value))
        if n + 1 < size or (n + 1 - size) % step:
            continue
        window = values[n + 1 - size : n + 1]
        frequencies, density = periodogram(window, 1 / interval, window="hann", detrend="constant")
        energies = density * frequencies[1]
        fields = {}
        for name, (low, high) in bands.items():
            fields[name] = energies[(frequencies >= low) & (frequencies < high)].sum()
        fields["energy"] = energies.sum()
        fields["peak"] = frequencies[1:][energies[1:].argmax()]
        expected.append(line(time, {"host": "a"}, **fields))
    return points, expected


BANDS = {"slow": (0.0, 0.9), "fast": (0.9, 5.0)}
OPTIONS = ["field=v", *(f"band={name},{low},{high}" for name, (low, high) in BANDS.items())]
write(
    case("an even size", [*OPTIONS, "size=64"], *lines(64, 32, BANDS)),
    case("an odd size", [*OPTIONS, "size=45", "step=40"], *lines(45, 40, BANDS)),
)
