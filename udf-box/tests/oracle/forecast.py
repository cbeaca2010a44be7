"""The line that numpy fits to all points so far, with the weights of their ages."""

import numpy as np

from cases import case, line, write

random = np.random.default_rng(8)
SECOND = 10**9
times = np.cumsum(random.integers(1, 120, 80))
values = 20 + times / 200 + random.normal(0, 2, 80)


points = [line(t * SECOND, {"host": "a"}, v=v) for t, v in zip(times, values)]


def fitted(threshold, half_life, horizon, sign=1.0, order=slice(None)):
    """Yields the points in the order of their arrival."""
    arrived, measured = times[order], values[order]
    for count in range(2, len(times) + 1):
        seen, now = arrived[:count], arrived[:count].max()
        # numpy squares the weights.
        weights = np.sqrt(0.5 ** ((now - seen) / half_life))
        slope, value = np.polyfit(seen - now, measured[:count], 1, w=weights)
        distance, speed = sign * (threshold - value), sign * slope
        eta = 0.0 if distance <= 0 else horizon if speed <= 0 else min(distance / speed, horizon)
        fields = {"v": measured[count - 1], "eta": float(eta), "eta_slope": slope}
        yield line(arrived[count - 1] * SECOND, {"host": "a"}, **fields)


late = random.permutation(len(times))
write(
    case(
        "rising",
        ["field=v", "threshold=100", "halfLife=20m", "horizon=24h"],
        points,
        list(fitted(100, 1200, 86400)),
        tolerance=1e-6,
    ),
    case(
        "falling",
        ["field=v", "threshold=10", "falling", "halfLife=2m", "horizon=1h"],
        points,
        list(fitted(10, 120, 3600, -1.0)),
        tolerance=1e-6,
    ),
    case(
        "late points",
        ["field=v", "threshold=100", "halfLife=20m", "horizon=24h"],
        [points[at] for at in late],
        list(fitted(100, 1200, 86400, order=late)),
        tolerance=1e-6,
    ),
)
