from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from unit.local.stores import (
    LARGE,
    MIGRATIONS,
    as_a_crash_leaves_it,
    delete,
    file_of,
    files,
    get,
    opened,
    put,
    read,
    rows,
    segments,
)

from s3d.local.bodies import Bodies
from s3d.local.database import Connection, Database
from s3d.local.directory import CannotOpen
from s3d.local.receive import receive
from s3d.s3.errors import S3Error


@pytest.fixture
async def bodies(tmp_path: Path) -> AsyncIterator[Bodies]:
    async with opened(tmp_path / "store") as bodies:
        yield bodies


async def swept(bodies: Bodies) -> None:
    await bodies.close()


async def test_a_small_body_is_a_row_and_a_large_one_a_file(bodies: Bodies, tmp_path: Path) -> None:
    await put(bodies, "small", b"abc")
    await put(bodies, "large", LARGE)
    assert (get(bodies, "small"), get(bodies, "large")) == (b"abc", LARGE)
    name = file_of(bodies, "large")
    assert files(tmp_path / "store") == [f"bodies/{name[:2]}/{name}"]


async def test_a_body_goes_with_its_last_reference(bodies: Bodies, tmp_path: Path) -> None:
    body = await put(bodies, "a", LARGE)
    assert body is not None
    await bodies.database.change(lambda c: bodies.share(c, body))
    await delete(bodies, "a")
    await swept(bodies)
    assert rows(bodies, "SELECT refs FROM body") == [(1,)]
    assert len(files(tmp_path / "store")) == 1
    await bodies.database.change(lambda c: bodies.release(c, body))
    await swept(bodies)
    await bodies.database.flush()
    assert rows(bodies, "SELECT * FROM body") == rows(bodies, "SELECT * FROM trash") == files(tmp_path / "store") == []


async def test_no_body_is_nothing_to_release(bodies: Bodies) -> None:
    await bodies.database.change(lambda c: bodies.release(c, None))
    assert rows(bodies, "SELECT * FROM trash") == []


async def test_a_release_that_is_undone_removes_nothing(bodies: Bodies) -> None:
    body = await put(bodies, "a", LARGE)

    def change(connection: Connection) -> None:
        bodies.release(connection, body)
        raise S3Error("PreconditionFailed")

    with pytest.raises(S3Error):
        await bodies.database.change(change)
    await swept(bodies)
    assert get(bodies, "a") == LARGE


async def test_what_is_read_stays_until_the_end(bodies: Bodies, tmp_path: Path) -> None:
    """One file: its descriptor. Several: they are kept, and removed after the reading without another change."""
    await put(bodies, "a", LARGE)
    await put(bodies, "b", LARGE[1:])
    one = bodies.read(segments(bodies, "a"), 0, len(LARGE))
    chain = bodies.read([*segments(bodies, "a"), *segments(bodies, "b")], 0, 2 * len(LARGE) - 1)
    assert not isinstance(one, bytes)
    for key in "ab":
        await delete(bodies, key)
    await swept(bodies)
    assert len(files(tmp_path / "store")) == 2
    assert read(one) == LARGE  # type: ignore[arg-type]  # no chain
    assert b"".join([read(piece) async for piece in chain]) == LARGE + LARGE[1:]  # type: ignore[union-attr]
    await swept(bodies)
    assert files(tmp_path / "store") == []


async def test_a_chain_that_is_closed_lets_go(bodies: Bodies, tmp_path: Path) -> None:
    for key in "ab":
        await put(bodies, key, LARGE)
    chain: Any = bodies.read([*segments(bodies, "a"), *segments(bodies, "b")], 0, 2 * len(LARGE))
    await delete(bodies, "a")
    await delete(bodies, "b")
    await swept(bodies)
    await chain.aclose()
    await swept(bodies)
    assert files(tmp_path / "store") == []
    assert [piece async for piece in chain] == []


async def test_two_readers_of_a_file(bodies: Bodies, tmp_path: Path) -> None:
    for key in "ab":
        await put(bodies, key, LARGE)
    parts = [*segments(bodies, "a"), *segments(bodies, "b")]
    first: Any = bodies.read(parts, 0, 2 * len(LARGE))
    second: Any = bodies.read(parts, 0, 2 * len(LARGE))
    await delete(bodies, "a")
    await first.aclose()
    await swept(bodies)
    assert len(files(tmp_path / "store")) == 2
    await second.aclose()
    await swept(bodies)
    assert len(files(tmp_path / "store")) == 1


@pytest.mark.parametrize("offset", [0, 1, 4, 5, 6, 250_000])
@pytest.mark.parametrize("length", [0, 1, 5, 6, 300_000, 262_000])
async def test_a_range_of_several_bodies(bodies: Bodies, offset: int, length: int) -> None:
    await put(bodies, "a", b"abcde")
    await put(bodies, "b", LARGE)
    await put(bodies, "c", LARGE[:7])
    whole = b"abcde" + LARGE + LARGE[:7]
    parts = [segment for key in "abc" for segment in segments(bodies, key)]
    body = bodies.read(parts, offset, length)
    pieces = [body] if not hasattr(body, "asend") else [piece async for piece in body]
    assert b"".join(read(piece) for piece in pieces) == whole[offset : offset + length]


async def test_a_lost_file(bodies: Bodies, caplog: pytest.LogCaptureFixture) -> None:
    await put(bodies, "a", LARGE)
    await put(bodies, "b", LARGE)
    bodies.path(file_of(bodies, "b")).unlink()
    with pytest.raises(FileNotFoundError):
        bodies.read(segments(bodies, "b"), 0, 10)
    chain: Any = bodies.read([*segments(bodies, "a"), *segments(bodies, "b")], 0, 2 * len(LARGE))
    read(await anext(chain))
    with pytest.raises(S3Error, match="InternalError"):
        await anext(chain)
    assert "the file of a body is missing" in caplog.text
    assert bodies._pins == {}


async def test_a_file_that_is_moved_while_it_is_looked_for(bodies: Bodies, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(bodies, "a", LARGE)
    name = file_of(bodies, "a")
    bodies.path(name).rename(bodies.incoming / name)
    real = os.open

    def moves(path: Any, *args: Any) -> int:
        try:
            return real(path, *args)
        except FileNotFoundError:
            if path == bodies.path(name):
                (bodies.incoming / name).rename(path)  # between the first look and the second
            raise

    monkeypatch.setattr(os, "open", moves)
    assert get(bodies, "a") == LARGE


async def test_a_file_that_cannot_be_removed_stays_in_the_trash(
    bodies: Bodies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await put(bodies, "a", LARGE)
    name = file_of(bodies, "a")

    def fails(self: Path, missing_ok: bool = False) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", fails)
        await delete(bodies, "a")
        await swept(bodies)
        await bodies.database.flush()
    assert rows(bodies, "SELECT file FROM trash") == [(name,)]
    assert "a file could not be removed" in caplog.text
    await put(bodies, "b", LARGE)
    await delete(bodies, "b")
    await swept(bodies)
    assert files(tmp_path / "store") == []


# What a start makes of what an end leaves. Each copies the directory at an instant and opens the copy.


async def test_a_file_without_a_row_is_removed_at_the_start(bodies: Bodies, tmp_path: Path) -> None:
    async with await receive(bodies, LARGE):
        crashed = as_a_crash_leaves_it(tmp_path / "store", tmp_path / "crashed")
    assert len(files(crashed)) == 1
    async with opened(crashed):
        assert files(crashed) == []
    assert files(tmp_path / "store") == []


async def test_a_file_with_a_row_is_put_in_its_place_at_the_start(bodies: Bodies, tmp_path: Path) -> None:
    copies: list[Path] = []

    async with await receive(bodies, LARGE) as new:
        settled = new._settled

        def crashes(committed: bool) -> None:
            copies.append(as_a_crash_leaves_it(tmp_path / "store", tmp_path / "crashed"))
            settled(committed)

        new._settled = crashes  # type: ignore[method-assign]  # the instant between COMMIT and rename
        await new.change(lambda c, body: c.execute("INSERT INTO object VALUES ('a', ?)", (body,)).rowcount)
    assert [name.split("/")[0] for name in files(copies[0])] == ["incoming"]
    async with opened(copies[0]) as again:
        assert [name.split("/")[0] for name in files(copies[0])] == ["bodies"]
        assert get(again, "a") == LARGE


async def test_trash_is_removed_at_the_start(bodies: Bodies, tmp_path: Path) -> None:
    await put(bodies, "a", LARGE)
    bodies.sweep = lambda: None  # type: ignore[method-assign]  # the end comes before it
    await delete(bodies, "a")
    crashed = as_a_crash_leaves_it(tmp_path / "store", tmp_path / "crashed")
    for _ in range(2):  # the second start has only names without files, if the first one ends early
        async with opened(crashed) as again:
            assert files(crashed) == []
            await again.database.flush()
            assert rows(again, "SELECT * FROM trash") == []


@pytest.mark.parametrize("lost", ["rename", "unlink"])
async def test_the_next_start_goes_on_with_what_the_last_one_began(
    bodies: Bodies, tmp_path: Path, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in "abcd":
        await put(bodies, key, LARGE + key.encode())
    for key in "ab":
        bodies.path(file_of(bodies, key)).rename(bodies.incoming / file_of(bodies, key))
    bodies.sweep = lambda: None  # type: ignore[method-assign]
    await delete(bodies, "c")
    await delete(bodies, "d")
    (bodies.incoming / "x").write_bytes(b"unfinished")
    crashed = as_a_crash_leaves_it(tmp_path / "store", tmp_path / "crashed")
    real = getattr(os, lost)
    calls = 0

    def ends(*args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        real(*args)

    database = Database(crashed / "store.db", MIGRATIONS)
    database.open()
    with monkeypatch.context() as patch:
        patch.setattr(os, lost, ends)
        with pytest.raises(KeyboardInterrupt):
            Bodies(crashed, database).open()
    await database.close()
    async with opened(crashed) as again:
        assert get(again, "a") == LARGE + b"a"
        assert get(again, "b") == LARGE + b"b"
        assert [name.split("/")[0] for name in files(crashed)] == ["bodies", "bodies"]


async def test_a_file_of_a_failed_commit_is_there_if_the_log_has_it(bodies: Bodies, tmp_path: Path) -> None:
    """The COMMIT wrote the log, and its sync failed: a start after a crash takes the log as it is."""
    await put(bodies, "a", b"the old one")
    real = bodies.database._writer

    class Fails:
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            cursor = real.execute(sql, *parameters)
            if sql == "COMMIT":
                bodies.database._writer = real
                raise sqlite3.OperationalError("disk I/O error")
            return cursor

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    bodies.database._writer = Fails()  # type: ignore[assignment]  # stands in for a failing disk
    with pytest.raises(S3Error, match="InternalError"):
        await put(bodies, "a", LARGE)
    crashed = as_a_crash_leaves_it(tmp_path / "store", tmp_path / "crashed")
    async with opened(crashed) as again:
        assert get(again, "a") == LARGE


async def test_the_first_file_makes_its_directory(tmp_path: Path) -> None:
    """And the directory is durable before the file is in it."""
    there = tmp_path / "store" / "bodies"
    async with opened(tmp_path / "store") as bodies:
        assert list(there.iterdir()) == []
        for number in range(20):
            await put(bodies, str(number), LARGE)
        assert {path.parent.name for path in there.glob("*/*")} == {path.name for path in there.iterdir()}
        assert list(bodies.incoming.iterdir()) == []
    async with opened(tmp_path / "store") as bodies:
        assert get(bodies, "19") == LARGE


async def test_bodies_and_rows_many_at_once(bodies: Bodies, tmp_path: Path) -> None:
    async def client(number: int) -> None:
        for _ in range(3):
            await put(bodies, str(number), LARGE)
        await delete(bodies, str(number))

    await asyncio.gather(*[client(number) for number in range(8)])
    await swept(bodies)
    assert files(tmp_path / "store") == []
    assert rows(bodies, "SELECT * FROM body") == []


async def test_what_is_let_go_of_while_it_closes_is_removed(tmp_path: Path) -> None:
    """A change whose client was cut off goes on: nothing may touch the directory after the close."""
    async with opened(tmp_path) as bodies:
        await put(bodies, "key", LARGE)
        cut_off = asyncio.get_running_loop().create_task(delete(bodies, "key"))
        await asyncio.sleep(0)
        cut_off.cancel()
        await bodies.close()
        assert files(tmp_path) == []


async def test_a_file_that_the_process_before_removes_just_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path):
        pass
    (tmp_path / "incoming" / "name").write_bytes(b"x")
    unlink = os.unlink

    def gone(path: Any) -> None:
        unlink(path)
        unlink(path)

    monkeypatch.setattr(os, "unlink", gone)
    async with opened(tmp_path):
        assert files(tmp_path) == []


async def test_two_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to another disk, say: nothing could be renamed from one to the other."""
    stat = Path.stat

    def elsewhere(path: Path, **options: Any) -> os.stat_result:
        found = stat(path, **options)
        return os.stat_result((*found[:2], found[2] + 1, *found[3:])) if path.name == "bodies" else found

    database = Database(tmp_path / "store.db", MIGRATIONS)
    database.open()
    monkeypatch.setattr(Path, "stat", elsewhere)
    with pytest.raises(CannotOpen, match="on two file systems"):
        Bodies(tmp_path, database).open()
    await database.close()


async def test_too_many_open_files_in_the_middle_of_an_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept from removal for the reader is let go of, and the reader is told in S3's words."""
    async with opened(tmp_path) as bodies:
        for key in "ab":
            await put(bodies, key, LARGE)
        body = bodies.read([*segments(bodies, "a"), *segments(bodies, "b")], 0, 2 * len(LARGE))
        assert isinstance(body, AsyncGenerator)
        read(await anext(body))  # type: ignore[arg-type]  # a file
        with monkeypatch.context() as patched:

            def fails(*args: Any) -> int:
                raise OSError(errno.EMFILE, "Too many open files")

            patched.setattr(os, "open", fails)
            with pytest.raises(S3Error, match="InternalError"):
                await anext(body)
        for key in "ab":
            await delete(bodies, key)
        await bodies.close()
        assert files(tmp_path) == []
