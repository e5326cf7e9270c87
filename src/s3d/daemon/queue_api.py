"""The part of the admin API that looks into the write queue and controls it.

====================  ===================================================================================
GET /queue            ``{"operations": [...], "next": SEQ | null}``; ``?state=`` one of the states, ``?after=``
                      the ``next`` of the page before, ``?limit=`` (1 to 1,000), ``?bucket=&key=`` of one key
POST /queue/flush     waits until nothing waits, ``{"wait": SECONDS}`` at most: ``{"left": COUNT}``
POST /queue/retry     failed operations are to be pushed again
POST /queue/drop      removes operations and their bytes for good
POST /queue/export    writes operations as files to ``{"directory": PATH}`` of this machine
POST /queue/pause     begins no further push until
POST /queue/resume    ...
====================  ===================================================================================

retry, drop and export take a JSON object that says which: ``{"seq": [NUMBER, ...]}``, ``{"bucket": NAME, "key": KEY}``, or
``{"state": STATE}`` (of retry and drop: only ``failed``). They answer ``{"done": COUNT}``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from s3d.daemon.admin_request import BadRequest, json_body, number, required
from s3d.write_queue.control import Control
from s3d.write_queue.operation import FAILED, HELD, PENDING, PUSHING, Operation
from s3d.write_queue.shown import shown

_STATES = (PENDING, PUSHING, FAILED, HELD)
_PAGE, _LONGEST_PAGE = 100, 1000
_LONGEST_WAIT = 3600.0  # seconds


class QueueApi:
    """Its routes. ``queue`` None: the daemon has no write queue, and they say so."""

    def __init__(self, queue: Control | None) -> None:
        self._queue_or_none = queue

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Registers the routes."""
        router.add_get("/queue", self._list)
        for name in ("flush", "retry", "drop", "export", "pause", "resume"):
            router.add_post(f"/queue/{name}", getattr(self, f"_{name}"))

    @property
    def _queue(self) -> Control:
        return required(self._queue_or_none)

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        if "bucket" in query or "key" in query:
            found = self._queue.of_key(query.get("bucket", ""), query.get("key", ""))
            return web.json_response({"operations": [shown(operation) for operation in found], "next": None})
        state = query.get("state")
        if state is not None and state not in _STATES:
            raise BadRequest(f"state is one of {', '.join(_STATES)}")
        limit = number(query.get("limit", str(_PAGE)), "limit", _LONGEST_PAGE)
        found = self._queue.page(state, number(query.get("after", "0"), "after", (1 << 63) - 1), limit)
        following = found[-1].seq if len(found) == limit and found else None
        return web.json_response({"operations": [shown(operation) for operation in found], "next": following})

    async def _flush(self, request: web.Request) -> web.Response:
        wait = (await json_body(request)).get("wait", 0)
        if not isinstance(wait, int | float) or isinstance(wait, bool) or not 0 <= wait <= _LONGEST_WAIT:
            raise BadRequest(f"wait is a number of seconds from 0 to {_LONGEST_WAIT:g}")
        return web.json_response({"left": await self._queue.flush(float(wait))})

    async def _retry(self, request: web.Request) -> web.Response:
        return await self._each(await json_body(request), self._queue.retry)

    async def _drop(self, request: web.Request) -> web.Response:
        return await self._each(await json_body(request), self._queue.drop)

    async def _export(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        directory = body.get("directory")
        if not isinstance(directory, str) or not Path(directory).is_absolute():
            raise BadRequest("directory is an absolute path on the daemon's machine")
        done = 0
        try:
            for operations in self._chosen(body, _STATES):
                done += await self._queue.export(operations, Path(directory))
        except OSError as error:
            raise BadRequest(f"{directory} cannot be written: {error.strerror or error}") from error
        return web.json_response({"done": done})

    async def _pause(self, _request: web.Request) -> web.Response:
        self._queue.pause()
        return web.json_response({"paused": True})

    async def _resume(self, _request: web.Request) -> web.Response:
        self._queue.resume()
        return web.json_response({"paused": False})

    async def _each(self, body: dict[str, Any], act: Any) -> web.Response:
        done = 0
        for operations in self._chosen(body, (FAILED,)):
            done += await act(operations)
        return web.json_response({"done": done})

    def _chosen(self, body: dict[str, Any], states: tuple[str, ...]) -> Iterator[list[Operation]]:
        """What the request names, in pages. BadRequest."""
        if isinstance(body.get("seq"), list):
            if not all(type(seq) is int and 0 < seq < 1 << 63 for seq in body["seq"]):
                raise BadRequest("seq is a list of numbers of operations")
            found = [self._queue.find(seq) for seq in body["seq"]]
            yield [operation for operation in found if operation is not None]
        elif isinstance(body.get("bucket"), str) and isinstance(body.get("key"), str):
            yield self._queue.of_key(body["bucket"], body["key"])
        elif body.get("state") in states:
            after = 0
            while some := self._queue.page(body["state"], after, _PAGE):
                after = some[-1].seq
                yield some
        else:
            raise BadRequest(
                f'say which: {{"seq": [...]}}, {{"bucket": ..., "key": ...}} or {{"state": "{states[0]}"}}'
            )
