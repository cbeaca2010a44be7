"""The lines of a file by Python's csv."""

import csv
import pathlib

from cases import case, line, write

SECOND = 10**9
FILE = "tests/box/hosts.csv"

with open(pathlib.Path(__file__).parents[2] / FILE, newline="") as file:
    rows = {row["host"]: {k: v.strip() for k, v in row.items()} for row in csv.DictReader(file)}

hosts = ["a", "b", "unknown", "c", "a"]
points = [line(n * SECOND, {"host": host}, v=1.0) for n, host in enumerate(hosts)]


def found(tags, texts=(), floats=(), drops=False):
    for n, host in enumerate(hosts):
        row = rows.get(host, {})
        if drops and not row:
            continue
        more = {tag: row[tag] for tag in tags if row.get(tag)}
        fields = {name: row[name] for name in texts if row.get(name)}
        fields |= {name: float(row[name]) for name in floats if row.get(name)}
        yield line(n * SECOND, {"host": host, **more}, v=1.0, **fields)


START = [f"file={FILE}", "by=host"]
write(
    case("all columns", START, points, list(found(["owner", "limit", "note"]))),
    case(
        "some columns, and no others",
        [*START, "asTag=owner", "asText=note", "asFloat=limit", "unmatched=drop"],
        points,
        list(found(["owner"], ["note"], ["limit"], drops=True)),
    ),
)
