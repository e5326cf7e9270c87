"""The read cache's own eviction (`s3d.read_cache.room`) with its tables, as a policy: the code that runs in the daemon."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from s3d.read_cache import room as product
from s3d.read_cache.config import ReadCacheConfig
from s3d.read_cache.room import Hands, Room, Row
from s3d.read_cache.schema import MIGRATIONS

BUCKET = "b"
_ADD = """
INSERT INTO entry (bucket, key, etag, size, headers, whole, confirmed, ask, stored, queue, position)
VALUES (?, ?, '', ?, '', 1, 0, 0, 0, ?, (SELECT coalesce(max(position), 0) + 1 FROM entry WHERE queue = ?))
"""
_MOVE = """
UPDATE entry SET queue = 1, position = (SELECT coalesce(max(position), 0) + 1 FROM entry WHERE queue = 1) WHERE id = ?
"""


@dataclass
class _Entry:
    """As much of an entry as `Room` looks at."""

    at: tuple[str, bytes]
    id: int | None = None
    hits: int = 0
    bytes: int = field(default=0)

    def stored(self) -> int:
        return self.bytes


class Product:
    """`Room` at so many reads a second: it counts again what is new once a second."""

    def __init__(self, size: int, per_second: float = 100.0) -> None:
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        for script in MIGRATIONS:
            self._database.executescript(script)
        hands = Hands(lambda: self._database, lambda: 1 << 60, lambda _at: False, self._removed, self._moved)
        config = ReadCacheConfig(Path(), max_size=size, max_files=1 << 40, free_space=0)
        self._room = Room(config, hands)
        self._largest = size
        self._entries: dict[int, _Entry] = {}
        self._now, self._step = 0.0, 1 / per_second

    def read(self, key: int, size: int) -> bool:
        self._now += self._step
        entry = self._entries.get(key)
        if entry is not None and entry.bytes:
            self._room.used(entry)  # type: ignore[arg-type]  # as much of one as is needed
            return True
        if size > self._largest:
            return False
        with mock.patch.object(product.time, "monotonic", return_value=self._now):
            if entry is None:
                entry = self._add(key, size)
            if self._room.make(entry.at, size):
                self._room.release(size)
                self._room.changed(size)
                entry.bytes = size
                self._database.execute("UPDATE entry SET stored = ? WHERE id = ?", (size, entry.id))
        return False

    def _add(self, key: int, size: int) -> _Entry:
        entry = self._entries[key] = _Entry((BUCKET, b"%d" % key))
        self._room.add(entry)  # type: ignore[arg-type]  # the same
        queue = int(self._room.comes_back(entry.at))
        entry.id = self._database.execute(_ADD, (*entry.at, size, queue, queue)).lastrowid
        return entry

    def _removed(self, rows: list[Row]) -> None:
        for row in rows:
            self._room.forget(self._entries.pop(int(row.key)))  # type: ignore[arg-type]  # the same
            self._database.execute("DELETE FROM entry WHERE id = ?", (row.id,))

    def _moved(self, rows: list[Row]) -> None:
        self._database.executemany(_MOVE, [(row.id,) for row in rows])
        self._room.settled(rows)
