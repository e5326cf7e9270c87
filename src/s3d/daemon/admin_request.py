"""What requests to the admin API carry, and what is said of those that make no sense."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from s3d.write_queue.control import Control


class BadRequest(Exception):
    """A sentence that says what is accepted."""


def required(queue: Control | None) -> Control:
    """The write queue. BadRequest where the daemon has none."""
    if queue is None:
        raise BadRequest("this daemon has no write queue: start it with S3D_WRITE_QUEUE=on")
    return queue


async def json_body(request: web.Request) -> dict[str, Any]:
    """The object in the body; without a body an empty one. BadRequest."""
    raw = await request.read()
    try:
        found = json.loads(raw, parse_constant=_no_number) if raw else {}
        # Bytes of a key that are no UTF-8 are lone surrogates; others mean nothing.
        json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogateescape")
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is a JSON object") from error
    if not isinstance(found, dict):
        raise BadRequest("the body is a JSON object")
    return found


def _no_number(name: str) -> None:
    """JSON has no NaN and no Infinity."""
    raise ValueError(name)


def number(text: str, name: str, most: int) -> int:
    """A number in a query. BadRequest."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise BadRequest(f"{name} is a number up to {most}")
    return int(text)
