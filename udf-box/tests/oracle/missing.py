"""The silences by the definition. The UDF looks four times within the time of a silence."""

from cases import TICK, case, line, write

SECOND = 10**9
LOOKS = 4

# The ticks in which each host sends a point, of 40.
sends = {
    "a": set(range(0, 40)),
    "b": set(range(0, 10)) | set(range(20, 40)),
    "c": {0, 6, 12, 13, 14, 39},
}
after = 8
step = after / LOOKS
points, expected = [], []
silent = {}
for tick in range(40):
    time = int(tick * step * SECOND)
    for host, ticks in sends.items():
        tags = {"host": host}
        if tick in ticks:
            points.append(line(time, tags, v=1.0))
            if silent.get(host, 0) * step > after:
                seconds = silent[host] * step
                expected.append(line(time, tags, missing=False, silent_seconds=seconds))
            silent[host] = 0
    points.append(TICK)
    for host in silent:
        silent[host] += 1
        if silent[host] == LOOKS + 1:
            tags = {"host": host}
            expected.append(line(time, tags, missing=True, silent_seconds=float(after)))

write(case("three hosts", [f"after={after}s"], points, expected))
