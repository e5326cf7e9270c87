"""Sending a request body: piece by piece, each with its deadline, and with the sender's error kept.

The deadline is on the remote only. While the client is slow the clock stands: its own time-out is the server's affair.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from s3d.s3.errors import S3Error
from s3d.s3.message import Body, RequestBody


class Upload:
    """One attempt to send a body, under an `asyncio.Timeout` that it moves along."""

    def __init__(self, body: RequestBody, deadline: asyncio.Timeout, *, idle: float, response: float) -> None:
        self._body = body
        self._deadline = deadline
        self._idle = idle
        self._response = response
        self.failure: S3Error | None = None
        """What the body itself raised: the client's fault, not the remote's."""

    def data(self) -> bytes | AsyncIterator[bytes]:
        """What is to be sent behind the head."""
        if isinstance(self._body, bytes):
            self._allow(self._response)
            return self._body
        return self._pieces(self._body)

    async def _pieces(self, body: Body) -> AsyncIterator[bytes]:
        pieces = body.__aiter__()
        while True:
            self._deadline.reschedule(None)
            try:
                piece = await anext(pieces)
            except StopAsyncIteration:
                break
            except S3Error as error:
                self.failure = error
                raise
            self._allow(self._idle)
            yield piece
        self._allow(self._response)

    def _allow(self, seconds: float) -> None:
        if not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time() + seconds)
