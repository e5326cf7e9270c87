"""The part of the admin API that says what the write queue knows of a bucket, or of a key.

==============================  =======================================================================
GET /status/{bucket}            `s3d.write_queue.status.of_bucket`
GET /status/{bucket}/{key}      `s3d.write_queue.status.of_key`
==============================  =======================================================================

The key is everything behind the bucket, percent-encoded, byte for byte: ``..``, ``//``, a ``/`` at the end and bytes that
are no UTF-8 are parts of a key like all others.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from aiohttp import web

from s3d.daemon.admin_request import required
from s3d.standalone.version import key_text
from s3d.write_queue.control import Control

_ROOT = "/status/"


class ResourceStatus:
    """Its routes. ``queue`` None: the daemon has no write queue, and they say so."""

    def __init__(self, queue: Control | None) -> None:
        self._queue = queue

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Registers the routes."""
        router.add_get(_ROOT + r"{name:[\s\S]+}", self._document)

    async def _document(self, request: web.Request) -> web.Response:
        queue = required(self._queue)
        bucket, key = named(request.rel_url.raw_path)
        return web.json_response(queue.key_document(bucket, key) if key else queue.bucket_document(bucket))


def named(raw_path: str) -> tuple[str, str]:
    """Bucket and key in a path as it came; text is UTF-8 with surrogates for other bytes."""
    bucket, _, key = raw_path.removeprefix(_ROOT).partition("/")
    return _decoded(bucket), _decoded(key)


def _decoded(text: str) -> str:
    return key_text(unquote_to_bytes(text.encode("utf-8", "surrogateescape")))
