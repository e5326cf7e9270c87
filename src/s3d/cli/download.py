"""An object into a file: ranges in parallel, and after an interruption only what is missing.

The bytes go to ``FILE.s3d-part``, the parts that are there into ``FILE.s3d-part.journal``. Every range is asked for with
If-Match, so that the file is never a mixture of two versions. When all is there and verified, the part file gets its name.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from io import FileIO
from pathlib import Path
from typing import Any

from s3d.cli import digest, parts
from s3d.cli.client import Answer, Client
from s3d.cli.errors import Failure, S3Failure, readable
from s3d.cli.journal import Journal
from s3d.cli.progress import Advance
from s3d.cli.running import task_group
from s3d.cli.worker import to_the_end
from s3d.s3.errors import RemoteUnreachable

_BATCH = 1 << 20  # bytes per write, so that the thread's price is paid seldom
_RESUMES = 5  # times in a row that a broken range is taken up again without a byte coming


def part_path(path: Path) -> Path:
    """Where the bytes are until the download is complete."""
    return path.with_name(path.name + ".s3d-part")


def journal_path(path: Path) -> Path:
    """What of them is there."""
    return path.with_name(path.name + ".s3d-part.journal")


class Download:
    """One object into one file. ``members`` name the object, ``head`` is the answer of HeadObject for it."""

    def __init__(
        self, client: Client, members: Mapping[str, Any], head: Answer, path: Path, *, part_size: int, jobs: int
    ) -> None:
        self._client = client
        self._members = {**members, "IfMatch": head.members["ETag"]}
        self._digest = digest.expected(head.headers)
        self._path = path
        self._jobs = jobs
        self.size: int = head.members.get("ContentLength", 0)
        self._ranges = parts.ranges(self.size, part_size)
        self._identity = [*sorted(self._members.items()), self.size, part_size]
        self._what = f"{members['Bucket']}/{members['Key']}"

    async def run(self, advance: Advance) -> None:
        """Fetches what is missing, verifies the whole and puts it in place. Raises Failure."""
        partial = part_path(self._path)
        with _exclusive(partial) as file, Journal(journal_path(self._path), self._identity) as journal:
            if os.fstat(file.fileno()).st_size != self.size:
                journal.restart()
                file.truncate(0)
                file.truncate(self.size)
            advance(sum(self._ranges[index][1] for index in journal.done))
            await self._fetch_missing(file, journal, advance)
            if self._digest is not None:
                await self._verify(partial, journal)
            partial.replace(self._path)
            journal.remove()

    async def _fetch_missing(self, file: FileIO, journal: Journal, advance: Advance) -> None:
        missing = iter([index for index in range(len(self._ranges)) if index not in journal.done])
        async with task_group() as group:
            for _ in range(self._jobs):
                group.create_task(self._work(missing, file, journal, advance))

    async def _work(self, missing: Iterator[int], file: FileIO, journal: Journal, advance: Advance) -> None:
        for index in missing:
            await self._fetch(*self._ranges[index], file, advance)
            # The journal must not know more than the disk does, should the power fail.
            await to_the_end(os.fdatasync, file.fileno())
            journal.add(index)

    async def _fetch(self, offset: int, length: int, file: FileIO, advance: Advance) -> None:
        """Writes one range to its place, in several requests if answers break off."""
        position, end, in_vain = offset, offset + length, 0
        while in_vain < _RESUMES:
            begin = position
            try:
                async with self._client.open("GetObject", self._members | self._range(position, end)) as answer:
                    self._check(answer, position)
                    async with aclosing(_batches(answer)) as batches:
                        async for batch in batches:
                            if position + len(batch) > end:
                                raise Failure(f"More bytes arrived than were asked for. ({readable(self._what)})")
                            await to_the_end(_write_at, file.fileno(), batch, position)
                            position += len(batch)
                            advance(len(batch))
            except S3Failure as error:
                if error.status == 412:
                    raise Failure(
                        f"The object changed while it was read; run the command again. ({readable(self._what)})"
                    ) from error
                raise
            if position == end:
                return
            in_vain = 0 if position > begin else in_vain + 1
        raise Failure(f"The object broke off at byte {position} of {self.size}. ({readable(self._what)})")

    def _range(self, position: int, end: int) -> dict[str, str]:
        """Nothing for the whole object: a plain GET is what every server knows best."""
        return {} if (position, end) == (0, self.size) else {"Range": f"bytes={position}-{end - 1}"}

    def _check(self, answer: Answer, position: int) -> None:
        begins = str(answer.members.get("ContentRange", "bytes 0-")).removeprefix("bytes ").partition("-")[0]
        if begins != str(position):
            raise Failure(
                f"Asked for bytes from {position} on, the answer begins at {begins}. ({readable(self._what)})"
            )

    async def _verify(self, partial: Path, journal: Journal) -> None:
        assert self._digest is not None  # noqa: S101  the caller looked
        try:
            await asyncio.to_thread(self._digest.verify_file, partial, self._what)
        except Failure:
            journal.restart()  # what is wrong somewhere cannot be resumed
            raise


async def _batches(answer: Answer) -> AsyncGenerator[bytes, None]:
    """The body in large pieces; ends early, without an error, where it broke off."""
    assert answer.body is not None  # noqa: S101  from Client.open
    batch = bytearray()
    try:
        async for piece in answer.body:
            batch += piece
            if len(batch) >= _BATCH:
                yield bytes(batch)
                batch.clear()
    except RemoteUnreachable:
        pass
    if batch:
        yield bytes(batch)


def _write_at(descriptor: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, position)
        view = view[written:]
        position += written


def _exclusive(partial: Path) -> FileIO:
    """Opens the part file without emptying it. Raises Failure when another process downloads into it."""
    file = FileIO(os.open(partial, os.O_RDWR | os.O_CREAT, 0o666), "r+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = partial.exists() and os.path.samestat(
            partial.stat(), os.fstat(file.fileno())
        )  # else the other one has just put it in place
    except BlockingIOError:
        ours = False
    if not ours:
        file.close()
        raise Failure(f"Another process is downloading into {partial}.")
    return file
