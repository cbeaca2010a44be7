"""Writes the cases of an oracle. Each script in this folder calls `write` once.

A script runs with Python 3 and the packages that it imports:

    python3 -m venv venv && venv/bin/pip install numpy scipy pandas statsmodels
    venv/bin/python ewma.py
"""

import json
import pathlib
import sys


# A line of the input at which the UDF ticks. Points without a time get that of the line before.
TICK = "# tick"


def field(value):
    """Returns a value as line protocol."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(float(value))


def line(time, tags=None, name="m", **fields):
    """Returns a point as a line. Times are in nanoseconds."""
    tags = "".join(f",{key}={value}" for key, value in sorted((tags or {}).items()))
    fields = ",".join(f"{key}={field(value)}" for key, value in fields.items())
    return f"{name}{tags} {fields} {int(time)}"


def case(name, options, points, expected, group_by="host", tolerance=1e-9):
    """Returns a case: the options, the lines of the input, and the expected lines of the output."""
    return {
        "case": name,
        "options": options,
        "group_by": group_by,
        "tolerance": tolerance,
        "input": points,
        "output": expected,
    }


def write(*cases):
    """Writes the cases beside the script that runs."""
    path = pathlib.Path(sys.argv[0]).with_suffix(".json")
    path.write_text(json.dumps(cases, indent=1) + "\n")
    print(f"{path.name}: {sum(len(one['output']) for one in cases)} points are expected")
