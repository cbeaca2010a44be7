"""Geohashes by bisection of the ranges, and distances by the angle between two vectors."""

import numpy as np

from cases import case, line, write

SECOND = 10**9
EARTH = 6_371_008.8
DIGITS = "0123456789bcdefghjkmnpqrstuvwxyz"
random = np.random.default_rng(17)


def geohash(lat, lon, length):
    ranges, bits = [[-180.0, 180.0], [-90.0, 90.0]], []
    for n in range(5 * length):
        low, high = ranges[n % 2]
        middle = (low + high) / 2
        is_above = (lon, lat)[n % 2] >= middle
        bits.append(int(is_above))
        ranges[n % 2] = [middle, high] if is_above else [low, middle]
    digits = [bits[n : n + 5] for n in range(0, len(bits), 5)]
    return "".join(DIGITS[int("".join(map(str, five)), 2)] for five in digits)


def vector(lat, lon):
    lat, lon = np.radians([lat, lon])
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def distance(one, two):
    one, two = vector(*one), vector(*two)
    return EARTH * np.arctan2(np.linalg.norm(np.cross(one, two)), one @ two)


# From Wikipedia's page on geohashes.
assert geohash(57.64911, 10.40744, 11) == "u4pruydqqvj"

HOME = (52.52, 13.405)
places = [(random.uniform(-90, 90), random.uniform(-180, 180)) for _ in range(20)]
places += [HOME, (-52.52, 13.405 - 180), (0.0, 179.9), (0.0, -179.9), (52.5205, 13.4061)]

hashed, measured, fenced = [], [], []
for n, (lat, lon) in enumerate(places):
    fields = {"lat": lat, "lon": lon}
    far = distance(HOME, (lat, lon))
    hashed.append(line(n * SECOND, {"host": "a", "geohash": geohash(lat, lon, 8)}, **fields))
    measured.append(line(n * SECOND, {"host": "a"}, **fields, distance=far))
    fence = {"zone": "home"} if far <= 300 else {"zone": "half"} if far <= 1e7 else {}
    fenced.append(line(n * SECOND, {"host": "a", **fence}, **fields))
points = [line(n * SECOND, {"host": "a"}, lat=lat, lon=lon) for n, (lat, lon) in enumerate(places)]

write(
    case("geohashes", ["geohash=8"], points, hashed),
    # The haversine formula loses digits near the opposite of a place.
    case("distances", ["from=52.52,13.405"], points, measured, tolerance=0.5),
    case(
        "the first fence around a place",
        ["fence=home,52.52,13.405,300", "fence=half,52.52,13.405,1e7", "fenceAs=zone"],
        points,
        fenced,
    ),
)
