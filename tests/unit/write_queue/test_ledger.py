"""Reading the ledger: order, pages, prefixes, what is the newest, and that an index serves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from unit.write_queue.opened import Opened, opened

from s3d.write_queue import ledger as module
from s3d.write_queue import status
from s3d.write_queue.ledger import Entry, Ledger, Position

Row = tuple[str, bytes, str]


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[Opened]:
    async with opened(tmp_path / "queue") as found:
        yield found


async def fill(queue: Opened, rows: Iterable[Row], *, version: str | None = None) -> Ledger:
    """Bucket, key and kind; numbers and times as they come."""
    values = [
        (seq, bucket, key, kind, 1, "e", None, version, seq, seq) for seq, (bucket, key, kind) in enumerate(rows, 1)
    ]
    insert = f"INSERT INTO ledger VALUES ({', '.join('?' * 10)})"
    await queue.store.database.change(lambda connection: connection.executemany(insert, values) and None)
    return Ledger(queue.store)


def walk(ledger: Ledger, bucket: str | None, prefix: bytes, limit: int) -> list[Entry]:
    """All pages."""
    found: list[Entry] = []
    after: Position | None = None
    while page := ledger.page(bucket, prefix, after, limit):
        assert len(page) <= limit
        found += page
        after = page[-1].position
    return found


ROWS: list[Row] = [
    ("b", b"k", "put"),
    ("a", b"z", "put"),
    ("b", b"k", "delete"),
    ("b", b"k", "put"),
    ("b", b"k", "tag"),
    ("b", b"k/1", "put"),
    ("b", b"k\xff", "put"),
    ("b", b"l", "tag"),
    ("c", b"k", "upload"),
]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_are_in_order_and_complete(queue: Opened, limit: int) -> None:
    ledger = await fill(queue, ROWS)
    seen = [(entry.bucket, entry.key, entry.seq) for entry in walk(ledger, None, b"", limit)]
    assert seen == sorted((bucket, key, seq) for seq, (bucket, key, _) in enumerate(ROWS, 1))


@pytest.mark.parametrize(
    ("bucket", "prefix", "seqs"),
    [
        ("b", b"", [1, 3, 4, 5, 6, 7, 8]),
        ("b", b"k", [1, 3, 4, 5, 6, 7]),
        ("b", b"k/", [6]),
        ("b", b"k\xff", [7]),
        ("b", b"l", [8]),
        ("b", b"m", []),
        ("x", b"", []),
        ("ü", b"", []),
        ("\udcff", b"", []),
    ],
)
@pytest.mark.parametrize("limit", [1, 100])
async def test_of_a_prefix(queue: Opened, bucket: str, prefix: bytes, seqs: list[int], limit: int) -> None:
    ledger = await fill(queue, ROWS)
    assert [entry.seq for entry in walk(ledger, bucket, prefix, limit)] == seqs


async def test_a_position_outside_of_the_prefix_begins_at_the_prefix(queue: Opened) -> None:
    ledger = await fill(queue, ROWS)
    assert [entry.seq for entry in ledger.page("b", b"k/", Position("a", b"z", 2), 10)] == [6]
    assert ledger.page("b", b"k", Position("c", b"", 0), 10) == []
    assert ledger.page(None, b"", Position("\udcff", b"", 0), 10) == []


async def test_the_newest_is_the_last_that_is_no_tag(queue: Opened) -> None:
    ledger = await fill(queue, ROWS)
    assert [entry.seq for entry in walk(ledger, None, b"", 100) if entry.newest] == [2, 4, 5, 6, 7, 8, 9]
    assert ledger.last("b", b"k") == ledger.newest("b", b"k")
    newest, last = ledger.newest("b", b"k"), ledger.last("b", b"l")
    assert newest is not None
    assert newest.seq == 4
    assert last is not None
    assert last.seq == 8
    assert ledger.newest("b", b"l") is None
    assert ledger.last("b", b"x") is ledger.last("\udcff", b"x") is None


@pytest.mark.parametrize(("version", "has"), [(None, False), ("null", False), ("v1", True)])
async def test_which_have_a_version(queue: Opened, version: str | None, has: bool) -> None:
    ledger = await fill(queue, [("b", b"k", "put"), ("b", b"k", "upload"), ("b", b"k", "delete")], version=version)
    assert [entry.has_version() for entry in walk(ledger, None, b"", 100)] == [has, has, False]


QUERIES = {
    "page": (module._PAGE, 6, "USING INDEX ledger_key"),
    "newest": (module._NEWEST, 2, "USING INDEX ledger_key"),
    "newest tag": (module._NEWEST_TAG, 2, "USING INDEX ledger_key"),
    "oldest": (status._OLDEST, 0, "USING INDEX operation_"),
    "of a key": (status._OF_KEY, 3, "USING INDEX operation_key"),
    "count": (status._COUNT, 2, "USING COVERING INDEX operation_key"),
    "of a bucket": (status._OF_BUCKET, 1, "USING INDEX operation_key"),
}


@pytest.mark.parametrize("name", QUERIES)
async def test_an_index_serves_each_query(queue: Opened, name: str) -> None:
    query, parameters, index = QUERIES[name]
    values = [0] * parameters if name != "page" else ["b", b"k", 0, "b", b"l", 10]
    plan = [row[3] for row in queue.store.reader.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    assert index in plan[0]
    assert not [line for line in plan if line.startswith("SCAN")]


async def test_what_a_page_costs_does_not_depend_on_the_size_of_the_ledger(queue: Opened) -> None:
    async def steps(count: int) -> int:
        ledger = await fill(queue, [("b", b"%06d" % number, "put") for number in range(count)])
        done: list[None] = []
        queue.store.reader.set_progress_handler(lambda: done.append(None), 100)
        try:
            assert len(ledger.page("b", b"", Position("b", b"000100", 1), 100)) == 100
        finally:
            queue.store.reader.set_progress_handler(None, 0)
        await queue.store.database.change(lambda connection: connection.execute("DELETE FROM ledger") and None)
        return len(done)

    assert await steps(20_000) <= await steps(1000) + 2
