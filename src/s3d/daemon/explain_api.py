"""The part of the admin API that says what becomes of an object, and why.

====================  ===================================================================================
POST /explain         ``{"operation": "put", "bucket": NAME, "key": KEY, "size": BYTES, "tags": {NAME: VALUE},
                      "headers": {...}, "metadata": {...}}``: what a PUT would become: ``{"upload":
                      {...} | null, "cache": {...} | null, "policy": {...} | null}``; null: the daemon
                      has no write queue, no read cache, no policy. ``"operation": "get"`` takes bucket
                      and key, and is about the object as it is there: ``{"cache": {...} | null,
                      "policy": {...} | null, "state": STATE | null}``
====================  ===================================================================================

``upload`` is what `s3d.write_queue.explain.of_put` gives, ``cache`` what `s3d.read_cache.explain.of_object` gives,
``policy`` what `s3d.daemon.gate.Gate.explain` gives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from s3d.daemon.admin_request import BadRequest, json_body
from s3d.filters.facts import Facts
from s3d.read_cache.control import CacheControl
from s3d.s3.errors import S3Error
from s3d.write_queue.control import Control

Policy = Callable[[str, Facts], Awaitable[dict[str, Any]]]
"""Asks it: S3's name of an operation, an object."""


class ExplainApi:
    """Its route."""

    def __init__(self, queue: Control | None, cache: CacheControl | None, policy: Policy | None = None) -> None:
        self._queue = queue
        self._cache = cache
        self._policy = policy

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Registers the route."""
        router.add_post("/explain", self._explain)

    async def _explain(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        bucket, key = _text(body, "bucket"), _text(body, "key")
        match body.get("operation"):
            case "put":
                return web.json_response(await self._put(_facts(body, bucket, key)))
            case "get":
                return web.json_response(await self._get(bucket, key))
        raise BadRequest('operation is "put" or "get"')

    async def _put(self, known: Facts) -> dict[str, Any]:
        return {
            "upload": await self._queue.explain(known) if self._queue is not None else None,
            "cache": await self._cache.explain(known) if self._cache is not None else None,
            "policy": await self._policy("PutObject", known) if self._policy is not None else None,
        }

    async def _get(self, bucket: str, key: str) -> dict[str, Any]:
        found = self._queue.key_document(bucket, key) if self._queue is not None else None
        state = found["state"] if found is not None else None
        policy = (
            await self._policy("GetObject", Facts(bucket, key, None, tags=None)) if self._policy is not None else None
        )
        if self._cache is None or state in ("pending", "pushing", "held", "failed"):
            return {"state": state, "cache": None, "policy": policy}
        try:
            return {"state": state, "cache": await self._cache.explain_here(bucket, key), "policy": policy}
        except S3Error as error:
            raise BadRequest(f"the object cannot be looked at: {error.message}") from error


def _text(body: dict[str, Any], name: str) -> str:
    found = body.get(name)
    if not isinstance(found, str) or not found:
        raise BadRequest(f"{name} is missing, or no text")
    return found


def _facts(body: dict[str, Any], bucket: str, key: str) -> Facts:
    size = body.get("size", 0)
    if type(size) is not int or size < 0:
        raise BadRequest("size is a number of bytes")
    headers = {name.lower(): value for name, value in _texts(body, "headers").items()}
    metadata = {name.lower(): value for name, value in _texts(body, "metadata").items()}
    headers.setdefault("content-type", "binary/octet-stream")
    headers.setdefault("x-amz-storage-class", "STANDARD")
    return Facts(bucket, key, size, headers, metadata, _texts(body, "tags"))


def _texts(body: dict[str, Any], name: str) -> dict[str, str]:
    found = body.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadRequest(f"{name} is an object of texts")
    return found
