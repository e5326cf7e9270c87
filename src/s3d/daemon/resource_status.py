"""The part of the admin API that says what queue and cache know of a bucket, or of a key.

==============================  =======================================================================
GET /status/{bucket}            `s3d.write_queue.status.of_bucket`
GET /status/{bucket}/{key}      `s3d.write_queue.status.of_key`
==============================  =======================================================================

With a read cache ``cache`` is what that has of it (null: nothing); without a write queue it is all that there is.

The key is everything behind the bucket, percent-encoded, byte for byte: ``..``, ``//``, a ``/`` at the end and bytes that
are no UTF-8 are parts of a key like all others.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from aiohttp import web

from s3d.daemon.admin_request import required
from s3d.read_cache.control import CacheControl
from s3d.standalone.version import key_text
from s3d.write_queue.control import Control

_ROOT = "/status/"


class ResourceStatus:
    """Its routes. None: the daemon has no write queue, no read cache; without either they say so."""

    def __init__(self, queue: Control | None, cache: CacheControl | None = None) -> None:
        self._queue = queue
        self._cache = cache

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Registers the routes."""
        router.add_get(_ROOT + r"{name:[\s\S]+}", self._document)

    async def _document(self, request: web.Request) -> web.Response:
        bucket, key = named(request.rel_url.raw_path)
        found: dict[str, Any] = {}
        if self._queue is not None or self._cache is None:
            queue = required(self._queue)
            found = queue.key_document(bucket, key) if key else queue.bucket_document(bucket)
        if self._cache is not None:
            found["cache"] = self._cache.key_document(bucket, key) if key else self._cache.bucket_document(bucket)
        return web.json_response(found)


def named(raw_path: str) -> tuple[str, str]:
    """Bucket and key in a path as it came; text is UTF-8 with surrogates for other bytes."""
    bucket, _, key = raw_path.removeprefix(_ROOT).partition("/")
    return _decoded(bucket), _decoded(key)


def _decoded(text: str) -> str:
    return key_text(unquote_to_bytes(text.encode("utf-8", "surrogateescape")))
