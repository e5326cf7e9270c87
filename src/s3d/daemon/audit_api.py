"""The part of the admin API that compares the ledger of the write queue with the remote.

``POST /audit`` takes ``{"bucket": NAME, "prefix": PREFIX, "after": TOKEN, "limit": NUMBER, "versions": BOOLEAN}``, all
of them optional: a page has ``limit`` entries at most (100; up to 1,000), ``after`` is the ``next`` of the page before,
and without ``versions`` (true) only the newest entry of each key is compared. It is a POST because a page costs requests
at the remote. The answer is ``{"entries": [...], "next": TOKEN | null, "away": REASON | null}``; a page may be empty
though ``next`` says that there are more.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from aiohttp import web

from s3d.daemon.admin_request import BadRequest, json_body, required
from s3d.standalone.version import key_bytes
from s3d.write_queue.audit import Checked, Found, Wanted
from s3d.write_queue.control import Control
from s3d.write_queue.ledger import Position
from s3d.write_queue.shown import shown_key

_PAGE, _LONGEST_PAGE = 100, 1000
_MEMBERS = {"bucket", "prefix", "after", "limit", "versions"}


class AuditApi:
    """Its route. ``queue`` None: the daemon has no write queue, and it says so."""

    def __init__(self, queue: Control | None) -> None:
        self._queue = queue

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Registers the route."""
        router.add_post("/audit", self._audit)

    async def _audit(self, request: web.Request) -> web.Response:
        queue = required(self._queue)
        page = await queue.audit(wanted(await json_body(request)))
        following = token(page.next) if page.next is not None else None
        entries = [shown(checked) for checked in page.checked]
        return web.json_response({"entries": entries, "next": following, "away": page.away})


def wanted(body: dict[str, Any]) -> Wanted:
    """What the body asks for. BadRequest."""
    if unknown := body.keys() - _MEMBERS:
        raise BadRequest(f"{sorted(unknown)[0]!r} is none of {', '.join(sorted(_MEMBERS))}")
    bucket, prefix, after = (_text(body, name) for name in ("bucket", "prefix", "after"))
    if prefix and not bucket:
        raise BadRequest("a prefix needs a bucket")
    limit, versions = body.get("limit", _PAGE), body.get("versions", True)
    if type(limit) is not int or not 1 <= limit <= _LONGEST_PAGE:
        raise BadRequest(f"limit is a number from 1 to {_LONGEST_PAGE}")
    if not isinstance(versions, bool):
        raise BadRequest("versions is true or false")
    return Wanted(bucket or None, key_bytes(prefix or ""), position(after) if after else None, limit, versions)


def _text(body: dict[str, Any], name: str) -> str | None:
    """Bytes that are no UTF-8 are lone surrogates (``\\udcff``), as in Python."""
    text = body.get(name)
    if text is None:
        return None
    if not isinstance(text, str):
        raise BadRequest(f"{name} is a text")
    try:
        key_bytes(text)
    except UnicodeEncodeError as error:
        raise BadRequest(f"{name} is no text: it has lone surrogates") from error
    return text


def token(place: Position) -> str:
    """A position in the ledger as text."""
    raw = json.dumps([place.bucket, place.key.hex(), place.seq]).encode()
    return base64.urlsafe_b64encode(raw).decode()


def position(text: str) -> Position:
    """The reverse of `token`. BadRequest."""
    try:
        bucket, key, seq = json.loads(base64.b64decode(text.encode("ascii"), b"-_", validate=True))
        found = Position(bucket, bytes.fromhex(key), seq)
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadRequest("after is the next of another page") from error
    if not isinstance(bucket, str) or type(seq) is not int or not 0 <= seq < 1 << 63:
        raise BadRequest("after is the next of another page")
    return found


def shown(checked: Checked) -> dict[str, Any]:
    """As JSON. What the remote has is ``found``; all else is the ledger's."""
    entry = checked.entry
    return {
        "bucket": entry.bucket,
        "key": shown_key(entry.key),
        "status": checked.status,
        "operation": entry.kind,
        "pushed": round(entry.pushed, 3),
        "size": entry.size,
        "etag": entry.etag,
        "checksum": entry.checksum,
        "version_id": entry.version_id,
        "newest": bool(entry.newest),
        "differs": list(checked.differs),
        "found": _found(checked.found) if checked.found is not None else None,
        "kept": checked.kept,
        "error": checked.error,
    }


def _found(found: Found) -> dict[str, Any]:
    return {
        "size": found.size,
        "etag": found.etag,
        "checksums": dict(found.checksums),
        "version_id": found.version_id,
        "modified": found.modified,
    }
