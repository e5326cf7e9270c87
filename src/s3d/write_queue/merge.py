"""One page out of two sorted sources: what the remote lists, and what its keys will be once everything is pushed.

    changes   keys with what they will be (`s3d.write_queue.operation.Change`), in byte order
    remote    pages of keys and common prefixes, in byte order, as it rolled them up
    page      keys and common prefixes, in byte order

A change replaces, adds or removes a key. A common prefix lives while a key below it does; one that the remote lists, and
below which there are only deletes here, has to be looked into.

The changes of a range are read before the remote is asked for that range. What is pushed in between is then in both, and
counts once; read the other way round it would be in neither, and an object that was acknowledged would be missing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from s3d.standalone.listing import END, behind
from s3d.standalone.version import Version
from s3d.write_queue.operation import Change

_MOST = 1000  # changes that are read at a time
_FEW = 4
"""Changes that are read behind a common prefix, at first: a query costs about as much as four of its rows."""

Changes = Callable[[bytes, bytes, int, bool], list[Change]]
"""Prefix, first or last key, limit, and whether the key itself counts: `Journal.changes` of one bucket."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of the remote: a key with its element, or a common prefix (None)."""

    name: bytes
    element: Element | None


@dataclass(frozen=True, slots=True)
class RemotePage:
    """``truncated``: the remote has more."""

    entries: Sequence[Listed]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the page: a key of the remote (``element``), one from here (``version``), or a common prefix."""

    name: bytes
    element: Element | None = None
    version: Version | None = None

    @property
    def is_prefix(self) -> bool:
        return self.element is None and self.version is None


@dataclass(slots=True)
class Page:
    """``truncated``: more follows behind ``last``."""

    entries: list[Entry] = field(default_factory=list)
    truncated: bool = False

    @property
    def last(self) -> bytes:
        return self.entries[-1].name if self.entries else b""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: ``limit`` entries at or behind the key ``start``."""

    prefix: bytes
    delimiter: bytes
    limit: int
    start: bytes

    def group(self, key: bytes) -> bytes | None:
        """The common prefix that stands for the key."""
        position = key.find(self.delimiter, len(self.prefix)) if self.delimiter else -1
        return None if position < 0 else key[: position + len(self.delimiter)]

    def behind(self, name: bytes) -> bytes:
        """The first key that no listed ``name`` up to this one stands for."""
        return name + b"\0" if self.group(name) is None else behind(name)


Ask = Callable[[Wanted], AsyncGenerator[RemotePage, None]]
"""Pages of the remote: all entries at or behind ``start``, ``limit`` of them in a page at most."""


async def merge(wanted: Wanted, ask: Ask, changes: Changes) -> Page:
    """The page."""
    page = Page()
    async with aclosing(_entries(wanted, ask, changes)) as entries:
        async for entry in entries:
            if len(page.entries) == wanted.limit:
                page.truncated = True
                break
            if entry is not None:
                page.entries.append(entry)
    return page


async def _entries(wanted: Wanted, ask: Ask, changes: Changes) -> AsyncGenerator[Entry | None, None]:
    """All entries, in order; None: there is one more, whose name is still to be asked for."""
    start = wanted.start
    while start < END:
        window = _read(wanted, start, changes)
        limit = min(_MOST, wanted.limit + 1 + window.deletes)
        async with aclosing(ask(Wanted(wanted.prefix, wanted.delimiter, limit, start))) as pages:
            async for remote in pages:
                last = remote.entries[-1].name if remote.entries else None
                end = window.end
                if remote.truncated:
                    end = min(end, start if last is None else wanted.behind(last))
                for name, listed, local in _pairs(remote.entries, window, end):
                    if local is None:
                        yield Entry(name, listed.element if listed is not None else None)
                    elif not local.is_prefix:
                        if local.version is not None:
                            yield Entry(name, version=local.version)
                    elif local.lives or (listed is not None and await _lives(name, ask, changes)):
                        yield Entry(name)
                start = max(start, end)
                if end == window.end:
                    break
                if window.says_more:
                    yield None
        start = window.end


async def _lives(group: bytes, ask: Ask, changes: Changes) -> bool:
    """Whether there will be a key below a common prefix."""
    async with aclosing(_entries(Wanted(group, b"", 0, group), ask, changes)) as entries:
        async for entry in entries:
            if entry is not None:
                return True
    return False


# The changes.


@dataclass(frozen=True, slots=True)
class _Local:
    """What is known here of one name of the list: of a key its version (None: deleted), of a common prefix whether a
    change makes a key below it (``lives``)."""

    name: bytes
    version: Version | None
    is_prefix: bool = False
    lives: bool = False

    @property
    def is_there(self) -> bool:
        return self.lives or self.version is not None


@dataclass(slots=True)
class _Window:
    """Every change in front of ``end``, in order, of which ``taken`` were merged."""

    rows: list[_Local] = field(default_factory=list)
    end: bytes = END
    deletes: int = 0
    taken: int = 0

    @property
    def says_more(self) -> bool:
        """Whether a remote that has more is enough to know that the list goes on: an object here follows, or no change
        that could delete what the remote has."""
        left = self.rows[self.taken :]
        return any(local.is_there for local in left) or (not left and self.end == END)


def _read(wanted: Wanted, start: bytes, changes: Changes) -> _Window:
    """As many changes as a page can need, in one go: whoever lists does not wait in between."""
    size = min(_MOST, wanted.limit) + 2  # what a page shows, that there is more, and where
    window, rows = _Window(), _Rows(wanted.prefix, start, changes, size)
    alive = 0
    while (change := rows.next()) is not None:
        group = wanted.group(change.key)
        if alive > wanted.limit or window.deletes >= _MOST:
            window.end = change.key if group is None else group  # the remote lists that, and it sorts first
            break
        if group is None:
            local = _Local(change.key, change.version)
        else:
            local = _Local(group, None, is_prefix=True, lives=rows.skip(group, change))
        if local.is_there:
            alive += 1
        else:
            window.deletes += 1
        window.rows.append(local)
    return window


class _Rows:
    """Walks along the changes. Reads few behind a jump, and then ever more, because the next jump may be near."""

    def __init__(self, prefix: bytes, start: bytes, changes: Changes, size: int) -> None:
        self._prefix = prefix
        self._changes = changes
        self._size = size
        self._load(start, inclusive=True)

    def _load(self, start: bytes, *, inclusive: bool) -> None:
        self._rows = self._changes(self._prefix, start, self._size, inclusive)
        self._is_last = len(self._rows) < self._size
        self._position = 0

    def next(self) -> Change | None:
        if self._position == len(self._rows):
            if self._is_last:
                return None
            last = self._rows[-1].key
            self._size = min(_MOST, self._size * 2)
            self._load(last, inclusive=False)
            if not self._rows:
                return None
        self._position += 1
        return self._rows[self._position - 1]

    def skip(self, group: bytes, first: Change) -> bool:
        """Goes behind a common prefix; whether a change makes a key below it. ``first`` is the first of them."""
        change: Change | None = first
        while change is not None and change.version is None and change.key.startswith(group):
            change = self.next()
        if change is None:
            return False
        if not change.key.startswith(group):
            self._position -= 1
            return False
        rows = self._rows
        while self._position < len(rows) and rows[self._position].key.startswith(group):
            self._position += 1
        if self._position == len(rows) and not self._is_last:
            self._size = _FEW
            self._load(behind(group), inclusive=True)
        return True


def _pairs(remote: Sequence[Listed], window: _Window, end: bytes) -> list[tuple[bytes, Listed | None, _Local | None]]:
    """Both sources by name, in order, as far as ``end``."""
    found: list[tuple[bytes, Listed | None, _Local | None]] = []
    rows, index = window.rows, 0
    count = len(remote)
    while True:
        listed = remote[index] if index < count and remote[index].name < end else None
        local = rows[window.taken] if window.taken < len(rows) and rows[window.taken].name < end else None
        if listed is None and local is None:
            return found
        if local is None or (listed is not None and listed.name < local.name):
            assert listed is not None  # noqa: S101  one of them is there
            found.append((listed.name, listed, None))
            index += 1
            continue
        there = listed is not None and listed.name == local.name
        found.append((local.name, listed if there else None, local))
        window.taken += 1
        index += there
