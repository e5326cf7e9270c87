"""Traces: which objects are read one after the other, and how large they are. Made anew from a seed each time, so that
everybody has the same ones.

The shapes are those that papers on eviction measure: popularity by Zipf's law, backups and other scans in between,
popularity that moves on, and a loop that is larger than the cache.
"""

from __future__ import annotations

import math
import random
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate

KIB, MIB = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Trace:
    """``keys`` in the order of the reads; ``sizes`` in bytes, by key."""

    name: str
    keys: list[int]
    sizes: dict[int, int]

    @property
    def footprint(self) -> int:
        """Bytes of all objects that are read."""
        return sum(self.sizes.values())

    @property
    def bytes(self) -> int:
        """Bytes of all reads."""
        return sum(self.sizes[key] for key in self.keys)


def zipf(chosen: random.Random, objects: int, alpha: float) -> Iterator[int]:
    """Object k is read in proportion to 1 / (k + 1) ** alpha."""
    sums = list(accumulate(1 / (rank + 1) ** alpha for rank in range(objects)))
    while True:
        yield bisect(sums, chosen.random() * sums[-1])


def with_scans(chosen: random.Random, objects: int, length: int, every: int) -> Iterator[int]:
    """Zipf, and after so many reads each time one pass over ``length`` objects that nobody reads again."""
    popular, following = zipf(chosen, objects, 1.0), objects
    while True:
        for _ in range(every):
            yield next(popular)
        yield from range(following, following + length)
        following += length


def with_backups(chosen: random.Random, objects: int, every: int) -> Iterator[int]:
    """Zipf, and after so many reads each time one pass over all objects in their order."""
    popular = zipf(chosen, objects, 1.0)
    order = list(range(objects))
    chosen.shuffle(order)
    while True:
        for _ in range(every):
            yield next(popular)
        yield from order


def drifting(chosen: random.Random, objects: int, every: int) -> Iterator[int]:
    """Zipf; after so many reads a tenth of the objects is replaced by new ones."""
    names = list(range(objects))
    popular, following = zipf(chosen, objects, 1.0), objects
    while True:
        for _ in range(every):
            yield names[next(popular)]
        for place in chosen.sample(range(objects), objects // 10):
            names[place] = following
            following += 1


def loop(objects: int) -> Iterator[int]:
    while True:
        yield from range(objects)


def same_size(_chosen: random.Random) -> int:
    return 64 * KIB


def log_normal(chosen: random.Random) -> int:
    """Half are below 128 KiB, one in a hundred above 5 MiB."""
    return min(max(int(chosen.lognormvariate(math.log(128 * KIB), 1.6)), 1 * KIB), 100 * MIB)


SIZES: dict[str, Callable[[random.Random], int]] = {"one size": same_size, "log-normal sizes": log_normal}


def traces(count: int, seed: int = 1) -> Iterator[Trace]:
    """All of them, each with ``count`` reads."""
    objects = count // 10
    shapes: dict[str, Callable[[random.Random], Iterator[int]]] = {
        "Zipf 0.8": lambda chosen: zipf(chosen, objects, 0.8),
        "Zipf 1.0": lambda chosen: zipf(chosen, objects, 1.0),
        "Zipf 1.2": lambda chosen: zipf(chosen, objects, 1.2),
        "Zipf 1.0, scans": lambda chosen: with_scans(chosen, objects, objects // 4, objects // 2),
        "Zipf 1.0, backups": lambda chosen: with_backups(chosen, objects // 4, objects // 2),
        "Zipf 1.0, drifting": lambda chosen: drifting(chosen, objects, objects // 2),
        "loop": lambda _chosen: loop(objects // 4),
    }
    for kind, size in SIZES.items():
        for name, shape in shapes.items():
            chosen = random.Random(seed)
            reads = shape(chosen)
            keys = [next(reads) for _ in range(count)]
            sizes = {key: size(chosen) for key in dict.fromkeys(keys)}
            yield Trace(f"{name}, {kind}", keys, sizes)
