"""An object as one stream into a file descriptor: a pipe, a terminal, a device, or a file for a range."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from s3d.cli import digest
from s3d.cli.client import Answer, Client
from s3d.cli.errors import Failure, readable
from s3d.cli.output import write_all
from s3d.cli.progress import Advance, ignore
from s3d.cli.worker import Worker
from s3d.s3.errors import RemoteUnreachable

_BATCH = 1 << 20  # bytes per write, so that the thread's price is paid seldom
_RESUMES = 5  # times in a row that a broken stream is taken up again without a byte coming

Begin = Callable[[Answer], AbstractContextManager[Advance]]
"""Called with the answer before the first byte is written; the progress bar for the transfer."""


async def copy_out(client: Client, members: Mapping[str, Any], descriptor: int, begin: Begin, what: str) -> None:
    """Writes the answer of GetObject to the descriptor and verifies length and digest.

    Raises Failure, and Interrupted when nobody reads the descriptor any more.
    """
    sink = _Sink(descriptor)
    try:
        async with client.open("GetObject", members) as answer:
            start, length = _extent(answer)
            if start == 0 and "ContentRange" not in answer.members:
                sink.digest = digest.expected(answer.headers)
            with begin(answer) as advance:
                sink.advance = advance
                complete = await sink.take(answer, length)
                if not complete and length is not None and "ETag" in answer.members:
                    rest = {**members, "IfMatch": answer.members["ETag"]}
                    complete = await _take_rest(client, rest, sink, start, length)
                await sink.finish()
    except Exception:
        await sink.let_go()
        raise
    if not complete or (length is not None and sink.received != length):
        raise Failure(f"The object broke off after {sink.received} bytes. ({readable(what)})")
    if sink.digest is not None:
        sink.digest.verify(what)


async def _take_rest(client: Client, members: dict[str, Any], sink: _Sink, start: int, length: int) -> bool:
    """Takes up a broken answer where it broke, as often as that brings something; whether all of it has come."""
    in_vain = 0
    while in_vain < _RESUMES:
        received = sink.received
        if received == length:
            return True
        members["Range"] = f"bytes={start + received}-{start + length - 1}"
        async with client.open("GetObject", members) as answer:
            if await sink.take(answer, length):
                return True
        in_vain = 0 if sink.received > received else in_vain + 1
    return False


def _extent(answer: Answer) -> tuple[int, int | None]:
    """Where the answer's bytes begin in the object, and how many there are (None: not told)."""
    length = answer.headers.get("Content-Length")
    unit, _, extent = str(answer.members.get("ContentRange", "")).partition(" ")
    first = extent.partition("-")[0]
    start = int(first) if unit == "bytes" and first.isdecimal() else 0
    return start, int(length) if length is not None else None


class _Sink:
    """Writes in a thread of its own: one batch is written while the next one arrives."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._worker = Worker()
        self._writing: asyncio.Future[None] | None = None
        self.received = 0
        self.digest: digest.Digest | None = None
        self.advance: Advance = ignore

    async def take(self, answer: Answer, length: int | None) -> bool:
        """Takes what the answer brings; False when it broke off. Raises Failure when it brings too much."""
        assert answer.body is not None  # noqa: S101  from Client.open
        batch = bytearray()
        complete = True
        try:
            async for piece in answer.body:
                batch += piece
                if len(batch) >= _BATCH:
                    await self._write(bytes(batch))
                    batch.clear()
        except RemoteUnreachable:
            complete = False
        await self._write(bytes(batch))
        if length is not None and self.received > length:
            raise Failure(f"The answer is longer than the {length} bytes that it announced.")
        return complete

    async def finish(self) -> None:
        """Returns when everything is written."""
        if self._writing is not None:
            await self._writing

    async def let_go(self) -> None:
        """Returns when nothing is being written any more: whoever has the descriptor closes it then, and its number can
        become another file's."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write(self, data: bytes) -> None:
        await self.finish()
        self._writing = self._worker.submit(lambda: self._put(data))
        self.received += len(data)
        self.advance(len(data))

    def _put(self, data: bytes) -> None:
        write_all(self._descriptor, data)
        if self.digest is not None:
            self.digest.update(data)
