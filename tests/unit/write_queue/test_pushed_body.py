"""Bodies on their way to the remote."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest
from unit.write_queue.opened import Opened, opened

from s3d.local.bodies import Segment
from s3d.s3.errors import S3Error
from s3d.write_queue.outcome import Refusal
from s3d.write_queue.pushed_body import Bandwidth, PushedBody, check, request_body

LARGE = bytes(range(256)) * 12_000  # three pieces


async def segments(queue: Opened, body: bytes) -> list[Segment]:
    version = queue.journal.version(await queue.put("k", body))
    assert version is not None
    return list(queue.journal.segments(version))


async def test_a_small_one_is_in_memory(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        found = await segments(queue, b"body")
        assert await request_body(queue.store.bodies, found, Bandwidth()) == b"body"
        assert await request_body(queue.store.bodies, [], Bandwidth()) == b""


async def test_a_file_can_be_read_again_and_left_in_the_middle(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        body = await request_body(queue.store.bodies, await segments(queue, LARGE), Bandwidth())
        assert isinstance(body, PushedBody)
        assert (body.length, body.replayable) == (len(LARGE), True)
        before = len(os.listdir("/proc/self/fd"))
        pieces = body.__aiter__()
        await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]  # it is a generator
        assert len(os.listdir("/proc/self/fd")) == before
        for _ in range(2):
            read = [piece async for piece in body]
            assert b"".join(read) == LARGE
            assert max(map(len, read)) <= 1 << 20


async def test_several_bodies_are_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        found = [*await segments(queue, LARGE), *await segments(queue, b"row")]
        body = await request_body(queue.store.bodies, found, Bandwidth())
        assert isinstance(body, PushedBody)
        assert b"".join([piece async for piece in body]) == LARGE + b"row"


async def test_what_is_gone_is_an_error_of_this_machine(tmp_path: Path) -> None:
    """An OSError would be taken for one of the network."""
    async with opened(tmp_path) as queue:
        body = PushedBody(queue.store.bodies, [Segment(5, "0" * 32, None)], Bandwidth())
        with pytest.raises(S3Error, match="InternalError"):
            _ = [piece async for piece in body]


async def test_damage(tmp_path: Path) -> None:
    async with opened(tmp_path) as queue:
        bodies, (segment,) = queue.store.bodies, await segments(queue, LARGE)
        digest = hashlib.md5(LARGE).digest()
        await check(bodies, [segment], [digest])
        for wrong, digests in ([segment], [b"x" * 16]), ([segment], []), ([Segment(5, "0" * 32, None)], [digest]):
            with pytest.raises(Refusal, match="LocalDamage") as raised:
                await check(bodies, wrong, digests)
            assert raised.value.permanent


async def test_a_limit_is_for_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(0)

    monkeypatch.setattr("s3d.write_queue.pushed_body.asyncio.sleep", sleep)
    bandwidth = Bandwidth(lambda: 1000.0)
    await asyncio.gather(*[bandwidth.take(1000) for _ in range(3)])
    assert [round(seconds, 1) for seconds in slept] == [1.0, 2.0]


async def test_nothing_goes_while_the_limit_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3d.write_queue.pushed_body._LOOK", 0.001)
    limits = [0.0, 0.0, 1e9]
    await Bandwidth(lambda: limits.pop(0)).take(5)
    assert limits == []


@pytest.mark.parametrize(
    ("limit", "size"), [(None, 1 << 20), (1e9, 1 << 20), (100_000.0, 25_000), (10.0, 4096), (0.0, 4096)]
)
def test_slow_ones_go_in_small_pieces(limit: float | None, size: int) -> None:
    """Else a connection would be silent for longer than servers wait."""
    assert Bandwidth(lambda: limit).piece() == size


async def test_small_pieces_are_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as queue:
        bandwidth = Bandwidth(lambda: 1e9)
        monkeypatch.setattr(bandwidth, "piece", lambda: 300_001)
        body = PushedBody(queue.store.bodies, await segments(queue, LARGE), bandwidth)
        read = [piece async for piece in body]
        assert b"".join(read) == LARGE
        assert max(map(len, read)) == 300_001
