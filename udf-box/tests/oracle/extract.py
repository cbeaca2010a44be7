"""The named groups of Python's regular expressions."""

import re

from cases import case, line, write

SECOND = 10**9
TEXTS = [
    "GET /index.html 200 0.013",
    "POST /login 503 1.5",
    "no request",
    "GET /größe 404 0.25",
    "PUT /a 99999999999999999999 7",
]
PATTERN = r"(?P<method>[A-Z]+) (?P<path>\S+) (?P<code>\d+) (?P<seconds>[\d.]+)"
RUST = PATTERN.replace("?P<", "?<")


def lines(keeps_others):
    points, expected = [], []
    for n, text in enumerate(TEXTS):
        points.append(line(n * SECOND, {"host": "a"}, w=text))
        found = re.search(PATTERN, text)
        tags, fields = {"host": "a"}, {"w": text}
        if found:
            tags["method"] = found["method"]
            fields["path"] = found["path"]
            if int(found["code"]) < 2**63:
                fields["code"] = int(found["code"])
            fields["seconds"] = float(found["seconds"])
        if found or keeps_others:
            expected.append(line(n * SECOND, tags, **fields))
    return points, expected


OPTIONS = ["field=w", f"pattern={RUST}", "asTag=method", "asInt=code", "asFloat=seconds"]
hosts = [line(n * SECOND, {"host": f"web{n}-eu"}, v=1.0) for n in range(3)]
zones = [line(n * SECOND, {"host": f"web{n}-eu", "zone": "eu"}, v=1.0) for n in range(3)]
write(
    case("a text that does not match passes", OPTIONS, *lines(True)),
    case("a text that does not match is dropped", [*OPTIONS, "unmatched=drop"], *lines(False)),
    case("a tag", ["tag=host", "pattern=-(?<zone>[a-z]+)$", "asTag=zone"], hosts, zones),
)
