"""One change that is not yet at the remote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from s3d.filters.decide import USUAL
from s3d.s3.message import S3Request
from s3d.standalone.version import Version

PUT, UPLOAD, DELETE, TAG = "put", "upload", "delete", "tag"
"""An object of one body; a completed multipart upload; a delete; the whole tag set of an object."""
PENDING, PUSHING, FAILED, HELD = "pending", "pushing", "failed", "held"
NO_DEADLINE = 1e18
"""``due`` of what has none."""

SMALL = 8 << 20
"""Bytes of a body up to which a push is short."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of ``operation``; see `s3d.write_queue.schema` for the columns."""

    seq: int
    bucket: str
    key: bytes
    kind: str
    state: str
    accepted: float
    version: int | None
    size: int
    headers: str
    tags: str | None
    attempts: int
    next_attempt: float
    error: str | None
    superseded: int
    """1: failed, and a later change replaces it: it is kept, is not seen, and blocks nothing."""
    remote_upload: str | None
    priority: int = USUAL
    """0 to 9; 9 goes first."""
    due: float = NO_DEADLINE
    """Its deadline (Unix seconds)."""
    said: str | None = None
    """See `s3d.filters.decide.kept`."""
    asked: str | None = None
    """See `asked`."""

    @property
    def is_urgent(self) -> bool:
        """Whether it goes before those that came earlier."""
        return self.priority > USUAL or self.due < NO_DEADLINE

    def header_list(self) -> list[tuple[str, str]]:
        """The client's headers as they go to the remote."""
        return [(name, value) for name, value in json.loads(self.headers)]

    def asked_as(self) -> tuple[str, str]:
        """What the policy was asked when the object was accepted: S3's name of the operation, address of the client (empty:
        not known)."""
        name, address = json.loads(self.asked) if self.asked else ("PutObject", "")
        return name, address

    def tag_set(self) -> dict[str, str]:
        """Of a tag: tags by key."""
        found: dict[str, str] = json.loads(self.tags) if self.tags else {}
        return found

    def last_error(self) -> dict[str, Any] | None:
        """``code``, ``message``, ``status`` and ``at`` (Unix seconds) of the last attempt's error."""
        found: dict[str, Any] | None = json.loads(self.error) if self.error else None
        return found


def asked(request: S3Request) -> str:
    """What else than the object the policy is asked about a request, as text."""
    return json.dumps([request.operation, request.source_address])


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the remote confirmed."""

    version_id: str | None = None
    etag: str | None = None
    """Without its quotes."""
    checksum: str | None = None
    """ALGORITHM:BASE64."""

    upload_id: str | None = None
    """The remote's UploadId that was completed."""


@dataclass(frozen=True, slots=True)
class Last:
    """What the ledger says of the newest object or delete of a key."""

    kind: str
    version_id: str | None


@dataclass(frozen=True, slots=True)
class Abandoned:
    """An upload at the remote that nobody will complete."""

    bucket: str
    key: bytes
    upload_id: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a key will be at the remote, for lists. ``version`` None: nothing."""

    key: bytes
    version: Version | None
