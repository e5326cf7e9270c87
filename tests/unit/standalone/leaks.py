"""What a closed store has too much or too little of: the rule that every test here ends with.

A small check of its own, so that the tests do not believe `s3d fsck`, which is tested with it in turn.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_REFERENCES = (
    "SELECT body FROM object UNION ALL SELECT body FROM noncurrent UNION ALL SELECT body FROM part",
    "SELECT upload FROM object UNION ALL SELECT upload FROM noncurrent UNION ALL SELECT id FROM upload",
)


def leaks(directory: Path) -> list[str]:
    """One sentence for each problem of the store in the directory, which no process uses."""
    with closing(sqlite3.connect(directory / "store.db")) as connection:
        return [*_rows(connection), *_files(connection, directory)]


def _rows(connection: sqlite3.Connection) -> list[str]:
    bodies, uploads = _REFERENCES
    refs = dict(connection.execute("SELECT id, refs FROM body"))
    counted = f"SELECT body, count(*) FROM ({bodies}) WHERE body IS NOT NULL GROUP BY body"
    users = dict(connection.execute(counted))
    wrong = [body for body in refs.keys() | users.keys() if refs.get(body) != users.get(body)]
    found = [f"body {body} has {refs.get(body)} refs and {users.get(body)} users" for body in wrong]
    known = {number for (number,) in connection.execute(uploads)}
    parts = {number for (number,) in connection.execute("SELECT DISTINCT upload FROM part")}
    return found + [f"the parts of upload {number} belong to nothing" for number in parts - known]


def _files(connection: sqlite3.Connection, directory: Path) -> list[str]:
    rows = dict(connection.execute("SELECT file, size FROM body WHERE file IS NOT NULL"))
    files = {path.name: path.stat().st_size for path in (directory / "bodies").glob("*/*")}
    wrong = [name for name in rows.keys() | files.keys() if rows.get(name) != files.get(name)]
    found = [f"{name} has {rows.get(name)} bytes in its row and {files.get(name)} in its file" for name in wrong]
    return found + [f"{path.name} is left in incoming" for path in (directory / "incoming").iterdir()]
