"""The most frequent values by exact counts, and by the definition of space-saving."""

import collections
import random

from cases import case, line, write

SECOND = 10**9
random.seed(13)


def points(values, name="w", more=lambda n: {}):
    lines = [line(n * SECOND // 10, {"host": "a"}, **{name: v}, **more(n)) for n, v in enumerate(values)]
    # Ends the window of a minute.
    return lines + [line(60 * SECOND, {"host": "a"}, **{name: values[0]}, **more(0))]


def ranked(counters, size, named="count"):
    """`counters` maps a value to its count and its error."""
    order = sorted(counters.items(), key=lambda one: (-one[1][0], one[0]))[:size]
    for rank, (value, (count, error)) in enumerate(order, 1):
        fields = {"value": value, named: float(count), "max_error": float(error)}
        yield line(60 * SECOND, {"host": "a", "rank": str(rank)}, **fields)


words = [f"word {int(random.paretovariate(0.9))}" for _ in range(400)]
exact = {word: (count, 0) for word, count in collections.Counter(words).items()}

weights = [random.randrange(0, 50) for _ in words]
sums = collections.Counter()
for word, weight in zip(words, weights):
    sums[word] += weight

# Of two counters, the smaller one is taken over, the first one of equals.
few = ["a", "b", "a", "c", "c", "c", "a", "d"]
state = []
for value in few:
    found = next((one for one in state if one[0] == value), None)
    if found:
        found[1] += 1
    elif len(state) < 2:
        state.append([value, 1, 0])
    else:
        least = min(state, key=lambda one: one[1])
        least[:] = [value, least[1] + 1, least[1]]

write(
    case(
        "a counter for each value",
        ["field=w", "size=5", "counters=1000"],
        points(words),
        list(ranked(exact, 5)),
    ),
    case(
        "sums",
        ["field=w", "size=3", "counters=1000", "sum=v"],
        points(words, more=lambda n: {"v": weights[n]}),
        list(ranked({word: (total, 0) for word, total in sums.items()}, 3, "sum")),
    ),
    case(
        "fewer counters than values",
        ["field=w", "size=2", "counters=2"],
        points(few),
        list(ranked({value: (count, error) for value, count, error in state}, 2)),
    ),
)
