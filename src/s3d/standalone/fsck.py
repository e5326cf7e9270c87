"""Checks a store that no process uses, and on request removes what belongs to nothing.

    1  the database itself     SQLite's integrity check; unless it passes nothing else is looked at, and nothing repaired
    2  rows                    `s3d.standalone.invariants`: versions, sizes, ETags, parts, what refers to what
    3  bodies                  every byte read and compared with size, MD5 and additional checksums
    4  references              counted, against what the bodies say
    5  files                   that have no row

What a start puts in order by itself (files of writes that did not end, files in the trash) is no problem; `repair` removes
it, too. The bytes of an object are never touched: a damaged one is reported, with what can be done about it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

from s3d.local import examine
from s3d.local.database import Connection
from s3d.local.directory import CannotOpen, Lock
from s3d.standalone import checksums, invariants
from s3d.standalone.schema import MIGRATIONS

Report = Callable[[str], None]

_BODIES = """\
SELECT body.id, body.size, body.md5, body.file, body.data, wanted.checksums FROM body LEFT JOIN (
    SELECT body, group_concat(DISTINCT checksum) AS checksums FROM (
        SELECT body, checksum FROM object UNION ALL SELECT body, checksum FROM noncurrent
        UNION ALL SELECT body, checksum FROM part
    ) WHERE body IS NOT NULL AND checksum IS NOT NULL GROUP BY body
) AS wanted ON wanted.body = body.id
"""
_COUNTED = """\
SELECT body.id, body.refs, coalesce(counted.refs, 0), body.file FROM body LEFT JOIN (
    SELECT body, count(*) AS refs FROM (
        SELECT body FROM object UNION ALL SELECT body FROM noncurrent UNION ALL SELECT body FROM part
    ) WHERE body IS NOT NULL GROUP BY body
) AS counted ON counted.body = body.id
WHERE body.refs != coalesce(counted.refs, 0)
"""


def check(directory: Path, report: Report, *, repair: bool = False) -> int:
    """The number of problems found; each is reported as one sentence, and with ``repair`` so is each thing done.

    Raises CannotOpen (no store there, or not one that this version knows), DirectoryInUse.
    """
    if not (directory / "store.db").is_file():  # before the lock makes a file there
        raise CannotOpen(f"there is no store in {directory} (no store.db): name the directory of one")
    lock = Lock(directory)
    try:
        lock.take()
        with examine.database(directory / "store.db", len(MIGRATIONS)) as connection:
            return _Check(directory, connection, report, repair=repair).run()
    except examine.Damaged as damage:
        for found in damage.found:
            report(f"the database {directory / 'store.db'} is damaged ({found}): restore it, nothing was repaired")
        return len(damage.found)
    except OSError as error:
        raise CannotOpen(f"the directory {directory} cannot be read ({error}): check the disk") from error
    finally:
        lock.release()


class _Check:
    """One run."""

    def __init__(self, directory: Path, connection: Connection, report: Report, *, repair: bool) -> None:
        self._directory = directory
        self._connection = connection
        self._report = report
        self._repair = repair
        self._problems = 0

    def run(self) -> int:
        """The number of problems."""
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            if (self._directory / "bodies").exists():
                self._problem(f"the database {self._directory / 'store.db'} is empty, but there are bodies: restore it")
            return self._problems  # else the first start ended before it made the tables
        if version < len(MIGRATIONS):
            raise CannotOpen(f"{self._directory} was written by an earlier version of s3d: start s3d on it once")
        invariants.prepare(self._connection)
        for problem in invariants.problems(self._connection):
            self._problem(problem)
        self._bodies()
        for body, refs, counted, _ in self._connection.execute(_COUNTED):
            self._problem(f"body {body} says that {refs} objects and parts have it, and {counted} do")
        for path in examine.strays(self._directory, self._connection):
            self._problem(f"the file {path} belongs to no object")
        if self._repair:
            self._repair_rows()
            self._repair_files()
        return self._problems

    def _problem(self, text: str) -> None:
        self._problems += 1
        self._report(text)

    def _bodies(self) -> None:
        damaged = list(self._damaged())
        for body, text in damaged:
            owners = invariants.owners(self._connection, body)
            for name, advice in owners:
                self._problem(f"{name}: its body {text}; {advice}")
            if not owners:
                self._problem(f"body {body}, which nothing refers to: its body {text}")

    def _damaged(self) -> Iterator[tuple[int, str]]:
        for body, *row, wanted in self._connection.execute(_BODIES):
            size, md5, file, data = row
            text = examine.damage(self._directory, (size, md5, file, data), list(_expected(wanted)))
            if text is not None:
                yield body, text

    def _repair_rows(self) -> None:
        """All of it or nothing."""
        done: list[str] = []
        self._connection.execute("BEGIN IMMEDIATE")
        done.extend(invariants.repair(self._connection))
        for body, _, counted, file in self._connection.execute(_COUNTED).fetchall():
            if counted:
                self._connection.execute("UPDATE body SET refs = ? WHERE id = ?", (counted, body))
                done.append(f"body {body} now says that {counted} objects and parts have it")
                continue
            self._connection.execute("DELETE FROM body WHERE id = ?", (body,))
            if file is not None:
                self._connection.execute("INSERT OR IGNORE INTO trash VALUES (?)", (file,))
            done.append(f"body {body}, which nothing refers to, was removed")
        self._connection.execute("COMMIT")
        for text in done:
            self._report(text)

    def _repair_files(self) -> None:
        for files in (examine.strays, examine.leftovers):
            for path in list(files(self._directory, self._connection)):
                examine.remove(path)
                self._report(f"the file {path} was removed")
        self._connection.execute("DELETE FROM trash")


def _expected(stored: str | None) -> Iterator[examine.Expected]:
    """What the additional checksums of whoever has a body say of it, from their column, joined by commas."""
    for checksum in (stored or "").split(","):
        name, _, value = checksum.partition(":")
        if name in checksums.BY_NAME and "-" not in value:
            yield name, checksums.BY_NAME[name].new(), base64.b64decode(value)
