"""The level at each second, by the definition: regular expressions over the text of all earlier
seconds, in place of a state."""

import re

import numpy as np

from cases import case, line, write

random = np.random.default_rng(4)
SECOND = 10**9
values = [float(v) for v in np.clip(60 + np.cumsum(random.normal(0, 6, 200)), 0, 100).round(1)]


def active(enter, leave, enter_after, leave_after):
    """Yields whether the level is active at each second. A duration of d needs d + 1 points."""
    text = ""
    begun = False
    for value in values:
        text += "e" if value >= enter else "l" if value < leave else "-"
        if not begun and re.search(f"e{{{enter_after + 1}}}$", text):
            begun, text = True, ""
        elif begun and re.search(f"l{{{leave_after + 1}}}$", text):
            begun, text = False, ""
        yield begun


def levels(enter_after, leave_after, only_changes=False):
    high = list(active(80, 70, enter_after, leave_after))
    mid = list(active(65, 60, enter_after, leave_after))
    before = 0
    for second, (is_high, is_mid) in enumerate(zip(high, mid)):
        number = 2 if is_high else 1 if is_mid else 0
        changed, before = number != before, number
        if changed or not only_changes:
            name = ["ok", "warning", "critical"][number]
            fields = {"v": values[second], "level": name}
            fields |= {"level_number": number, "level_changed": changed}
            yield line(second * SECOND, {"host": "a"}, **fields)


points = [line(second * SECOND, {"host": "a"}, v=v) for second, v in enumerate(values)]
options = ["field=v", "level=warning,65,60", "level=critical,80,70"]
write(
    case("two levels", options, points, list(levels(0, 0))),
    case(
        "with durations",
        options + ["enterAfter=3s", "leaveAfter=2s", "changesOnly"],
        points,
        list(levels(3, 2, True)),
    ),
)
