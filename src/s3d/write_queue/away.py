"""The remote that is away: nothing is sent then but one question, again and again, until it answers."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.whole import read_whole

log = logging.getLogger("s3d.write_queue")

_FIRST, _LAST = 0.2, 30.0
"""Seconds between two questions: twice as long each time."""


class Away:
    """Of one remote. ``changed`` is called when it has gone and when it has come back."""

    def __init__(self, inner: Backend, changed: Callable[[], None]) -> None:
        self._inner = inner
        self._changed = changed
        self._asking: asyncio.Task[None] | None = None
        self._at = 0.0
        self.why: str | None = None
        """What went wrong; None: it is there, as far as anybody knows."""

    def lost(self, bucket: str, why: str) -> None:
        """A connection broke: from now on it is asked for."""
        if self.why is None:
            self.why = why
            self._asking = asyncio.get_running_loop().create_task(self._ask_until_it_answers(bucket))
            self._changed()

    def next_question(self) -> float | None:
        """Seconds until it is asked again; None: it is there."""
        return None if self.why is None else max(0.0, self._at - time.monotonic())

    async def stop(self) -> None:
        """Asks no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask_until_it_answers(self, bucket: str) -> None:
        longest = _FIRST
        answered = False
        while not answered:
            pause = longest * random.uniform(0.5, 1.0)  # noqa: S311  no secret
            self._at = time.monotonic() + pause
            await asyncio.sleep(pause)
            longest = min(_LAST, longest * 2)
            answered = await self._answers(bucket)
        self.why = None
        self._changed()

    async def _answers(self, bucket: str) -> bool:
        try:
            await read_whole(await self._inner(codec.build_request("HeadBucket", {"Bucket": bucket})))
        except RemoteUnreachable as error:
            self.why = error.message
            return False
        except S3Error:
            return True  # an answer, too
        except Exception:
            log.exception("asking for the remote met a defect")
            return False
        return True
