"""A remote with objects, and changes that are pending for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from model.memory import Memory

from s3d.s3 import codec
from s3d.standalone.version import Version, key_bytes
from s3d.write_queue.operation import Change


class Pending:
    """Changes by key; None: the key is deleted."""

    def __init__(self, changes: Mapping[str, bytes | None]) -> None:
        self._bodies = dict(changes)

    def changes(self, prefix: bytes, first: bytes, limit: int, inclusive: bool) -> list[Change]:
        """As `Journal.changes`."""
        found = [key for key in map(key_bytes, self._bodies) if key.startswith(prefix)]
        behind = sorted(key for key in found if key > first or (inclusive and key == first))
        return [Change(key, self._version(key)) for key in behind[:limit]]

    def _version(self, key: bytes) -> Version | None:
        body = self._bodies[key.decode("utf-8", "surrogateescape")]
        if body is None:
            return None
        etag = hashlib.md5(body).hexdigest()
        return Version(
            1, key, 1, None, 1_700_000_000, len(body), etag, 1, None, "[]", checksum="CRC64NVME:AAAAAAAAAAA="
        )

    async def push(self, remote: Memory, key: str) -> None:
        """The change is at the remote, and not pending any more."""
        body = self._bodies.pop(key)
        await _write(remote, key, body)


async def fill(remote: Memory, objects: Mapping[str, bytes]) -> Memory:
    """A bucket with these objects."""
    await remote(codec.build_request("CreateBucket", {"Bucket": "bucket"}))
    for key, body in objects.items():
        await _write(remote, key, body)
    return remote


async def _write(remote: Memory, key: str, body: bytes | None) -> None:
    at = {"Bucket": "bucket", "Key": key}
    request = codec.build_request("PutObject" if body is not None else "DeleteObject", at)
    if body is not None:
        request.body = body
    await remote(request)


def names(page: Mapping[str, Any]) -> list[str]:
    """Keys and common prefixes of a page, in order."""
    listed = [entry["Key"] for entry in page.get("Contents") or []]
    listed += [entry["Prefix"] for entry in page.get("CommonPrefixes") or []]
    if page.get("EncodingType") == "url":
        listed = [unquote_to_bytes(name).decode("utf-8", "surrogateescape") for name in listed]
    return sorted(listed, key=key_bytes)
