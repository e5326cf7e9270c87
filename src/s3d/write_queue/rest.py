"""When a remote that is overloaded, broken, or does not take the credentials is left alone."""

from __future__ import annotations

import random
import time

_FIRST, _LAST = 0.1, 30.0
"""Seconds: twice as long each time, until something succeeds."""
_SEVERAL = 2
_CODES = frozenset(
    {
        *("RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests"),
        *("ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed", "SignatureDoesNotMatch"),
        "TokenRefreshRequired",
    }
)
"""What is said to one request and meant for all."""


class Rest:
    """Several operations that are refused one after the other, with nothing that succeeds between them, are no fault of
    theirs: then nothing is begun for a while, and then one at a time. A single one only waits itself."""

    def __init__(self) -> None:
        self._refused: set[int] = set()
        self._longest = _FIRST
        self._until = 0.0

    def refused(self, seq: int, status: int, code: str, retry_after: float = 0.0) -> None:
        """The remote refused an operation. ``retry_after``: seconds that it asked for."""
        if status < 500 and status != 429 and code not in _CODES:
            return
        self._refused.add(seq)
        if len(self._refused) < _SEVERAL or self.left() > 0:  # those that were begun before are one refusal with it
            return
        pause = max(retry_after, self._longest * random.uniform(0.5, 1.0))  # noqa: S311  no secret
        self._until = time.monotonic() + pause
        self._longest = min(_LAST, self._longest * 2)

    def succeeded(self) -> None:
        """Something arrived."""
        if self._refused:
            self._refused.clear()
            self._longest, self._until = _FIRST, 0.0

    def left(self) -> float:
        """Seconds in which nothing is to be begun."""
        return max(0.0, self._until - time.monotonic())

    def workers(self, most: int) -> int:
        """How many may be sent at a time."""
        return 1 if len(self._refused) >= _SEVERAL else most
