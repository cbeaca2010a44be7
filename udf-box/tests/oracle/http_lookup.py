"""The files of a server, read by Python's json. The suite has a server of the same files."""

import json
import pathlib

from cases import case, line, write

SECOND = 10**9
FOLDER = pathlib.Path(__file__).parents[3] / "docs/box/data/hosts"
URL = "url=http://127.0.0.1:8080/hosts/{host}.json"

hosts = ["a", "b", "unknown", "c", "a", "b/a"]
points = [line(n * SECOND, {"host": host}, v=1.0) for n, host in enumerate(hosts)]


def found(tags, names=None, drops=False):
    for n, host in enumerate(hosts):
        path = FOLDER / f"{host.replace('/', '%2F')}.json"
        answer = json.loads(path.read_text()) if path.exists() else None
        if answer is None and drops:
            continue
        more, fields = {"host": host}, {"v": 1.0}
        for name, value in (answer or {}).items():
            if isinstance(value, (list, dict)) or value is None:
                continue
            if name in tags:
                more[name] = value
            elif names is None or name in names:
                is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
                fields[name] = float(value) if is_number else value
        yield line(n * SECOND, more, **fields)


write(
    case("all members", [URL], points, list(found([]))),
    case(
        "some members, and no others",
        [URL, "asTag=owner", "asField=limit", "unmatched=drop", "lookups=1"],
        points,
        list(found(["owner"], ["limit"], drops=True)),
    ),
)
