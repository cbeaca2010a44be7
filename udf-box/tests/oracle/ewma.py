"""The mean that pandas computes, by `ewm` with times. Late points get their weight by the definition,
because pandas does not accept them."""

import numpy as np
import pandas as pd

from cases import case, line, write

random = np.random.default_rng(1)
SECOND = 10**9

times = np.cumsum(random.integers(0, 20 * SECOND, 150))
times[20] = times[19]
values = random.normal(50, 20, 150)
frame = pd.DataFrame({"v": values, "t": pd.to_datetime(times)})
means = frame["v"].ewm(halflife="10s", times=frame["t"]).mean()

late = [(0, 5.0), (40, 9.0), (10, -3.0), (35, 2.0), (35, 4.0), (60, 1.0)]
definition = []
for count in range(1, len(late) + 1):
    seen = late[:count]
    now = max(time for time, _ in seen)
    weights = np.array([0.5 ** ((now - time) / 15) for time, _ in seen])
    definition.append(np.average([value for _, value in seen], weights=weights))

write(
    case(
        "irregular times",
        ["field=v", "halfLife=10s"],
        [line(t, {"host": "a"}, v=v) for t, v in zip(times, values)],
        [line(t, {"host": "a"}, v=v, ewma=m) for t, v, m in zip(times, values, means)],
    ),
    case(
        "late and repeated points",
        ["field=v", "halfLife=15s", "as=smooth"],
        [line(t * SECOND, v=v) for t, v in late],
        [line(t * SECOND, v=v, smooth=m) for (t, v), m in zip(late, definition)],
    ),
)
