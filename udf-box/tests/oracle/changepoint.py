"""The best of all segmentations, by a search without pruning, checked against ruptures."""

import numpy as np
import ruptures
from scipy.stats import norm

from cases import case, line, write

random = np.random.default_rng(37)
SECOND = 10**9

STEPS = [(40, 50.0), (25, 56.0), (50, 52.0), (8, 61.0), (30, 52.5)]
values = np.concatenate([random.normal(mean, 1.5, count) for count, mean in STEPS])


def segments(penalty, min_size):
    count = len(values)
    distances = np.sort(np.abs(np.diff(values)))
    noise = distances[len(distances) // 2] / (norm.ppf(0.75) * np.sqrt(2))
    penalty = penalty * noise**2 * np.log(count)
    best, last = [-penalty] + [np.inf] * count, [0] * (count + 1)
    for end in range(min_size, count + 1):
        for start in range(0, end - min_size + 1):
            part = values[start:end]
            total = best[start] + np.sum((part - part.mean()) ** 2) + penalty
            if total < best[end]:
                best[end], last[end] = total, start
    ends, end = [], count
    while end > 0:
        ends.insert(0, end)
        end = last[end]
    found = ruptures.Pelt(model="l2", min_size=min_size, jump=1).fit_predict(values, penalty)
    assert found == ends, (found, ends)
    return list(zip([0, *ends], ends))


def lines(penalty, min_size, name):
    points = [line(n * SECOND, {"host": "a"}, v=v) for n, v in enumerate(values)]
    expected = []
    for start, end in segments(penalty, min_size):
        for n in range(start, end):
            fields = {"v": values[n], name: n == start and start > 0}
            fields[f"{name}_mean"] = values[start:end].mean()
            expected.append(line(n * SECOND, {"host": "a"}, **fields))
    return points, expected


write(
    case("the defaults", ["field=v"], *lines(3, 5, "changepoint")),
    case(
        "a low penalty",
        ["field=v", "penalty=0.5", "minSize=3", "as=step"],
        *lines(0.5, 3, "step"),
    ),
)
