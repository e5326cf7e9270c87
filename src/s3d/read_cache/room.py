"""Limits, and what goes to make room.

The order of removal is that of S3-FIFO ("FIFO queues are all you need for cache eviction", SOSP 2023), by bytes:

    new ──> queue 0, a tenth of the room ──used again──> queue 1 ──used since──> its end, with one use less
               │                                            │
               └──> gone, remembered ──comes back──> queue 1└──> gone

What is read once, as a scan does it, passes through queue 0 and leaves queue 1 alone. A hit writes nothing: it counts in
memory, by the entry's id modulo the length of a table (two entries may share a count: one stays longer).
"""

from __future__ import annotations

import logging
import sqlite3
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from s3d.local.database import Connection
from s3d.read_cache.config import ReadCacheConfig
from s3d.read_cache.entry import Entry, Key

log = logging.getLogger("s3d.read_cache")

_TABLE = 1 << 20
"""Counts, and places of ghosts: 1 MB and 8 MB of memory."""
_TICKS = 1000
_REMEMBERED = 900
"""Ghosts are remembered while so many thousandths of the room pass through queue 0, as much as queue 1 has room. If it was
longer, nearly everything would come back, and queue 0 would be of no use."""
_MOST = 3
"""Uses that are counted."""
_PROBATION = 0.1
"""Of all bytes that are in queue 0 before queue 1 gives any."""
_PAGE = 256
"""Rows that are looked at at a time."""
_SPARED = 1000
"""Rows that are spared at a time, a few milliseconds on the event loop: then the first of them goes all the same."""
_SLACK = 100
"""One part of so many that goes beyond what has to: so that not every new object looks for its own victims."""
_COUNT_AGAIN = 1.0
"""Seconds between two counts of what is in queue 0, unless a hundredth of the room came meanwhile."""
_FORGOTTEN = 100_000
"""Entries whose rows may still be there: by then they are not."""
_LOOK_AT_DISK = 0.5
"""Seconds between two looks at what is free on the disk."""
_NEXT = """
SELECT id, bucket, key, stored, position FROM entry WHERE queue = ? AND position > ?
ORDER BY position LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Row:
    """An entry that may go."""

    id: int
    bucket: str
    key: bytes
    stored: int
    position: int

    @property
    def at(self) -> Key:
        return self.bucket, self.key


@dataclass(frozen=True, slots=True)
class Hands:
    """What eviction needs of the others: rows, what is free on the disk (bytes), whether somebody uses an entry, and
    what to do with those that go or move."""

    reader: Callable[[], Connection]
    free: Callable[[], int]
    is_in_use: Callable[[Key], bool]
    removed: Callable[[list[Row]], None]
    moved: Callable[[list[Row]], None]


class Room:
    """How much is here, and how much may be."""

    def __init__(self, config: ReadCacheConfig, hands: Hands, stored: int = 0, count: int = 0) -> None:
        self._config = config
        self._hands = hands
        self.stored = stored
        """Bytes of all entries; ``count``: how many there are; ``reserved``: bytes that are being fetched."""
        self.count = count
        self.reserved = 0
        self.evicted = 0
        """Entries that went to make room."""
        self._probation = (float("-inf"), 0)  # when the bytes of queue 0 were counted, and how many they were
        self._came = 0  # bytes since then
        self._uses = bytearray(_TABLE)
        self._ghosts = array("I", bytes(4 * _TABLE))
        self._ghosts_when = array("I", bytes(4 * _TABLE))
        self._passed = 0  # bytes that went out of queue 0
        self._going: set[int] = set()  # ids whose rows are being moved
        self._forgotten: dict[int, None] = {}  # ids whose rows are being removed, or were lately
        self._free = 0
        self._looked = float("-inf")

    # Use.

    def used(self, entry: Entry) -> None:
        """It was read."""
        entry.hits += 1
        if entry.id is not None:
            place = entry.id % _TABLE
            if self._uses[place] < _MOST:
                self._uses[place] += 1

    def comes_back(self, at: Key) -> bool:
        """Whether an entry of this key went to make room not long ago."""
        found = hash(at)
        place, mark = found % _TABLE, found >> 20 & 0xFFFFFFFF
        if self._ghosts[place] != mark or not mark:
            return False
        return (self._when() - self._ghosts_when[place]) & 0xFFFFFFFF < _REMEMBERED

    def _when(self) -> int:
        """A clock that goes with what leaves queue 0."""
        return self._passed * _TICKS // self._config.max_size & 0xFFFFFFFF

    def add(self, entry: Entry) -> None:
        """A new one."""
        self.count += 1
        self.stored += entry.stored()
        if self.count > self._config.max_files:
            self._evict(0, self.count - self._config.max_files, entry.at)

    def changed(self, difference: int) -> None:
        """So many bytes more, or less, are here of an entry."""
        self.stored += difference
        self._came += abs(difference)

    def forget(self, entry: Entry) -> None:
        """An entry in memory is not here any more; its row may be for a moment."""
        self.stored -= entry.stored()
        self.count -= 1
        if entry.id is not None:
            self._remember(entry.id)

    def gone(self, row: Row) -> None:
        """The same for one of which there is only the row, or not even that is true any more."""
        if row.id not in self._forgotten:
            self.stored -= row.stored
            self.count -= 1
            self._remember(row.id)

    def is_forgotten(self, entry: Entry) -> bool:
        """Whether only the row of an entry is still there."""
        return entry.id in self._forgotten

    def _remember(self, number: int) -> None:
        self._forgotten[number] = None
        if len(self._forgotten) > _FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]

    def release(self, size: int) -> None:
        """So many reserved bytes came, or will not come."""
        self.reserved -= size

    def settled(self, rows: Sequence[Row]) -> None:
        """Their rows were moved."""
        self._going.difference_update(row.id for row in rows)

    # Making room.

    def make(self, wanted: Key, size: int) -> bool:
        """Reserves so many bytes for a key, which may have to go from others. False: there is no room."""
        excess = max(self.stored + self.reserved + size - self._config.max_size, self._short(size))
        if excess > 0 and not self._evict(excess, 0, wanted):
            return False
        self.reserved += size
        self._free -= size
        return True

    def _short(self, size: int) -> int:
        """How many bytes the disk lacks."""
        now = time.monotonic()
        if now - self._looked > _LOOK_AT_DISK:
            self._looked = now
            try:
                self._free = self._hands.free()
            except OSError as error:
                log.warning("the disk of the cache cannot be looked at", extra={"error": str(error)})
                self._free = 0
        return size + self._config.free_space - self._free

    def _evict(self, excess: int, more: int, wanted: Key) -> bool:
        """Lets entries go until so many bytes and files are free. False: that cannot be."""
        going: list[Row] = []
        moving: list[Row] = []
        slack = -self._config.max_size // _SLACK if excess > 0 else 0
        try:
            for row in self._victims(wanted, moving):
                going.append(row)
                excess -= row.stored
                more -= 1
                if excess <= slack and more <= 0:
                    break
        except sqlite3.Error as error:
            log.error("the database of the cache cannot be read", extra={"error": str(error)})
        self._going.update(row.id for row in moving)
        self.evicted += len(going)
        self._free += sum(row.stored for row in going)
        if going:
            self._hands.removed(going)
        if moving:
            self._hands.moved(moving)
        return excess <= 0 and more <= 0

    def _victims(self, wanted: Key, moving: list[Row]) -> Iterator[Row]:
        """Entries in the order in which they go; those that are spared are added to ``moving``."""
        probation = self._in_probation()
        queues = (self._rows(0), self._rows(1))
        ended = [False, False]
        while not all(ended):
            queue = 0 if not ended[0] and (ended[1] or probation > _PROBATION * self._config.max_size) else 1
            row = next(queues[queue], None)
            if row is None:
                ended[queue] = True
                continue
            if row.id in self._going or row.id in self._forgotten or row.at == wanted or self._hands.is_in_use(row.at):
                continue
            probation -= row.stored if queue == 0 else 0
            place = row.id % _TABLE
            if self._uses[place] > (0 if queue else 1):
                self._uses[place] -= 1 if queue else self._uses[place]
                moving.append(row)
                if len(moving) > _SPARED:
                    yield moving.pop(0)
                continue
            if queue == 0:
                self._passed += row.stored
                found = hash(row.at)
                self._ghosts[found % _TABLE] = found >> 20 & 0xFFFFFFFF
                self._ghosts_when[found % _TABLE] = self._when()
            yield row
        # Everything was used lately: what was spared goes all the same, the first one first.
        while moving:
            yield moving.pop(0)

    def _rows(self, queue: int) -> Iterator[Row]:
        position = 0
        while rows := self._hands.reader().execute(_NEXT, (queue, position, _PAGE)).fetchall():
            for row in rows:
                yield Row(*row)
            position = rows[-1][-1]

    def _in_probation(self) -> int:
        """Bytes of queue 0, as they were a moment ago."""
        now = time.monotonic()
        if now - self._probation[0] > _COUNT_AGAIN or self._came * _SLACK > self._config.max_size:
            self._came = 0
            query = "SELECT coalesce(sum(stored), 0) FROM entry INDEXED BY entry_order WHERE queue = 0"
            self._probation = now, int(self._hands.reader().execute(query).fetchone()[0])
        return self._probation[1]
