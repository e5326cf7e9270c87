"""How many bytes a second may be pushed, also by time of day."""

from __future__ import annotations

import time
from dataclasses import dataclass

_DAY = 24 * 60  # minutes


@dataclass(frozen=True, slots=True)
class Window:
    """``rate`` bytes per second from minute ``start`` of the day (local time) to minute ``end``, over midnight if that is
    earlier. None: at all times."""

    rate: float
    start: int | None = None
    end: int | None = None

    def holds(self, minute: int) -> bool:
        if self.start is None or self.end is None:
            return True
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


@dataclass(frozen=True, slots=True)
class Schedule:
    """The first window that holds counts; outside of all there is no limit."""

    windows: tuple[Window, ...]

    def __call__(self) -> float | None:
        """Bytes per second now."""
        now = time.localtime()
        return self.at(now.tm_hour * 60 + now.tm_min)

    def at(self, minute: int) -> float | None:
        """... in that minute of the day."""
        return next((window.rate for window in self.windows if window.holds(minute % _DAY)), None)
