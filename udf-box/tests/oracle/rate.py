"""The increase of a counter, by the sum of its increments from numpy."""

import numpy as np

from cases import case, line, write

random = np.random.default_rng(3)
SECOND = 10**9

# What the counter counts is known, so the rates are known, whatever the counter does.
increments = random.integers(0, 1000, 100)
times = np.cumsum(random.integers(1, 20 * SECOND, 100))
rates = increments[1:] / (np.diff(times) / 1e9)


def read(counts):
    return [line(t, {"host": "a"}, n=int(n)) for t, n in zip(times, counts)]


def rated(counts, rates):
    rows = zip(times[1:], counts[1:], rates)
    return [line(t, {"host": "a"}, n=int(n), rate=r) for t, n, r in rows]


plain = np.cumsum(increments)
large = plain + 2**62
# The counter begins anew before some points, so that it holds the increment alone.
resets = plain.copy()
for at in (20, 50, 51):
    if increments[at] < resets[at - 1]:
        resets[at:] -= resets[at - 1]
wrapped = plain % 4096
write(
    case("a counter", ["field=n"], read(plain), rated(plain, rates)),
    case("integers above 2^53", ["field=n", "per=1m"], read(large), rated(large, rates * 60)),
    case("resets", ["field=n"], read(resets), rated(resets, rates)),
    case("wraps", ["field=n", "wrapsAt=4096"], read(wrapped), rated(wrapped, rates)),
)
