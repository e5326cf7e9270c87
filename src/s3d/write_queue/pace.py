"""How fast the queue drains: what was pushed in the last minute."""

from __future__ import annotations

import time
from collections import deque

_WINDOW = 60  # seconds


class Pace:
    """Counts by the second."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._seconds: deque[tuple[int, int, int]] = deque()
        self.operations = 0
        """All that were pushed since the start."""
        self.bytes = 0

    def add(self, size: int) -> None:
        """An operation was pushed."""
        self.operations += 1
        self.bytes += size
        now = int(time.monotonic())
        if self._seconds and self._seconds[-1][0] == now:
            _, count, total = self._seconds.pop()
            self._seconds.append((now, count + 1, total + size))
        else:
            self._seconds.append((now, 1, size))
        self._forget(now)

    def rate(self) -> tuple[float, float]:
        """Operations and bytes per second."""
        now = time.monotonic()
        self._forget(int(now))
        span = max(1.0, min(_WINDOW, now - self._started))
        return (
            sum(count for _, count, _ in self._seconds) / span,
            sum(total for _, _, total in self._seconds) / span,
        )

    def _forget(self, now: int) -> None:
        while self._seconds and self._seconds[0][0] < now - _WINDOW:
            self._seconds.popleft()
