"""How long one call takes."""

from __future__ import annotations

import timeit
from collections.abc import Callable

ROUND = 0.02  # seconds that one measurement takes, at least


def calls_per_round(function: Callable[[], object]) -> int:
    """How often it is called within a round, so that the clock and other tasks do not matter."""
    timer, number = timeit.Timer(function), 1
    while (took := timer.timeit(number)) < ROUND / 4:
        number *= 4
    return max(1, round(number * ROUND / took))


def microseconds(function: Callable[[], object], calls: int) -> float:
    """Of one call, on the average of a round. It includes the call of a function without arguments, 0.03 us."""
    return timeit.Timer(function).timeit(calls) / calls * 1e6
