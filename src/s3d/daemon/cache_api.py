"""The part of the admin API that looks into the read cache, fills it and empties it.

====================  ===================================================================================
GET /cache            ``{"entries": [...], "next": {"bucket": ..., "key": ...} | null}``; ``?bucket=`` of one
                      bucket, ``?prefix=`` below a prefix in it, ``?after_bucket=&after_key=`` the ``next`` of
                      the page before, ``?limit=`` (1 to 1,000)
POST /cache/purge     removes ``{"bucket": NAME, "prefix": PREFIX}``, without prefix the bucket, or
                      ``{"all": true}``: ``{"done": COUNT}``
GET /cache/pins       ``{"pins": [{"bucket": ..., "prefix": ..., "by": "command" | "bucket" | "object"}, ...]}``
POST /cache/pin       pins ``{"bucket": NAME, "prefix": PREFIX}``, without prefix the bucket; ``/cache/unpin`` the
                      reverse: ``{"done": 0 | 1}``
POST /cache/warm      fetches ``{"bucket": NAME, "prefix": PREFIX, "since": SECONDS, "parallel": COUNT}``: lines of JSON
                      with how far it is (`s3d.read_cache.warm.Progress`), the last one with ``"ended": true``, or with
                      ``"error"`` and ``"ended": false``. Who goes away ends it
====================  ===================================================================================
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Any

from aiohttp import web

from s3d.daemon.admin_request import BadRequest, json_body, number
from s3d.read_cache.control import CacheControl
from s3d.read_cache.warm import PARALLEL, Progress
from s3d.s3.errors import S3Error

_PAGE, _LONGEST_PAGE = 100, 1000
_MOST_PARALLEL = 64
_TELL_EVERY = 0.5
"""Seconds between two lines of how far it is."""


class CacheApi:
    """Its routes. ``cache`` None: the daemon has no read cache, and they say so."""

    def __init__(self, cache: CacheControl | None) -> None:
        self._cache_or_none = cache

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Registers the routes."""
        router.add_get("/cache", self._list)
        router.add_post("/cache/purge", self._purge)
        router.add_get("/cache/pins", self._pins)
        router.add_post("/cache/pin", self._pin)
        router.add_post("/cache/unpin", self._unpin)
        router.add_post("/cache/warm", self._warm)

    @property
    def _cache(self) -> CacheControl:
        if self._cache_or_none is None:
            raise BadRequest("this daemon has no read cache: start it with S3D_READ_CACHE=on")
        return self._cache_or_none

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        bucket, prefix = query.get("bucket", ""), query.get("prefix", "")
        if prefix and not bucket:
            raise BadRequest("prefix is one in a bucket: say which")
        limit = number(query.get("limit", str(_PAGE)), "limit", _LONGEST_PAGE)
        if not limit:
            raise BadRequest(f"limit is a number from 1 to {_LONGEST_PAGE}")
        after = query.get("after_bucket", ""), query.get("after_key", "")
        found = self._cache.page(bucket, prefix, after, limit)
        last = found[-1] if len(found) == limit else None
        following = {"bucket": last["bucket"], "key": last["key"]} if last else None
        return web.json_response({"entries": found, "next": following})

    async def _purge(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        bucket, prefix = body.get("bucket", ""), body.get("prefix", "")
        if not isinstance(bucket, str) or not isinstance(prefix, str) or bool(bucket) == (body.get("all") is True):
            raise BadRequest('say which: {"bucket": ..., "prefix": ...} or {"all": true}')
        if prefix and not bucket:
            raise BadRequest("prefix is one in a bucket: say which")
        return web.json_response({"done": await self._cache.purge(bucket, prefix)})

    async def _pins(self, _request: web.Request) -> web.Response:
        return web.json_response({"pins": self._cache.pins()})

    async def _pin(self, request: web.Request) -> web.Response:
        await self._cache.pin(*_below(await json_body(request)))
        return web.json_response({"done": 1})

    async def _unpin(self, request: web.Request) -> web.Response:
        done = await self._cache.unpin(*_below(await json_body(request)))
        return web.json_response({"done": int(done)})

    async def _warm(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request)
        bucket, prefix = _below(body)
        since, parallel = body.get("since"), body.get("parallel", PARALLEL)
        if since is not None and (isinstance(since, bool) or not isinstance(since, int | float)):
            raise BadRequest("since is a time in seconds since 1970")
        if isinstance(parallel, bool) or not isinstance(parallel, int) or not 1 <= parallel <= _MOST_PARALLEL:
            raise BadRequest(f"parallel is a number from 1 to {_MOST_PARALLEL}")
        progress = Progress()
        work = self._cache.warm(bucket, prefix, since, parallel, progress)
        task = asyncio.get_running_loop().create_task(work)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        try:
            await response.prepare(request)
            while not task.done():
                await asyncio.wait([task], timeout=_TELL_EVERY)
                if not task.done():
                    await response.write(_line(progress))
            error = task.exception()
            if isinstance(error, S3Error):
                progress.error = f"{bucket}: {error.message}"
            elif error is not None:
                raise error
            await response.write(_line(progress))
            await response.write_eof()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return response


def _below(body: dict[str, Any]) -> tuple[str, str]:
    """Bucket and prefix. BadRequest."""
    bucket, prefix = body.get("bucket"), body.get("prefix", "")
    if not isinstance(bucket, str) or not isinstance(prefix, str) or not bucket:
        raise BadRequest('say which: {"bucket": ..., "prefix": ...}')
    return bucket, prefix


def _line(progress: Progress) -> bytes:
    return json.dumps(asdict(progress)).encode() + b"\n"
