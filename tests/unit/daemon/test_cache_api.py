"""The part of the admin API about the read cache, over real connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from unit.read_cache.caching import Caching, caching

from s3d.daemon import cache_api
from s3d.daemon.admin import Admin
from s3d.daemon.config import AdminConfig
from s3d.daemon.status import Status


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Caching]:
    """Three objects in the cache."""
    async with caching(tmp_path) as it:
        for key in ("a/1", "a/2", "b"):
            await it.put(key, key.encode())
            await it.get(key)
        await it.written_down()
        yield it


@pytest.fixture
async def url(it: Caching) -> AsyncIterator[str]:
    admin = Admin(AdminConfig("127.0.0.1", 0), Status({}), lambda: True, None, it.cache)
    await admin.start()
    yield f"http://127.0.0.1:{admin.port}"
    await admin.stop()


async def ask(url: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session:
        method = "GET" if body is None else "POST"
        async with session.request(method, url, json=body) as answer:
            return answer.status, await answer.json()


async def keys(url: str) -> list[str]:
    return [entry["key"] for entry in (await ask(url))[1]["entries"]]


async def test_the_list(url: str) -> None:
    assert await keys(f"{url}/cache") == ["a/1", "a/2", "b"]
    assert await keys(f"{url}/cache?bucket=bucket&prefix=a/") == ["a/1", "a/2"]
    assert await keys(f"{url}/cache?bucket=other") == []
    _, page = await ask(f"{url}/cache?limit=2")
    assert page["next"] == {"bucket": "bucket", "key": "a/2"}
    assert await keys(f"{url}/cache?limit=2&after_bucket=bucket&after_key=a/2") == ["b"]
    (entry,) = (await ask(f"{url}/cache?bucket=bucket&prefix=b"))[1]["entries"]
    assert (entry["size"], entry["cached"], entry["ask"]) == (1, 1, False)


async def test_purging(url: str, it: Caching) -> None:
    assert await ask(f"{url}/cache/purge", {"bucket": "bucket", "prefix": "a/"}) == (200, {"done": 2})
    assert await keys(f"{url}/cache") == ["b"]
    assert ((await it.get("a/1")).said, (await it.get("b")).said) == ("MISS", "HIT")
    await it.written_down()
    assert await ask(f"{url}/cache/purge", {"all": True}) == (200, {"done": 2})
    assert (it.cache.document()["bytes"], it.cache.document()["files"]) == (0, 0)


@pytest.mark.parametrize(
    "body",
    [{}, {"prefix": "a"}, {"bucket": 5}, {"bucket": "b", "all": True}, {"all": "yes"}, {"bucket": "b", "prefix": 1}],
)
async def test_what_is_not_understood_purges_nothing(url: str, body: dict[str, Any]) -> None:
    status, answer = await ask(f"{url}/cache/purge", body)
    assert (status, list(answer)) == (400, ["error"])
    assert len(await keys(f"{url}/cache")) == 3


@pytest.mark.parametrize("query", ["prefix=a", "limit=0", "limit=1001", "limit=x"])
async def test_lists_of_nothing(url: str, query: str) -> None:
    assert (await ask(f"{url}/cache?{query}"))[0] == 400


async def test_pins(url: str, it: Caching) -> None:
    assert await ask(f"{url}/cache/pin", {"bucket": "bucket", "prefix": "a/"}) == (200, {"done": 1})
    pinned = [{"bucket": "bucket", "prefix": "a/", "by": "command"}]
    assert await ask(f"{url}/cache/pins") == (200, {"pins": pinned})
    assert [entry["pinned"] for entry in (await ask(f"{url}/cache"))[1]["entries"]] == [True, True, False]
    assert (await ask(f"{url}/status/bucket/a/1"))[1]["cache"]["pinned"]
    assert await ask(f"{url}/cache/unpin", {"bucket": "bucket"}) == (200, {"done": 0})
    assert await ask(f"{url}/cache/unpin", {"bucket": "bucket", "prefix": "a/"}) == (200, {"done": 1})
    assert it.cache.pins() == []


async def warm(url: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/cache/warm", json=body) as answer:
        assert answer.status == 200
        return [json.loads(line) async for line in answer.content]


async def test_warming(url: str, it: Caching) -> None:
    await it.put("c", b"new")
    last = (await warm(url, {"bucket": "bucket"}))[-1]
    assert (last["ended"], last["here"], last["fetched"], last["error"]) == (True, 3, 1, None)
    assert (await it.get("c")).said == "HIT"
    last = (await warm(url, {"bucket": "no-such-bucket"}))[-1]
    assert (last["ended"], last["error"]) == (False, "no-such-bucket: The specified bucket does not exist")


async def test_how_far_it_is_is_told_meanwhile_and_who_goes_away_ends_it(
    url: str, it: Caching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_api, "_TELL_EVERY", 0.01)
    await it.put("c", b"new")
    it.remote.turn = asyncio.Event()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/cache/warm", json={"bucket": "bucket"}) as answer,
    ):
        assert not json.loads(await answer.content.readline())["ended"]
    for _ in range(500):
        await asyncio.sleep(0.01)
        if not it.remote.under_way:
            break
    assert it.remote.under_way == 0
    it.remote.turn.set()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("pin", {}),
        ("pin", {"bucket": ""}),
        ("unpin", {"bucket": "b", "prefix": 5}),
        ("warm", {"prefix": "a"}),
        ("warm", {"bucket": "b", "since": "yesterday"}),
        ("warm", {"bucket": "b", "since": True}),
        ("warm", {"bucket": "b", "parallel": 0}),
        ("warm", {"bucket": "b", "parallel": 65}),
        ("warm", {"bucket": "b", "parallel": "8"}),
    ],
)
async def test_what_is_not_understood_is_refused(url: str, it: Caching, path: str, body: dict[str, Any]) -> None:
    status, answer = await ask(f"{url}/cache/{path}", body)
    assert (status, list(answer)) == (400, ["error"])
    assert it.cache.pins() == []


async def test_the_status_of_a_key_and_a_bucket(url: str) -> None:
    _, found = await ask(f"{url}/status/bucket/a/1")
    assert found["cache"]["ranges"] == [[0, 2]]
    assert (await ask(f"{url}/status/bucket/nothing"))[1] == {"cache": None}
    assert (await ask(f"{url}/status/bucket"))[1] == {"cache": {"files": 3, "bytes": 7}}


async def test_a_daemon_without_a_cache() -> None:
    admin = Admin(AdminConfig("127.0.0.1", 0), Status({}), lambda: True)
    await admin.start()
    try:
        status, answer = await ask(f"http://127.0.0.1:{admin.port}/cache")
        assert (status, "S3D_READ_CACHE" in answer["error"]) == (400, True)
    finally:
        await admin.stop()
