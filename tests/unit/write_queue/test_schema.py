"""Queues of earlier versions go on; what is looked up a hundred times a second has an index."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from unit.write_queue.opened import BUCKET, opened
from unit.write_queue.test_engine import running

from s3d.local.database import Connection
from s3d.local.directory import CannotOpen
from s3d.write_queue import journal
from s3d.write_queue.operation import FAILED, UPLOAD

LARGE = "96ba3ade2b6e8ef5b80847e9d849845b"
"""The file of the object ``large`` in version_1.sql: 70,000 times "x"."""
ACCEPTED = [
    ("small", "put", "pending"),
    ("small", "put", "pending"),
    ("small", "delete", "pending"),
    ("small", "put", "pending"),
    ("large", "put", "pushing"),
    ("large", "tag", "pending"),
    ("failed", "put", "failed"),
    ("replaced", "put", "failed"),
    ("replaced", "put", "pending"),
    ("parts", "upload", "pushing"),
]


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """A queue as version 1 of the tables left it, with every kind and state of operation."""
    (tmp_path / "bodies" / LARGE[:2]).mkdir(parents=True)
    (tmp_path / "bodies" / LARGE[:2] / LARGE).write_bytes(b"x" * 70_000)
    connection = sqlite3.connect(tmp_path / "queue.db")
    connection.executescript((Path(__file__).parent / "version_1.sql").read_text())
    connection.close()
    return tmp_path


async def test_a_queue_of_version_1_goes_on(version_1: Path) -> None:
    async with opened(version_1, versioning="Enabled") as queue:
        assert queue.states() == ACCEPTED
        assert queue.journal.usage() == (70_037, 8)
        first = [o.key.decode() for o in queue.journal.runnable(0.0, 99)]
        assert first == ["small", "large", "replaced", "parts"]  # what failed blocks only what it must
        assert queue.journal.remote_uploads(BUCKET) == {"remote-id"}
        assert queue.journal.versioning(BUCKET) == "Enabled"


async def test_it_is_pushed_whole(version_1: Path) -> None:
    async with running(version_1, versioning="Enabled") as it:
        await it.drained()
        assert [o.key for o in it.queue.journal.page(None, 0, 99)] == [b"failed", b"replaced"]
        assert it.remote.names("PutObject", "DeleteObject").count("small") == 4
        stored = {key: await it.remote.stored(key) for key in ("small", "large", "replaced", "parts")}
        assert stored == {"small": b"third", "large": b"x" * 70_000, "replaced": b"new", "parts": b"part"}
        assert it.remote.names("PutObjectTagging") == ["large"]


async def test_a_queue_of_a_later_version_is_left_alone(version_1: Path) -> None:
    connection = sqlite3.connect(version_1 / "queue.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(CannotOpen, match="written by a later version of s3d"):
        async with opened(version_1):
            pass


async def test_which_operation_of_a_key_is_next(tmp_path: Path) -> None:
    def runnable() -> list[int]:
        return [o.seq for o in queue.journal.runnable(0.0, 99)]

    async with opened(tmp_path, versioning="Enabled") as queue:
        first, second, third, other = [await queue.put(key) for key in ("k", "k", "k", "o")]
        assert runnable() == [first.seq, other.seq]
        await queue.journal.drop(second)
        assert runnable() == [first.seq, other.seq]
        await queue.journal.fail(first, {"code": "AccessDenied"})  # a later one replaces it
        assert runnable() == [third.seq, other.seq]
        await queue.journal.fail(third, {"code": "AccessDenied"})
        assert runnable() == [other.seq]
        fourth = await queue.put("k")
        assert runnable() == [other.seq, fourth.seq]
        assert [o.state for o in queue.journal.page(None, 0, 99)].count(FAILED) == 2


async def test_what_the_engine_looks_up_has_an_index(tmp_path: Path) -> None:
    """None of these sorts, or steps over what it does not want: there may be 100,000 operations of one key."""
    async with opened(tmp_path, versioning="Enabled") as queue:
        for query, parameters in (
            (journal._RUNNABLE, (0.0, 9.0, 0, 1, 1)),
            (journal._NEXT_ATTEMPT, (0.0,)),
            (journal._CONTENT, (BUCKET, b"k")),
            (journal._OF_KEY, (BUCKET, b"k")),
        ):
            plan = _plan(queue.store.reader, query, parameters)
            assert "USING" in plan, plan
            assert "TEMP B-TREE" not in plan, plan
        assert "operation_due" in _plan(queue.store.reader, journal._RUNNABLE, (0.0, 9.0, 0, 1, 1))
        assert "operation_later" in _plan(queue.store.reader, journal._NEXT_ATTEMPT, (0.0,))


def _plan(connection: Connection, query: str, parameters: tuple[object, ...]) -> str:
    return " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", parameters))


async def test_the_migration_knows_what_is_blocked(version_1: Path) -> None:
    async with opened(version_1, versioning="Enabled") as queue:
        rows = queue.store.reader.execute("SELECT seq FROM operation WHERE blocked = 1 ORDER BY seq").fetchall()
        of_key = {o.seq: o.key for o in queue.journal.page(None, 0, 99)}
        assert [of_key[seq] for (seq,) in rows] == [b"small", b"small", b"small", b"large"]
        assert all(o.kind != UPLOAD for o in queue.journal.page(None, 0, 99) if (o.seq,) in rows)
