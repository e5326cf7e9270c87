"""A database with bodies, as a store has it, and what its tests look at."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

from s3d.local.bodies import TABLES, Bodies, Segment
from s3d.local.database import Database
from s3d.local.directory import make
from s3d.local.receive import receive
from s3d.s3.message import FileRange

MIGRATIONS = (f"CREATE TABLE object (key TEXT PRIMARY KEY, body INTEGER); {TABLES}",)
LARGE = bytes(range(256)) * 1000


@contextlib.asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Bodies]:
    """Opens it as a start does."""
    make(directory)
    database = Database(directory / "store.db", MIGRATIONS)
    database.open()
    bodies = Bodies(directory, database)
    bodies.open()
    yield bodies
    await bodies.close()
    await database.close()


async def put(bodies: Bodies, key: str, body: bytes) -> int | None:
    """Puts a body below a key and releases the one that was there; the id of its row."""

    def change(connection: sqlite3.Connection, new: int | None) -> int | None:
        remove(connection, bodies, key)
        connection.execute("INSERT INTO object VALUES (?, ?)", (key, new))
        return new

    async with await receive(bodies, body) as new:
        return await new.change(change)


def remove(connection: sqlite3.Connection, bodies: Bodies, key: str) -> None:
    for (old,) in connection.execute("DELETE FROM object WHERE key = ? RETURNING body", (key,)).fetchall():
        bodies.release(connection, old)


async def delete(bodies: Bodies, key: str) -> None:
    await bodies.database.change(lambda connection: remove(connection, bodies, key))


def segments(bodies: Bodies, key: str) -> list[Segment]:
    query = "SELECT size, file, data FROM body JOIN object ON object.body = body.id WHERE key = ?"
    return [Segment(*row) for row in bodies.database.reader.execute(query, (key,))]


def get(bodies: Bodies, key: str) -> bytes:
    """The bytes below a key."""
    found = segments(bodies, key)
    body = bodies.read(found, 0, sum(segment.size for segment in found))
    assert not hasattr(body, "asend")
    return read(body)


def read(body: bytes | memoryview | FileRange) -> bytes:
    """All bytes; closes the file."""
    if not isinstance(body, FileRange):
        return bytes(body)
    with body.file as file:
        file.seek(body.offset)
        return file.read(body.length)


def file_of(bodies: Bodies, key: str) -> str:
    """The name of the file of a large body."""
    name = segments(bodies, key)[0].file
    assert name is not None
    return name


def rows(bodies: Bodies, query: str) -> list[tuple[object, ...]]:
    return bodies.database.reader.execute(query).fetchall()


def files(directory: Path) -> list[str]:
    """What is below ``incoming`` and ``bodies``, from there on."""
    found = [path for part in ("incoming", "bodies") for path in (directory / part).rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(directory)) for path in found)


def as_a_crash_leaves_it(directory: Path, to: Path) -> Path:
    """A copy at this instant: what the next start finds if the process ends now."""
    return Path(shutil.copytree(directory, to))


def md5(body: bytes) -> bytes:
    return hashlib.md5(body).digest()
