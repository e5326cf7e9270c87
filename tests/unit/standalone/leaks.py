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
    used = dict(
        connection.execute(f"SELECT body, count(*) FROM ({bodies}) WHERE body IS NOT NULL GROUP BY body").fetchall()
    )
    found = [f"body {id} has {refs.get(id)} refs and {used.get(id)} users" for id in refs.keys() | used.keys()]
    wrong = [text for id, text in zip(refs.keys() | used.keys(), found, strict=True) if refs.get(id) != used.get(id)]
    known = {id for (id,) in connection.execute(uploads)}
    parts = {id for (id,) in connection.execute("SELECT DISTINCT upload FROM part")}
    return wrong + [f"the parts of {id} belong to nothing" for id in parts - known]


def _files(connection: sqlite3.Connection, directory: Path) -> list[str]:
    rows = dict(connection.execute("SELECT file, size FROM body WHERE file IS NOT NULL"))
    files = {path.name: path.stat().st_size for path in (directory / "bodies").glob("*/*")}
    names = rows.keys() | files.keys()
    wrong = [f"{name}: row {rows.get(name)}, file {files.get(name)}" for name in names]
    wrong = [text for name, text in zip(names, wrong, strict=True) if rows.get(name) != files.get(name)]
    return wrong + [f"{path.name} is left in incoming" for path in (directory / "incoming").iterdir()]
