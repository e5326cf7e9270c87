"""The server that is away: it is not asked by requests, but again and again until it answers."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable

log = logging.getLogger("s3d.policy")

_FIRST, _LAST = 0.2, 5.0
"""Seconds between two questions: twice as long each time."""
_SILENT = 2  # requests in a row without an answer in time: one can be a question that takes long


class Circuit:
    """``answers`` asks something and says whether an answer came; ``back`` is called when one has, after it was away.

    It ends with the daemon and with nothing else: a server that nobody asks any more would be away for ever.
    """

    def __init__(self, where: str, answers: Callable[[], Awaitable[bool]], back: Callable[[], None]) -> None:
        self._where = where
        self._answers = answers
        self._back = back
        self._silent = 0
        self._asking: asyncio.Task[None] | None = None
        self._since = 0.0
        self.why: str | None = None
        """Why it is away; None: it is not, as far as anybody knows."""

    def answered(self) -> None:
        """An answer came, whatever it says."""
        self._silent = 0

    def timed_out(self, error: str) -> None:
        """None came in time."""
        self._silent += 1
        if self._silent >= _SILENT:
            self.lost(error)

    def lost(self, error: str) -> None:
        """It cannot be reached."""
        if self.why is None:
            self.why, self._since = error, time.monotonic()
            log.warning("the policy server does not answer", extra={"policy": self._where, "error": error})
            self._asking = asyncio.get_running_loop().create_task(self._ask_until_it_answers())

    async def close(self) -> None:
        """Asks no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask_until_it_answers(self) -> None:
        longest, answered = _FIRST, False
        while not answered:
            await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311  no secret
            longest = min(_LAST, longest * 2)
            try:
                answered = await self._answers()
            except Exception:
                log.exception("asking whether the policy server answers met a defect")
        away = round(time.monotonic() - self._since, 1)
        self.why, self._silent = None, 0
        log.info("the policy server answers again", extra={"policy": self._where, "away_seconds": away})
        self._back()
