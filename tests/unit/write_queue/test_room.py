"""Limits: who is let in, who waits and in which order, and who is sent away."""

from __future__ import annotations

import asyncio

import pytest

from s3d.s3.errors import S3Error
from s3d.write_queue import room as module
from s3d.write_queue.room import Reservation, Room


def room(size: int = 100, files: int = 3, *, floor: int = 0, free: int = 1 << 40, wait: float = 60.0) -> Room:
    return Room(size, files, floor, lambda: free, wait)


async def start(room: Room, size: int) -> asyncio.Task[Reservation]:
    """Asks for room, and lets it wait."""
    task = asyncio.get_running_loop().create_task(room.reserve(size))
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def test_room_is_taken_while_it_is_reserved() -> None:
    limits = room(100)
    first = await limits.reserve(60)
    second = await start(limits, 60)
    assert not second.done()
    with first:
        pass
    assert (await second).size == 60


async def test_what_is_there_takes_room() -> None:
    limits = room(100)
    limits.set(90, 1)
    task = await start(limits, 20)
    assert (task.done(), limits.waiting) == (False, 1)
    limits.set(80, 1)
    await task
    assert limits.waiting == 0


async def test_files_are_counted() -> None:
    limits = room(files=1)
    limits.set(0, 1)
    task = await start(limits, 1)
    assert not task.done()
    limits.set(0, 0)
    await task


async def test_who_comes_later_waits_behind_who_came_before() -> None:
    limits = room(100)
    limits.set(50, 0)
    large, small = await start(limits, 80), await start(limits, 10)
    assert (large.done(), small.done()) == (False, False)
    limits.set(20, 0)
    await large
    assert not small.done()
    limits.set(0, 0)
    await small


async def test_no_room_in_time() -> None:
    limits = room(100, wait=0.01)
    limits.set(100, 1)
    with pytest.raises(S3Error) as raised:
        await limits.reserve(1)
    assert (raised.value.code, raised.value.status) == ("SlowDown", 503)
    assert int(raised.value.headers["Retry-After"]) > 0
    assert "100 of 100 bytes" in raised.value.message
    assert limits.waiting == 0


async def test_who_gives_up_lets_the_next_one_in() -> None:
    limits = room(100)
    limits.set(50, 0)
    large, small = await start(limits, 80), await start(limits, 10)
    large.cancel()
    await small
    with pytest.raises(asyncio.CancelledError):
        await large


async def test_who_is_cancelled_in_the_moment_of_being_let_in_gives_it_back() -> None:
    limits = room(100)
    limits.set(100, 0)
    task = await start(limits, 100)
    limits.set(0, 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await limits.reserve(100)


async def test_larger_than_all_of_it() -> None:
    with pytest.raises(S3Error, match="EntityTooLarge"):
        await room(100).reserve(101)


@pytest.mark.parametrize(("free", "fits"), [(1000, True), (999, False)])
async def test_the_disk_keeps_its_floor(free: int, *, fits: bool) -> None:
    limits = room(floor=990, free=free, wait=0.01)
    if fits:
        await limits.reserve(10)
    else:
        with pytest.raises(S3Error, match="990 bytes would stay free"):
            await limits.reserve(10)


async def test_room_that_others_make_on_the_disk_is_seen() -> None:
    free = [0]
    limits = Room(1000, 10, 100, lambda: free[0], 60.0)
    waits = await start(limits, 10)
    free[0] = 10_000
    assert (await limits.reserve(10)).size == 10
    assert (await waits).size == 10


async def test_who_waits_alone_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_AGAIN", 0.001)
    free = [0]
    limits = Room(1000, 10, 100, lambda: free[0], 60.0)
    waits = await start(limits, 10)
    free[0] = 10_000
    assert (await waits).size == 10
