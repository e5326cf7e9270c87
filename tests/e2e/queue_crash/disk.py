"""A disk that keeps what was synced, and of the rest what it likes: made from what `unsynced.c` wrote down.

Guaranteed are only the bytes of a file that was synced, and the names in a directory that was synced; that a file system
keeps more is not relied on. The rest is there, or not, or in part: a write is torn at sectors of 512 bytes.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_HEAD = struct.Struct("=ciqII")
_SECTOR = 512


@dataclass(frozen=True, slots=True)
class Record:
    """``kind``: O opened, T opened and truncated, W written, S size set, F synced, D directory made, U name removed,
    R renamed (to ``data``), P descriptor duplicated (the old one is ``offset``), M mark (its text is ``path``)."""

    kind: str
    handle: int
    offset: int
    path: str
    data: bytes


def records(trace: Path) -> Iterator[Record]:
    """In the order of the calls. The last may be incomplete, when the process was ended."""
    text = trace.read_bytes()
    at = 0
    while at + _HEAD.size <= len(text):
        kind, handle, offset, path, data = _HEAD.unpack_from(text, at)
        at += _HEAD.size
        end = at + path + data
        yield Record(kind.decode(), handle, offset, text[at : at + path].decode(), text[at + path : end])
        at = end


@dataclass(eq=False, slots=True)
class File:
    """``synced``: its bytes as the disk has them; ``since``: what came after that, (offset, bytes), or (size, None) for a
    new size."""

    synced: bytes = b""
    since: list[tuple[int, bytes | None]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Directory:
    """``synced``: names that the disk has; ``now``: those that the process sees; ``since``: changes after the last sync."""

    synced: dict[str, Node] = field(default_factory=dict)
    now: dict[str, Node] = field(default_factory=dict)
    since: list[Change] = field(default_factory=list)


Node = File | Directory
_Place = tuple[Directory, str]


@dataclass(eq=False, slots=True)
class Change:
    """A node gets a name (``to``), or loses one (``of``), or both: the disk does a rename as a whole or not at all."""

    number: int
    node: Node
    of: _Place | None = None
    to: _Place | None = None

    def apply(self, names: dict[int, dict[str, Node]]) -> None:
        """``names`` of directories, by id."""
        if self.of is not None and names[id(self.of[0])].get(self.of[1]) is self.node:
            del names[id(self.of[0])][self.of[1]]
        if self.to is not None:
            names[id(self.to[0])][self.to[1]] = self.node


class Disk:
    """Of one directory, which is there and empty in the beginning."""

    def __init__(self, root: str) -> None:
        self._root_path = root
        self._root = Directory()
        self._directories = [self._root]
        self._handles: dict[int, Node] = {}
        self._changes = 0

    def play(self, record: Record) -> None:
        """One call more."""
        kind = record.kind
        if kind in "OT":
            self._open(record)
        elif kind in "WS":
            node = self._handles[record.handle]
            assert isinstance(node, File)
            node.since.append((record.offset, record.data if kind == "W" else None))
        elif kind == "F":
            self._sync(self._handles[record.handle])
        elif kind == "D":
            made = Directory()
            self._directories.append(made)
            self._change(made, to=self._at(record.path))
        elif kind == "U":
            parent, name = self._at(record.path)
            self._change(parent.now[name], of=(parent, name))
        elif kind == "R":
            parent, name = self._at(record.path)
            self._change(parent.now[name], of=(parent, name), to=self._at(record.data.decode()))
        elif kind == "P":
            self._handles[record.handle] = self._handles[record.offset]

    def _open(self, record: Record) -> None:
        if record.path == self._root_path:
            self._handles[record.handle] = self._root
            return
        parent, name = self._at(record.path)
        if name not in parent.now:
            self._change(File(), to=(parent, name))
        node = self._handles[record.handle] = parent.now[name]
        if record.kind == "T" and isinstance(node, File):
            node.since.append((0, None))

    def _at(self, path: str) -> _Place:
        node: Node = self._root
        *parents, name = path[len(self._root_path) :].strip("/").split("/")
        for parent in parents:
            assert isinstance(node, Directory)
            node = node.now[parent]
        assert isinstance(node, Directory)
        return node, name

    def _change(self, node: Node, of: _Place | None = None, to: _Place | None = None) -> None:
        self._changes += 1
        change = Change(self._changes, node, of, to)
        places = {id(place[0]): place[0] for place in (change.of, change.to) if place is not None}
        change.apply({number: directory.now for number, directory in places.items()})
        for directory in places.values():
            directory.since.append(change)

    def _sync(self, node: Node) -> None:
        if isinstance(node, File):
            node.synced, node.since = _written(node.synced, node.since), []
            return
        names = {id(directory): directory.synced for directory in self._directories}
        for change in node.since:
            change.apply(names)
            for place in (change.of, change.to):  # what is done is done, in the other directory of a rename, too
                if place is not None and place[0] is not node:
                    place[0].since.remove(change)
        node.since = []

    # What is left when the power goes.

    def image(self, to: Path, choose: random.Random, kept: float) -> None:
        """Makes the directory. ``kept``: how likely it is of each unsynced change that the disk has it."""
        names = {id(directory): dict(directory.synced) for directory in self._directories}
        unsynced = {change.number: change for directory in self._directories for change in directory.since}
        for _, change in sorted(unsynced.items()):
            if choose.random() < kept:
                change.apply(names)
        self._write(self._root, to, names, choose, kept)

    def _write(
        self, directory: Directory, to: Path, names: dict[int, dict[str, Node]], choose: random.Random, kept: float
    ) -> None:
        to.mkdir()
        for name, node in names[id(directory)].items():
            if isinstance(node, Directory):
                self._write(node, to / name, names, choose, kept)
            elif not name.endswith("-shm"):  # SQLite makes it anew
                (to / name).write_bytes(_written(node.synced, list(_some(node.since, choose, kept))))


def _some(
    changes: list[tuple[int, bytes | None]], choose: random.Random, kept: float
) -> Iterator[tuple[int, bytes | None]]:
    """Those that the disk did, whole or by sectors."""
    for offset, data in changes:
        if data is None or choose.random() < 0.5:
            if choose.random() < kept:
                yield offset, data
            continue
        start = 0
        while start < len(data):
            following = min(len(data), start + _SECTOR - (offset + start) % _SECTOR)
            if choose.random() < kept:
                yield offset + start, data[start:following]
            start = following


def _written(before: bytes, changes: list[tuple[int, bytes | None]]) -> bytes:
    text = bytearray(before)
    for offset, data in changes:
        if data is None:
            del text[offset:]
            text.extend(bytes(offset - len(text)))
            continue
        if offset > len(text):  # a hole
            text.extend(bytes(offset - len(text)))
        text[offset : offset + len(data)] = data
    return bytes(text)
