"""One page out of two sorted sources: what the remote lists, and what its keys will be once everything is pushed.

    remote    keys and common prefixes, in byte order, as it rolled them up
    changes   keys with what they will be (`s3d.write_queue.operation.Change`), in byte order
    page      keys and common prefixes, in byte order

A change replaces, adds or removes a key. A common prefix lives while a key below it does: one that the remote lists, and
below which there are deletes only here, has to be looked into.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from s3d.standalone.listing import behind
from s3d.standalone.version import Version
from s3d.write_queue.operation import Change

_AT_ONCE = 1000  # changes that are read at a time

Changes = Callable[[bytes, bytes, int, bool], list[Change]]
"""Prefix, first or last key, limit, and whether the key itself counts: `Journal.changes` of one bucket."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of the remote: a key with its members as the codec gives them, or a common prefix (None)."""

    name: bytes
    members: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the page: a key of the remote (``members``), one from here (``version``), or a common prefix."""

    name: bytes
    members: dict[str, Any] | None = None
    version: Version | None = None

    @property
    def is_prefix(self) -> bool:
        return self.members is None and self.version is None


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


Lives = Callable[[bytes], Awaitable[bool]]
"""Whether the remote has a key below a common prefix that is not deleted here."""


async def merge(wanted: Wanted, remote: AsyncGenerator[Listed, None], changes: Changes, lives: Lives) -> Page:
    """The page. ``remote`` gives entries at or behind ``wanted.start`` and is closed in the end."""
    page = Page()
    try:
        async for entry in _merged(wanted, remote, _Cursor(wanted, changes), lives):
            if len(page.entries) == wanted.limit:
                page.truncated = True
                break
            page.entries.append(entry)
    finally:
        await remote.aclose()
    return page


async def _merged(wanted: Wanted, remote: AsyncIterator[Listed], cursor: _Cursor, lives: Lives) -> AsyncIterator[Entry]:
    """All entries, in order."""
    listed = await anext(remote, None)
    change = cursor.next()
    while listed is not None or change is not None:
        group = wanted.group(change.key) if change is not None else None
        name = group if group is not None else change.key if change is not None else None
        if change is None or name is None or (listed is not None and listed.name < name):
            assert listed is not None  # noqa: S101  one of them is there
            yield Entry(listed.name, listed.members) if listed.members is not None else Entry(listed.name)
            listed = await anext(remote, None)
            continue
        there = listed is not None and listed.name == name
        if group is None:
            if change.version is not None:
                yield Entry(change.key, version=change.version)
            change = cursor.next()
        else:
            if cursor.has_object(group, change) or (there and await lives(group)):
                yield Entry(group)
            change = cursor.skip(group)
        if there:
            listed = await anext(remote, None)


class _Cursor:
    """Walks along the changes."""

    def __init__(self, wanted: Wanted, changes: Changes) -> None:
        self._prefix = wanted.prefix
        self._changes = changes
        self._rows: Iterator[Change] = iter(changes(wanted.prefix, wanted.start, _AT_ONCE, True))
        self._last: bytes | None = None

    def next(self) -> Change | None:
        found = next(self._rows, None)
        if found is None and self._last is not None:
            self._rows = iter(self._changes(self._prefix, self._last, _AT_ONCE, False))
            found = next(self._rows, None)
        self._last = found.key if found is not None else None
        return found

    def has_object(self, group: bytes, first: Change) -> bool:
        """Whether a key below the common prefix will be there because of a change. ``first`` is the first of them."""
        if first.version is not None:
            return True
        after = first.key
        while some := self._changes(group, after, _AT_ONCE, False):
            if any(change.version is not None for change in some):
                return True
            after = some[-1].key
        return False

    def skip(self, group: bytes) -> Change | None:
        """The first change behind the common prefix."""
        self._rows = iter(self._changes(self._prefix, behind(group), _AT_ONCE, True))
        found = next(self._rows, None)
        self._last = found.key if found is not None else None
        return found


async def has_other_key(group: bytes, remote: AsyncGenerator[Listed, None], changes: Changes) -> bool:
    """Whether the remote has a key below the common prefix that is not deleted here. ``remote`` gives all of its keys
    there, and is closed in the end."""
    nothing = Wanted(group, b"", 0, group)
    cursor = _Cursor(nothing, changes)
    change = cursor.next()
    try:
        async for listed in remote:
            while change is not None and change.key < listed.name:
                change = cursor.next()
            if change is None or change.key != listed.name or change.version is not None:
                return True
        return False
    finally:
        await remote.aclose()
