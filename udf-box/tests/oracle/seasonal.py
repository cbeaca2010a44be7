"""Means and mean absolute deviations of the values at the same hour of earlier weeks, by pandas."""

import numpy as np
import pandas as pd

from cases import case, line, write

random = np.random.default_rng(31)
SECOND = 10**9
NORMAL = np.sqrt(2 / np.pi)

# Three weeks of half hours, with a day and a weekend.
times = pd.date_range("2026-10-05 00:10", periods=3 * 7 * 48, freq="30min", tz="UTC")


def lines(zone, min_points, memory):
    local = times.tz_convert(zone)
    usual = 50 + 20 * np.sin(local.hour * np.pi / 12) - 15 * (local.day_of_week >= 5)
    values = usual + random.normal(0, 2, len(times))
    slots, points, expected = {}, [], []
    for time, here, value in zip(times, local, values):
        at = time.value
        points.append(line(at, {"host": "a"}, v=value))
        count, mean, deviation = slots.get((here.day_of_week, here.hour), (0, 0.0, 0.0))
        if count >= min_points:
            score = (value - mean) / (deviation / NORMAL)
            fields = {"v": value, "seasonal": score, "seasonal_mean": mean}
            expected.append(line(at, {"host": "a"}, **fields))
        count = min(count + 1, memory)
        distance = abs(value - mean) if count > 1 else 0.0
        deviation += (distance - deviation) / count
        mean += (value - mean) / count
        slots[here.day_of_week, here.hour] = count, mean, deviation
    return points, expected


write(
    case("an hour of the week", ["field=v", "minPoints=3"], *lines("UTC", 3, 600)),
    case(
        "another zone, and a short memory",
        ["field=v", "minPoints=2", "memory=3", "ahead=5h30m"],
        *lines("Asia/Kolkata", 2, 3),
    ),
)
