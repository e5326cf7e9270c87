"""Questions to the remote: what they learnt is of their moment, whoever waited for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from unit.read_cache.caching import BUCKET, Caching, away, caching
from unit.read_cache.test_reads import refusal

from s3d.read_cache import ask
from s3d.s3.errors import S3Error
from s3d.s3.message import S3Request, S3Response


async def _asked_by_one_who_goes(it: Caching) -> None:
    """The answer comes when nobody waits for it any more."""
    it.remote.turn = asyncio.Event()
    reader = asyncio.get_running_loop().create_task(it.get("k"))
    while not it.remote.under_way:
        await asyncio.sleep(0)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    await _answered(it)


async def _answered(it: Caching) -> None:
    assert it.remote.turn is not None
    tasks = [question.task for question in it.cache._asker._questions.values()]
    it.remote.turn.set()
    await asyncio.gather(*tasks)
    await asyncio.sleep(0)


async def test_what_nobody_waited_for_is_not_for_who_asks_later(tmp_path: Path) -> None:
    async with caching(tmp_path, max_age=0) as it:
        await it.put("k", b"old")
        await it.get("k")
        await _asked_by_one_who_goes(it)
        await it.put("k", b"new")
        assert (await it.get("k")).body == b"new"


async def test_an_absence_that_nobody_waited_for_is_not_for_who_asks_later(tmp_path: Path) -> None:
    async with caching(tmp_path, negative_age=0) as it:
        await _asked_by_one_who_goes(it)
        await it.put("k", b"new")
        assert (await it.get("k")).body == b"new"


async def test_what_came_after_the_deadline_is_not_for_who_asks_later(tmp_path: Path) -> None:
    async with caching(tmp_path, max_age=0, deadline=0.01) as it:
        await it.put("k", b"old")
        await it.get("k")
        it.remote.turn = asyncio.Event()
        assert (await it.get("k")).said == "STALE"
        await _answered(it)
        await it.put("k", b"new")
        assert (await it.get("k")).body == b"new"


async def test_a_client_that_goes_does_not_end_the_question_of_others(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"body")
        it.remote.turn = asyncio.Event()
        first, second = (asyncio.get_running_loop().create_task(it.get("k")) for _ in range(2))
        while not it.remote.under_way:
            await asyncio.sleep(0)
        first.cancel()
        it.remote.turn.set()
        assert (await second).body == b"body"
        assert len(it.remote.seen) == 1


async def test_what_was_replaced_by_what_is_not_kept_is_not_stale_but_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "_AWAY_FOR", 0.0)
    async with caching(tmp_path, max_age=0) as it:
        await it.put("k", b"old")
        await it.get("k")
        await it.put("k", b"new", CacheControl="no-store")
        assert (await it.get("k")).body == b"new"
        it.remote.before = away()
        with pytest.raises(S3Error):
            await it.get("k")


async def test_during_a_change_of_the_bucket_each_read_asks(tmp_path: Path) -> None:
    async with caching(tmp_path) as it:
        await it.put("k", b"old")
        await it.get("k")
        send, begun, end = it.remote.inner, asyncio.Event(), asyncio.Event()

        async def slow(request: S3Request) -> S3Response:
            if request.operation != "Unknown":
                return await send(request)
            begun.set()
            await end.wait()
            return S3Response(200)

        it.remote.inner = slow  # type: ignore[assignment]  # a Backend is enough
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(it.cache(S3Request("PUT", "Unknown", BUCKET)))
            await begun.wait()
            said = [(await it.get("k")).said for _ in range(2)]
            end.set()
        assert said == ["REVALIDATED", "REVALIDATED"]


async def test_a_deleted_object_is_not_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "_AWAY_FOR", 0.0)
    async with caching(tmp_path, max_age=0, negative_age=0) as it:
        await it.put("k", b"old")
        await it.get("k")
        await it.remote.inner(S3Request("DELETE", "DeleteObject", BUCKET, "k"))
        assert await refusal(it.get("k")) == 404
        it.remote.before = away()
        assert await refusal(it.get("k")) == 503


async def test_an_answer_that_comes_late_is_of_when_it_was_asked_for(tmp_path: Path) -> None:
    async with caching(tmp_path, max_age=0.3) as it:
        await it.put("k", b"old")
        await it.get("k")
        await asyncio.sleep(0.35)
        inner = it.remote.inner

        async def late(request: S3Request) -> S3Response:
            response = await inner(request)
            await asyncio.sleep(0.35)
            return response

        it.remote.inner = late  # type: ignore[assignment]
        assert (await it.get("k")).said == "REVALIDATED"
        await it.put("k", b"new")
        it.remote.inner = inner
        assert (await it.get("k")).body == b"new"
