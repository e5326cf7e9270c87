"""The part of the admin API that looks into the read cache and empties it.

====================  ===================================================================================
GET /cache            ``{"entries": [...], "next": {"bucket": ..., "key": ...} | null}``; ``?bucket=`` of one
                      bucket, ``?prefix=`` below a prefix in it, ``?after_bucket=&after_key=`` the ``next`` of
                      the page before, ``?limit=`` (1 to 1,000)
POST /cache/purge     removes ``{"bucket": NAME, "prefix": PREFIX}``, without prefix the bucket, or
                      ``{"all": true}``: ``{"done": COUNT}``
====================  ===================================================================================
"""

from __future__ import annotations

from aiohttp import web

from s3d.daemon.admin_request import BadRequest, json_body, number
from s3d.read_cache.control import CacheControl

_PAGE, _LONGEST_PAGE = 100, 1000


class CacheApi:
    """Its routes. ``cache`` None: the daemon has no read cache, and they say so."""

    def __init__(self, cache: CacheControl | None) -> None:
        self._cache_or_none = cache

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Registers the routes."""
        router.add_get("/cache", self._list)
        router.add_post("/cache/purge", self._purge)

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
