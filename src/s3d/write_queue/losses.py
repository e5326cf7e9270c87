"""When an operation at which the connection broke is tried again."""

from __future__ import annotations

import random

_AT_ONCE = 2
_LONGEST = 30.0  # seconds


class Losses:
    """Counts broken connections by operation. A remote that was away is no fault of theirs: they go on at once when it
    is back. One that breaks every connection, while others arrive, must not be in the way of those."""

    def __init__(self) -> None:
        self._lost: dict[int, int] = {}

    def lost(self, seq: int) -> float:
        """Once more. How many seconds it has to wait."""
        self._lost[seq] = times = self._lost.get(seq, 0) + 1
        if times <= _AT_ONCE:
            return 0.0
        return min(_LONGEST, 2.0 ** min(times - _AT_ONCE - 1, 10)) * random.uniform(0.75, 1.25)  # noqa: S311  no secret

    def forget(self, seq: int) -> None:
        """The remote answered."""
        self._lost.pop(seq, None)
