"""One version of one object, as far as it is here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from s3d.local.block_files import BLOCK, blocks_of, checksum

if TYPE_CHECKING:
    from s3d.read_cache.fetch import Fetch

Key = tuple[str, bytes]
"""Bucket, key."""

ASK, DOUBT = 1, 2
_ABSENT, _PRESENT, _CHECKED = 0, 1, 2
_OF_A_HANDLE = 1 << 17
"""Bytes that an open file weighs: it costs next to none, but a process may have 1,024 of them, or few more."""
_AS_KNOWN = bytes((0,)) + bytes((1,)) * 255
_CHECKED_FOR = 600.0
"""Seconds for which a block that was compared with its checksum is not compared again."""


@dataclass(slots=True, eq=False)
class Entry:
    """``data`` if the object is one block, else blocks in ``file``. Changed on the event loop only."""

    bucket: str
    key: bytes
    etag: str
    size: int
    headers: list[tuple[str, str]]
    whole: bool
    confirmed: float = 0.0
    ask: int = 0
    """Not 0: however lately it was confirmed, the remote is to be asked before it is used. DOUBT: also how many tags it
    has, because a change was sent of which nobody knows what became."""
    id: int | None = None
    """Of its row; None: it has none yet, or will have none."""
    file: str | None = None
    data: bytes | None = None
    gone: bool = False
    """It was replaced or removed: those who read it finish."""
    handle: int | None = None
    readers: int = 0
    busy: int = 0
    """What is being fetched or written down of it."""
    fetches: list[Fetch] = field(default_factory=list)
    hits: int = 0
    tags_known: bool = False
    """The remote was asked for its tags, or said that it has none."""
    expected: int = -1
    """Where a sequential reader goes on; ``window``: blocks that were fetched ahead of it last."""
    window: int = 0
    _blocks: bytearray = field(default_factory=bytearray)
    _crcs: array[int] = field(default_factory=lambda: array("I"))
    stamp: tuple[int, int] = (0, 0)
    """What the file was like when its blocks were checked, see `stamp_of`."""
    _checked_at: float = 0.0
    _writing: int = 0
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.inline:
            count = blocks_of(self.size)
            self._blocks = bytearray(count)
            self._crcs = array("I", bytes(4 * count))

    @property
    def at(self) -> Key:
        return self.bucket, self.key

    @property
    def inline(self) -> bool:
        """Whether its bytes are ``data``."""
        return self.size <= BLOCK

    @property
    def count(self) -> int:
        """Blocks of the object."""
        return blocks_of(self.size)

    def stored(self) -> int:
        """Bytes that are here."""
        if self.inline:
            return len(self.data or b"")
        present = len(self._blocks) - self._blocks.count(_ABSENT)
        short = -self.size % BLOCK if self._blocks and self._blocks[-1] else 0
        return present * BLOCK - short

    def weight(self) -> int:
        """Bytes of memory, roughly."""
        return 1500 + len(self.data or b"") + 5 * len(self._blocks) + (_OF_A_HANDLE if self.handle is not None else 0)

    # Blocks.

    def has(self, first: int, last: int) -> bool:
        """Whether the blocks from ``first`` to before ``last`` are here."""
        if self.inline:
            return self.data is not None or not self.size
        return _ABSENT not in self._blocks[first:last]

    def run(self, first: int, last: int) -> int:
        """The end of the blocks from ``first`` on that are here."""
        end = self._blocks.find(_ABSENT, first, last)
        return last if end < 0 else end

    def gaps(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Blocks that are neither here nor being fetched."""
        blocks = bytearray((self.data is not None,)) if self.inline else self._blocks
        known = blocks[first:last].translate(_AS_KNOWN)
        for fetch in self.fetches:
            start, end = max(fetch.next, first), min(fetch.last, last)
            if start < end:
                known[start - first : end - first] = b"\1" * (end - start)
        end = 0
        while (start := known.find(0, end)) >= 0:
            end = known.find(1, start)
            end = len(known) if end < 0 else end
            yield first + start, first + end

    def ranges(self) -> Iterator[tuple[int, int]]:
        """First and last byte of what is here."""
        blocks = bytearray((self.data is not None,)) if self.inline else self._blocks
        known = blocks.translate(_AS_KNOWN)
        end = 0
        while (start := known.find(1, end)) >= 0:
            end = known.find(0, start)
            end = len(known) if end < 0 else end
            yield start * BLOCK, min(end * BLOCK, self.size) - 1

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """This process changes the file, which is open. What others have done to it so far is not to be forgotten; what
        they do meanwhile cannot be told from its own changes, so all is to be checked afterwards."""
        if not self._writing:
            self._compare(time.time())
        self._writing += 1
        try:
            yield
        finally:
            self._writing -= 1
            if not self._writing and self.handle is not None:
                self.stamp = stamp_of(self.handle)
                self._forget_checks()

    def came(self, first: int, crcs: Iterable[int]) -> None:
        """These blocks are in the file now."""
        for number, crc in enumerate(crcs, first):
            self._blocks[number] = _CHECKED
            self._crcs[number] = crc
        self.tell()

    def known(self, blocks: Iterable[tuple[int, int]]) -> None:
        """Blocks that were written at some time: number, checksum."""
        for number, crc in blocks:
            if number < len(self._blocks):
                self._blocks[number] = _PRESENT
                self._crcs[number] = crc

    def lost(self, numbers: Iterable[int]) -> None:
        """These blocks are damaged."""
        for number in numbers:
            self._blocks[number] = _ABSENT

    def unchecked(self, first: int, last: int, now: float) -> tuple[int, int] | None:
        """The span of blocks among these that have to be compared with their checksums before they are used."""
        self._compare(now)
        start = self._blocks.find(_PRESENT, first, last)
        return None if start < 0 else (start, self._blocks.rfind(_PRESENT, first, last) + 1)

    def _compare(self, now: float) -> None:
        """If others have changed the file, or may have since all was checked, it is to be checked again."""
        assert self.handle is not None  # noqa: S101  who reads or writes has opened it
        stamp = self.stamp if self._writing else stamp_of(self.handle)
        if stamp != self.stamp or not 0 <= now - self._checked_at < _CHECKED_FOR:
            self.stamp, self._checked_at = stamp, now
            self._forget_checks()

    def _forget_checks(self) -> None:
        self._blocks = self._blocks.replace(bytes((_CHECKED,)), bytes((_PRESENT,)))

    def checked(self, first: int, last: int) -> None:
        """Those of these blocks that are here are what they were."""
        for number in range(first, last):
            if self._blocks[number]:
                self._blocks[number] = _CHECKED

    def crcs(self, first: int, last: int) -> array[int]:
        return self._crcs[first:last]

    def numbered(self, first: int, last: int) -> list[tuple[int, int]]:
        """Number and checksum of those that are here."""
        return [(number, self._crcs[number]) for number in range(first, last) if self._blocks[number]]

    # Those who wait.

    async def change(self) -> None:
        """Returns after blocks came, or a fetch ended."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def close(self) -> None:
        """Lets go of the file, if nobody reads it."""
        if self.handle is not None and not self.readers and not self.busy:
            os.close(self.handle)
            self.handle = None


def stamp_of(handle: int) -> tuple[int, int]:
    """What changes when anybody changes the file."""
    found = os.fstat(handle)
    return found.st_ctime_ns, found.st_size


def whole_data(entry: Entry, crc: int) -> bool:
    """Whether ``data`` of an entry that was read is what it was."""
    return entry.data is not None and len(entry.data) == entry.size and checksum(entry.data) == crc
