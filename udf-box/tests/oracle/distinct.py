"""The exact number of different values. Small numbers must be exact, and large ones close."""

import random

from cases import case, line, write

SECOND = 10**9
random.seed(3)


def windows(sizes, every, name, draw):
    points, expected = [], []
    for number, (count, values) in enumerate(sizes):
        drawn = [draw(random.randrange(values)) for _ in range(count)]
        for n, value in enumerate(drawn):
            time = (number * every * SECOND) + n * every * SECOND // count
            points.append(line(time, {"host": "a"}, **{name: value}))
        fields = {"distinct": float(len(set(drawn))), "count": count}
        expected.append(line((number + 1) * every * SECOND, {"host": "a"}, **fields))
    points.append(line(len(sizes) * every * SECOND, {"host": "a"}, **{name: draw(0)}))
    return points, expected


write(
    case(
        "few values",
        ["field=w", "every=10s"],
        *windows([(30, 2), (40, 10), (1, 1)], 10, "w", lambda n: f"user {n}"),
    ),
    case(
        "many values, within three standard errors",
        ["field=n", "every=1m"],
        *windows([(3000, 1000), (6000, 4000)], 60, "n", lambda n: n),
        tolerance=200,
    ),
)
