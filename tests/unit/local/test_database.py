from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from s3d.local.database import Connection, Database
from s3d.local.directory import CannotOpen
from s3d.s3.errors import S3Error

TABLE = ("CREATE TABLE t (x UNIQUE);",)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "store.db", TABLE)
    database.open()
    yield database
    await database.close()


def values(database: Database) -> list[Any]:
    return [x for (x,) in database.reader.execute("SELECT x FROM t ORDER BY x")]


def insert(connection: Connection, x: object) -> object:
    connection.execute("INSERT INTO t VALUES (?)", (x,))
    return x


def traced(database: Database) -> list[str]:
    """Statements from now on."""
    statements: list[str] = []
    database._writer.set_trace_callback(statements.append)
    return statements


def log_size(database: Database) -> int:
    return Path(f"{database._path}-wal").stat().st_size


class Failing:
    """A writer whose COMMIT fails: after the log was written, or before."""

    def __init__(self, database: Database, *, written: bool) -> None:
        self._real, self._written = database._writer, written
        self.failures = 1

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.failures:
            self.failures -= 1
            if self._written:
                self._real.execute(sql)
            raise sqlite3.OperationalError("disk I/O error")
        return self._real.execute(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


async def test_changes_that_come_together_share_a_commit(database: Database) -> None:
    statements = traced(database)
    assert await asyncio.gather(*[database.change(lambda c, x=x: insert(c, x)) for x in range(50)]) == list(range(50))
    assert statements.count("COMMIT") == 1
    assert values(database) == list(range(50))


async def test_what_comes_during_a_commit_shares_the_next(database: Database) -> None:
    statements = traced(database)
    first = asyncio.gather(database.change(lambda c: insert(c, -1)))
    while "COMMIT" not in statements:
        await asyncio.sleep(0)
    await asyncio.gather(first, *[database.change(lambda c, x=x: insert(c, x)) for x in range(20)])
    assert statements.count("COMMIT") == 2


async def test_a_change_that_can_wait_shares_the_commit_of_one_that_cannot(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3d.local.database._TOGETHER", 3600.0)
    statements = traced(database)
    await database.change(lambda c: insert(c, 1))
    async with asyncio.TaskGroup() as tasks:
        patient = tasks.create_task(database.change(lambda c: insert(c, 2), soon=False))
        await asyncio.sleep(0.02)
        assert statements.count("COMMIT") == 1
        assert not patient.done()
        await database.change(lambda c: insert(c, 3))
    assert patient.result() == 2
    assert statements.count("COMMIT") == 2
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(database.change(lambda c: insert(c, 4), soon=False))
        await asyncio.sleep(0)
        await database.close()
    database.open()
    assert values(database) == [1, 2, 3, 4]


async def test_a_change_that_can_wait_does_not_wait_for_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s3d.local.database._TOGETHER", 0.05)
    async with asyncio.timeout(10):
        await database.change(lambda c: insert(c, 1), soon=False)
        assert values(database) == [1]
        await database.change(lambda c: insert(c, 2))
        await database.change(lambda c: insert(c, 3), soon=False)
        together = [database.change(lambda c, x=x: insert(c, x), soon=False) for x in (4, 5)]
        assert await asyncio.gather(*together) == [4, 5]
    assert values(database) == [1, 2, 3, 4, 5]


async def test_a_transaction_has_a_limit(database: Database) -> None:
    statements = traced(database)
    await asyncio.gather(*[database.change(lambda c, x=x: insert(c, x)) for x in range(600)])
    assert statements.count("COMMIT") == 3


async def test_a_result_comes_after_its_commit(database: Database) -> None:
    await database.change(lambda c: insert(c, 1))
    assert values(database) == [1]


async def test_the_reader_does_not_see_what_is_not_committed(database: Database) -> None:
    seen: list[Any] = []

    def change(connection: Connection) -> None:
        insert(connection, 1)
        seen.extend(values(database))

    await database.change(change)
    assert seen == []


async def test_an_exception_undoes_only_its_own_change(database: Database) -> None:
    def fails(connection: Connection) -> None:
        insert(connection, "undone")
        raise S3Error("NoSuchKey")

    changes = [database.change(lambda c: insert(c, 1)), database.change(fails), database.change(lambda c: insert(c, 2))]
    first, failed, last = await asyncio.gather(*changes, return_exceptions=True)
    assert (first, last) == (1, 2)
    assert isinstance(failed, S3Error)
    assert failed.code == "NoSuchKey"
    assert values(database) == [1, 2]


async def test_an_error_of_sqlite_in_a_change_is_an_s3_error(database: Database) -> None:
    changes = [database.change(lambda c: insert(c, 1)) for _ in range(2)]
    first, second = await asyncio.gather(*changes, return_exceptions=True)
    assert first == 1
    assert isinstance(second, S3Error)
    assert second.code == "InternalError"
    assert values(database) == [1]


@pytest.mark.parametrize("written", [False, True])
async def test_a_commit_that_fails(database: Database, written: bool) -> None:
    database._writer = Failing(database, written=written)  # type: ignore[assignment]  # stands in for a failing disk
    changes = [database.change(lambda c, x=x: insert(c, x)) for x in range(3)]
    failed = await asyncio.gather(*changes, return_exceptions=True)
    assert [type(error) for error in failed] == [S3Error] * 3
    assert await database.change(lambda c: insert(c, 9)) == 9
    assert values(database) == ([0, 1, 2, 9] if written else [9])


async def test_an_answer_from_a_transaction_that_failed_is_not_given(database: Database) -> None:
    def refuses(connection: Connection) -> None:
        raise S3Error("PreconditionFailed")

    database._writer = Failing(database, written=False)  # type: ignore[assignment]
    changes = [database.change(lambda c: insert(c, 1)), database.change(refuses)]
    errors = await asyncio.gather(*changes, return_exceptions=True)
    assert [error.code for error in errors if isinstance(error, S3Error)] == ["InternalError", "InternalError"]


async def test_settled_says_what_became_of_a_change(database: Database) -> None:
    def fails(connection: Connection) -> None:
        raise S3Error("NoSuchKey")

    settled: list[tuple[str, bool]] = []
    good = database.change(lambda c: insert(c, 1), lambda committed: settled.append(("good", committed)))
    bad = database.change(fails, lambda committed: settled.append(("bad", committed)))
    await asyncio.gather(good, bad, return_exceptions=True)
    assert settled == [("good", True), ("bad", False)]


async def test_what_a_failed_commit_needs_is_kept(database: Database) -> None:
    """Until a later COMMIT, one that writes, took its place in the log."""

    def refuses(connection: Connection) -> None:
        raise S3Error("NoSuchKey")

    settled: list[tuple[str, bool]] = []
    database._writer = Failing(database, written=False)  # type: ignore[assignment]
    changed = database.change(lambda c: insert(c, 1), lambda committed: settled.append(("changed", committed)))
    refused = database.change(refuses, lambda committed: settled.append(("refused", committed)))
    await asyncio.gather(changed, refused, return_exceptions=True)
    assert settled == [("refused", False)]
    before = log_size(database)
    await database.flush()
    assert settled == [("refused", False), ("changed", False)]
    assert log_size(database) > before


async def test_no_room_for_a_statement(database: Database) -> None:
    pages = database._writer.execute("PRAGMA page_count").fetchone()[0]
    database._writer.execute(f"PRAGMA max_page_count = {pages}")
    changes = [database.change(lambda c: insert(c, 1)), database.change(lambda c: insert(c, b"x" * 100_000))]
    _, error = await asyncio.gather(*changes, return_exceptions=True)
    assert isinstance(error, S3Error)
    assert error.code == "SlowDown"
    assert "Retry-After" in error.headers
    database._writer.execute("PRAGMA max_page_count = 10000")
    assert await database.change(lambda c: insert(c, b"x" * 100_000)) == b"x" * 100_000


async def test_a_full_disk_is_told_and_the_log_gives_its_room(tmp_path: Path) -> None:
    told: list[int] = []
    database = Database(tmp_path / "test.db", TABLE, full=lambda: told.append(log_size(database)))
    database.open()
    await database.change(lambda c: insert(c, b"x" * 100_000))
    pages = database._writer.execute("PRAGMA page_count").fetchone()[0]
    database._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(S3Error) as raised:
        await database.change(lambda c: insert(c, b"y" * 100_000))
    assert raised.value.code == "SlowDown"
    assert told[0] > 0
    assert log_size(database) == 0
    await database.close()


async def test_the_log_is_moved_when_it_is_as_long_as_told(tmp_path: Path) -> None:
    database = Database(tmp_path / "test.db", TABLE, log_pages=1)
    database.open()
    before = database._path.stat().st_size
    await database.change(lambda c: insert(c, b"x" * 100_000))
    await database.flush()  # the thread moves it after the commit
    assert database._path.stat().st_size >= before + 100_000
    await database.close()


async def test_room_inside_is_known(database: Database) -> None:
    await database.change(lambda c: insert(c, b"x" * 100_000))
    assert database.unused() == 0
    await database.change(lambda c: c.execute("DELETE FROM t") and None)
    assert database.unused() >= 100_000


async def test_a_transaction_that_cannot_begin(database: Database) -> None:
    database._writer.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(database._path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    settled: list[bool] = []
    changes = [database.change(lambda c, x=x: insert(c, x), settled.append) for x in range(2)]
    errors = await asyncio.gather(*changes, return_exceptions=True)
    assert [type(error) for error in errors] == [S3Error, S3Error]
    assert settled == [False, False]
    other.close()
    assert await database.change(lambda c: insert(c, 5)) == 5
    assert values(database) == [5]


async def test_a_cancelled_change_is_made_all_the_same(database: Database) -> None:
    settled: list[bool] = []
    waiting = asyncio.gather(database.change(lambda c: insert(c, 1), settled.append))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await database.flush()
    assert values(database) == [1]
    assert settled == [True]


async def test_what_is_for_later_goes_with_the_next_change(database: Database) -> None:
    statements = traced(database)
    database.change_later(lambda c: insert(c, "later"))
    await database.change(lambda c: insert(c, "now"))
    assert values(database) == ["later", "now"]
    assert statements.count("COMMIT") == 1


async def test_closing_waits_for_what_was_given(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.db", TABLE)
    database.open()
    change = asyncio.gather(database.change(lambda c: insert(c, 1)))
    await asyncio.sleep(0)
    database.change_later(lambda c: insert(c, 2))
    await database.close()
    assert change.done()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        assert connection.execute("SELECT x FROM t ORDER BY x").fetchall() == [(1,), (2,)]
    connection.close()


async def test_closing_with_a_failing_disk(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.db", TABLE)
    database.open()
    real = database._writer
    database._writer = Failing(database, written=False)  # type: ignore[assignment]
    database.change_later(lambda c: insert(c, 1))
    await database.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        real.execute("SELECT 1")


async def test_each_commit_syncs_the_log(database: Database) -> None:
    assert database._writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert database._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_migrations_go_on_from_the_version_that_is_there(tmp_path: Path) -> None:
    for migrations in (TABLE, (*TABLE, "ALTER TABLE t ADD COLUMN y; INSERT INTO t VALUES (1, 2);")):
        for _ in range(2):
            database = Database(tmp_path / "store.db", migrations)
            database.open()
            await database.close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == [(1, 2)]
    connection.close()


async def test_a_migration_that_fails_leaves_the_version_before(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.db", TABLE)
    database.open()
    await database.change(lambda c: insert(c, 1))
    await database.close()
    with pytest.raises(CannotOpen, match="s3d fsck"):
        Database(tmp_path / "store.db", (*TABLE, "DELETE FROM t; ALTER TABLE nothing ADD COLUMN y;")).open()
    database = Database(tmp_path / "store.db", (*TABLE, "ALTER TABLE t ADD COLUMN y;"))
    database.open()
    assert values(database) == [1]
    await database.close()


async def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = (tmp_path / "store.db").read_bytes()
    with pytest.raises(CannotOpen, match="another program"):
        Database(tmp_path / "store.db", TABLE).open()
    assert (tmp_path / "store.db").read_bytes() == before


async def test_a_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.db", (*TABLE, "CREATE TABLE u (x);"))
    database.open()
    await database.close()
    with pytest.raises(CannotOpen, match="later version"):
        Database(tmp_path / "store.db", TABLE).open()


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"no database" * 1000)
    with pytest.raises(CannotOpen, match="s3d fsck"):
        Database(tmp_path / "store.db", TABLE).open()


async def test_large_changes_do_not_share_a_transaction(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them holds up the event loop: between two of them others have their turn."""
    monkeypatch.setattr("s3d.local.database._ROWS", 3)
    statements = traced(database)

    def several(start: int) -> Any:
        return lambda connection: [insert(connection, start + number) for number in range(3)]

    await asyncio.gather(*(database.change(several(start)) for start in (0, 10, 20)))
    assert statements.count("COMMIT") == 3
    assert len(values(database)) == 9


@pytest.fixture
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_usual_umask")
async def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Also in a directory that others may read: it has the bytes of small objects. The log has the same permissions."""
    database = Database(tmp_path / "store.db", TABLE)
    database.open()
    await database.change(lambda connection: insert(connection, 1))
    modes = {name: os.stat(tmp_path / name).st_mode & 0o777 for name in os.listdir(tmp_path)}
    assert modes == dict.fromkeys(("store.db", "store.db-wal", "store.db-shm"), 0o600)
    await database.close()
