"""The part of the admin API about the read cache, over real connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from unit.read_cache.caching import Caching, caching

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
