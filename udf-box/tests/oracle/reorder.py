"""The order that numpy's stable sort gives to points that are not too late."""

import numpy as np

from cases import TICK, case, line, write

random = np.random.default_rng(10)
SECOND = 10**9


def points(times):
    return [line(t * SECOND, {"host": "a"}, n=n) for n, t in enumerate(times)]


# No point is more than 20 seconds late.
near = np.arange(100) * 3 - random.integers(0, 7, 100) * 3
lines = points(near)
ordered = [lines[at] for at in np.argsort(near, kind="stable")]
# A far point releases all others, and waits itself.
far = line(10_000 * SECOND, {"host": "a"}, n=-1)

# Two late points among others.
late = [10, 20, 30, 5, 40, 9, 50]
late_lines = points(late)
write(
    case("near points", ["delay=20s"], lines + [far], ordered),
    # Nothing comes between two ticks, so the group is silent.
    case("a silent group", ["delay=1h"], lines + [TICK, TICK], ordered),
    case(
        "late points are dropped",
        ["delay=5s"],
        late_lines + [far],
        [late_lines[at] for at in (0, 1, 2, 4, 6)],
    ),
    case(
        "late points are passed",
        ["delay=5s", "passLate"],
        late_lines + [far],
        [late_lines[at] for at in (0, 1, 3, 2, 5, 4, 6)],
    ),
)
