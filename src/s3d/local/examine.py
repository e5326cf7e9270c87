"""Looks at a directory that no process uses: whether the database is whole, whether each body still has its bytes, and
which files belong to nothing. Nothing is changed here but by `remove`."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from s3d.local.database import Connection, check_identity, connect
from s3d.local.directory import CannotOpen, sync_directory

_PIECE = 1 << 20  # bytes read at a time
_NOT_DAMAGED = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
    }
)
"""Primary result codes that speak of the machine and not of the file."""


class Digest(Protocol):
    """What hashlib's objects and those of `s3d.s3.checksums` have in common."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


Expected = tuple[str, Digest, bytes]
"""A digest that the bytes of a body must have: its name, an object that computes it, its value."""


@contextlib.contextmanager
def database(path: Path, known: int) -> Iterator[Connection]:
    """The database of a store. ``known``: the latest version of its tables.

    Raises CannotOpen if there is none, or one of another program or version; sqlite3.Error becomes `Damaged`.
    """
    if not path.is_file():
        raise CannotOpen(f"there is no store in {path.parent} (no {path.name}): name the directory of one")
    try:
        check_identity(path, known)
        with contextlib.closing(connect(path)) as connection:
            if found := _integrity(connection):
                raise Damaged(found)
            yield connection
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_DAMAGED:
            raise CannotOpen(
                f"the database {path} cannot be used now ({error}): nothing was found out about it"
            ) from error
        raise Damaged([str(error)]) from error


class Damaged(Exception):
    """The database itself is damaged. ``found``: what SQLite says."""

    def __init__(self, found: list[str]) -> None:
        self.found = found
        super().__init__("; ".join(found))


def _integrity(connection: Connection) -> list[str]:
    found = [str(text) for (text,) in connection.execute("PRAGMA integrity_check")]
    return [] if found == ["ok"] else found


def damage(directory: Path, row: tuple[int, bytes, str | None, bytes | None], others: Iterable[Expected]) -> str | None:
    """What is wrong with a body, as the end of a sentence that begins with "its body"; None if nothing is.

    ``row``: size, md5, file, data of the table ``body``. All bytes are read.
    """
    size, md5, file, data = row
    if (file is None) == (data is None):
        return "is neither in the database nor in a file, or in both"
    expected: list[Expected] = [("MD5", hashlib.md5(usedforsecurity=False), md5), *others]
    try:
        found = _feed(
            [data] if data is not None else _pieces(directory, file or ""), [hasher for _, hasher, _ in expected]
        )
    except FileNotFoundError:
        return f"is missing (the file {file})"
    except OSError as error:
        return f"cannot be read (the file {file}: {error.strerror})"
    if found != size:
        return f"has {found} bytes instead of {size}{f' (the file {file})' if file else ''}"
    for name, hasher, value in expected:
        if hasher.digest() != value:
            return f"is damaged: its bytes no longer have the {name} they had{f' (the file {file})' if file else ''}"
    return None


def _feed(pieces: Iterable[bytes], digests: list[Digest]) -> int:
    size = 0
    for piece in pieces:
        size += len(piece)
        for digest in digests:
            digest.update(piece)
    return size


def _pieces(directory: Path, file: str) -> Iterator[bytes]:
    """In its place, or where a crash left it for the next start to move."""
    path = _place(directory, file)
    with (path if path.exists() else directory / "incoming" / file).open("rb", 0) as opened:
        while piece := opened.read(_PIECE):
            yield piece


def _place(directory: Path, file: str) -> Path:
    return directory / "bodies" / file[:2] / file


def strays(directory: Path, connection: Connection) -> Iterator[Path]:
    """Files among the bodies that are none."""
    yield from _files(directory / "bodies", _unknown(connection, "body", "trash"))


def leftovers(directory: Path, connection: Connection) -> Iterator[Path]:
    """Files that the next start removes: of writes that did not end, and of bodies that were deleted."""
    yield from _files(directory / "incoming", _unknown(connection, "body"))
    for (file,) in connection.execute("SELECT file FROM trash"):
        if _place(directory, file).exists():
            yield _place(directory, file)


def _files(directory: Path, wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Of all levels, in the order of their names."""
    for parent, directories, names in os.walk(directory, onerror=_fail):
        directories.sort()
        yield from (Path(parent, name) for name in sorted(names) if wanted(name))


def _fail(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # the first start ended before it made the directory
        raise error


def _unknown(connection: Connection, *tables: str) -> Callable[[str], bool]:
    queries = [f"SELECT 1 FROM {table} WHERE file = ?" for table in tables]  # noqa: S608  # names of tables, from above
    return lambda name: all(connection.execute(query, (name,)).fetchone() is None for query in queries)


def remove(path: Path) -> None:
    """Removes a file durably. Raises OSError."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)
