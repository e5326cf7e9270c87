"""What may become of the files of a cache and of its rows."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

DELETED, FLIPPED, CUT, ZEROED = "deleted", "flipped", "cut", "zeroed"
DAMAGES = (DELETED, FLIPPED, FLIPPED, CUT, ZEROED)
DATA, HEADERS, BLOCKS, ROWS, DATABASE = "data", "headers", "blocks", "rows", "database"
ROW_DAMAGES = (DATA, DATA, HEADERS, BLOCKS, BLOCKS, ROWS, DATABASE)

_STATEMENTS = {
    DATA: "UPDATE entry SET data = CAST('wrong' || substr(data, 6) AS BLOB) WHERE length(data) > 5",
    HEADERS: "UPDATE entry SET headers = '[' WHERE id % 2 = ?",
    BLOCKS: "DELETE FROM block WHERE number % 2 = ?",
    ROWS: "DELETE FROM entry WHERE id % 2 = ?",
}


def damage_file(directory: Path, kind: str, number: int, where: int) -> bool:
    """One of the files with blocks; False: there is none."""
    files = _files(directory)
    if files:
        _damage(files[number % len(files)], kind, where)
    return bool(files)


def damage_all(directory: Path, kind: str, where: int) -> None:
    for path in _files(directory):
        _damage(path, kind, where)


def _files(directory: Path) -> list[Path]:
    return sorted((directory / "blocks").glob("*/*"))


def _damage(path: Path, kind: str, where: int) -> None:
    if kind == DELETED:
        path.unlink()
        return
    size = path.stat().st_size
    where %= max(1, size)
    if kind == CUT:
        os.truncate(path, where)
    else:
        _overwrite(path, where, size, kind)


def _overwrite(path: Path, where: int, size: int, kind: str) -> None:
    with path.open("r+b") as file:
        file.seek(where)
        found = file.read(1 if kind == FLIPPED else size - where)
        file.seek(where)
        file.write(bytes(sign ^ 0xFF for sign in found) if kind == FLIPPED else bytes(len(found)))


def damage_row(path: Path, kind: str, number: int) -> None:
    """Of a database that nobody has open."""
    if kind == DATABASE:
        path.write_bytes(b"damaged" * 1000)  # everything begins anew
        return
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        statement = _STATEMENTS[kind]
        connection.execute(statement, (number % 2,) if "?" in statement else ())
