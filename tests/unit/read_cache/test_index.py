"""Rows: whose they are, also after a commit that failed, and damaged ones."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from unit.read_cache.caching import LARGE, caching


class FailingCommits:
    """A connection of which so many commits fail."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.failures = 0

    def execute(self, statement: str, *parameters: Any) -> Any:
        if statement == "COMMIT" and self.failures:
            self.failures -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(statement, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def test_a_commit_that_failed_mixes_no_entries(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        database: Any = it.cache._database
        failing = database._writer = FailingCommits(database._writer)
        await it.put("a", b"AAAA")
        await it.put("b", b"BBBB")
        failing.failures = 1
        await it.head("a")
        await it.written_down()
        for key in ("b", "a"):
            await it.get(key)
            await it.written_down()
    async with caching(tmp_path, it.remote) as again:
        assert (await again.get("b")).body == b"BBBB"


@pytest.mark.parametrize("harm", ["entry SET headers = '5'", "block SET crc = 1 << 40", "entry SET confirmed = 'x'"])
async def test_a_damaged_row_is_not_found(tmp_path: Path, harm: str) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", LARGE)
        await it.get("k")
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute(f"UPDATE {harm}")
    async with caching(tmp_path, it.remote) as again:
        assert (await again.get("k")).body == LARGE


async def test_damaged_data_is_counted_once(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"x" * 100)
        await it.get("k")
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("UPDATE entry SET data = zeroblob(100)")
    async with caching(tmp_path, it.remote) as again:
        await again.get("k")
        await again.written_down()
        assert again.cache.document()["bytes"] == 100
