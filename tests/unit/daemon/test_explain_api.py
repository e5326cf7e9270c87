"""POST /explain, and ``x-s3d-why``: they say what happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from conformance.calling import answer, call
from unit.write_queue.test_engine import Faulty

from s3d.daemon.admin_request import BadRequest
from s3d.daemon.explain_api import ExplainApi
from s3d.filters.match import Filters
from s3d.filters.rules import Rules
from s3d.read_cache.backend import ReadCache
from s3d.read_cache.config import ReadCacheConfig
from s3d.s3 import codec
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig

BUCKET = {"Bucket": "bkt"}


class Explained:
    """A queue and a cache in front of the model, and the API."""

    def __init__(self, directory: Path) -> None:
        self.rules = Rules()
        self.remote = Faulty()
        self.cache = ReadCache(ReadCacheConfig(directory / "cache", free_space=0, tags=False), self.remote, self.rules)
        config = WriteQueueConfig(directory / "queue", max_size=1000, held_size=2000, held_files=2, free_space=0)
        self.queue = WriteQueue(config, self.cache, self.rules)
        self.client: TestClient[Any, Any]

    async def ask(self, operation: str, key: str, **members: Any) -> Any:
        body = {"operation": operation, "bucket": "bkt", "key": key, **members}
        response = await self.client.post("/explain", json=body)
        assert response.status == 200, await response.text()
        return await response.json()

    async def why(self, operation: str, key: str, body: bytes = b"", **members: Any) -> str:
        request = codec.build_request(operation, {**BUCKET, "Key": key, **members})
        if body:
            request.body = body
        request.headers["x-s3d-why"] = "1"
        response, _ = await answer(self.queue, request)
        return response.headers["x-s3d-why"]


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[Explained]:
    it = Explained(tmp_path)
    await call(it.remote.inner, "CreateBucket", BUCKET)
    await it.cache.open()
    await it.queue.open()
    it.queue.pause()

    @web.middleware
    async def told(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            found: web.StreamResponse = await handler(request)
        except BadRequest as error:
            return web.json_response({"error": str(error)}, status=400)
        return found

    application = web.Application(middlewares=[told])
    ExplainApi(it.queue, it.cache).add_to(application.router)
    async with TestClient(TestServer(application)) as it.client:
        yield it
    await it.queue.close()
    await it.cache.close()


async def test_put(it: Explained) -> None:
    it.rules.upload, it.rules.cache = Filters.of("bkt/good/*[hdr:content-type='video/*']"), Filters.of("!bkt/bad/*")
    tags = {"s3d.priority": "7", "s3d.deadline": "90s"}
    found = await it.ask("put", "bad/a", size=3000, tags=tags, headers={"Content-Type": "text/plain"})
    assert found == {
        "upload": {
            "state": "held",
            "by": "filter",
            "why": ["bkt/good/*[hdr:content-type='video/*'] does not fit: key good/*"],
            "priority": 7,
            "deadline": 90.0,
            "room": "it is larger than the 2000 bytes that there may be",
        },
        "cache": {"kept": False, "by": "filter", "why": ["!bkt/bad/* fits"]},
        "policy": None,
    }
    found = await it.ask("put", "good/a", headers={"Content-Type": "video/mp4"}, size=10)
    assert (found["upload"]["state"], found["upload"]["room"], found["cache"]["kept"]) == ("pending", None, True)
    found = await it.ask("put", "good/a", headers={"Content-Type": "video/mp4"}, size=1001)
    assert (found["upload"]["state"], found["upload"]["by"]) == ("remote", "limit")
    found = await it.ask("put", "bad/a", tags={"s3d.upload": "true", "s3d.cache": "true"})
    assert (found["upload"]["state"], found["upload"]["by"], found["upload"]["why"]) == (
        "pending",
        "object tag",
        ["object tag s3d.upload=true"],
    )
    assert found["cache"]["by"] == "object tag"


async def test_it_says_what_happens(it: Explained) -> None:
    """Of many objects: what it says, and what a PUT becomes."""
    it.rules.upload = Filters.of("bkt/*[tag:a] bkt/x*[hdr:content-length>2] !bkt/*[md:no]")
    for key in ("x", "xy", "z"):
        for tags in ({}, {"a": "1"}, {"s3d.upload": "false"}, {"s3d.upload": "true"}):
            for metadata in ({}, {"no": "1"}):
                for body in (b"12", b"123"):
                    said = await it.ask("put", key, tags=tags, metadata=metadata, size=len(body))
                    tagging = "&".join(f"{name}={value}" for name, value in tags.items())
                    members = {"Metadata": metadata, **({"Tagging": tagging} if tags else {})}
                    await call(it.queue, "PutObject", {**BUCKET, "Key": key, **members}, body)
                    operation = it.queue.of_key("bkt", key)[-1]
                    assert operation.state == said["upload"]["state"]


async def test_get(it: Explained) -> None:
    await call(it.remote.inner, "PutObject", {**BUCKET, "Key": "k", "ContentType": "video/mp4"}, b"body")
    it.rules.cache = Filters.of("bkt/*[hdr:content-type='audio/*']")
    found = await it.ask("get", "k")
    assert found["state"] == "unknown"
    assert found["cache"] == {
        "kept": False,
        "by": "filter",
        "why": ["bkt/*[hdr:content-type='audio/*'] does not fit: object [hdr:content-type='audio/*']"],
    }
    await it.cache.pin("bkt", "k")
    assert (await it.ask("get", "k"))["cache"]["by"] == "pin"
    await call(it.queue, "PutObject", {**BUCKET, "Key": "new"}, b"body")
    assert await it.ask("get", "new") == {"state": "pending", "cache": None, "policy": None}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"operation": "list"}, "operation is"),
        ({"bucket": ""}, "bucket is missing"),
        ({"key": 1}, "key is missing"),
        ({"size": -1}, "size is a number"),
        ({"size": True}, "size is a number"),
        ({"tags": {"a": 1}}, "tags is an object"),
        ({"headers": []}, "headers is an object"),
        ({"operation": "get", "key": "none"}, "cannot be looked at"),
    ],
)
async def test_questions_that_make_no_sense(it: Explained, members: dict[str, Any], said: str) -> None:
    body = {"operation": "put", "bucket": "bkt", "key": "k"} | members
    response = await it.client.post("/explain", json=body)
    assert response.status == 400
    assert said in (await response.json())["error"]


async def test_why(it: Explained) -> None:
    it.rules.upload, it.rules.cache = Filters.of("bkt/good/*"), Filters.of("bkt/*[hdr:content-length<5]")
    assert await it.why("PutObject", "bad/é", b"x") == "upload: held; by filter: bkt/good/* does not fit: key good/*"
    assert await it.why("PutObject", "good/a", b"x") == "upload: pending; by filter: bkt/good/* fits"
    assert await it.why("HeadObject", "good/a") == "upload: pending; by filter: bkt/good/* fits"
    tagging = {"Tagging": {"TagSet": [{"Key": "s3d.upload", "Value": "true"}]}}
    assert (
        await it.why("PutObjectTagging", "bad/é", **tagging)
        == "upload: pending; by object tag: object tag s3d.upload=true"
    )
    for key, body, said in (("small", b"1234", "kept"), ("large", b"12345", "not kept")):
        await call(it.remote.inner, "PutObject", {**BUCKET, "Key": key, "CacheControl": "max-age=1"}, body)
        assert (await it.why("GetObject", key)).startswith(f"cache: {said}; by filter: bkt/*[hdr:content-length<5] ")
    await call(it.remote.inner, "PutObject", {**BUCKET, "Key": "no", "CacheControl": "no-store"}, b"1")
    assert await it.why("GetObject", "no") == "cache: not kept; by rule: no-store"
    it.rules.upload = Filters.of("'é\n'")
    assert await it.why("PutObject", "k", b"x") == r"upload: held; by filter: '\xe9\n' does not fit: bucket '\xe9\n'"
    request = codec.build_request("PutObject", {**BUCKET, "Key": "k"})
    assert "x-s3d-why" not in (await it.queue(request)).headers
