"""The objects that are read and the bodies that are written, and the requests for them.

Everything is random bytes: all objects of a size have the same ones, and every run of a PUT writes new ones.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from contender import request
from job import Prepared
from row import KIB, MIB, Row
from signing import UNSIGNED, signed_head

READ_BUCKET, LIST_BUCKET = "bench-read", "bench-list"
READ_KEYS = {4 * KIB: 64, MIB: 16, 100 * MIB: 4}  # keys per size
_INLINE = 64 * KIB  # bodies up to here are sent together with the header


def key(size: int, index: int) -> str:
    return f"data/{size}/object-{index:04}.bin"


def write_keys(row: Row) -> int:
    """How many keys a PUT row writes: not fewer than connections, so that none is written twice at once."""
    return max(READ_KEYS[row.size], row.connections)


class Bodies:
    """The content of the objects that are read."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._content = {size: os.urandom(size) for size in READ_KEYS}
        self._md5 = {size: hashlib.md5(content).hexdigest() for size, content in self._content.items()}

    def objects(self) -> list[tuple[str, bytes]]:
        """Key and content of all of them."""
        return [(key(size, index), self._content[size]) for size, count in READ_KEYS.items() for index in range(count)]

    def gets(self, row: Row, url: str, *, etag: bool = True) -> list[Prepared]:
        """Requests that read them. ``etag``: whether theirs is the MD5, as S3's is."""
        md5 = self._md5[row.size]
        heads = [
            signed_head(url, "GET", f"/{READ_BUCKET}/{key(row.size, index)}") for index in range(READ_KEYS[row.size])
        ]
        return [Prepared(head, length=row.size, etag=md5 if etag else None, md5=md5) for head in heads]

    def puts(self, row: Row, url: str, bucket: str) -> tuple[list[Prepared], str]:
        """Requests that write a new body, and its MD5."""
        body = os.urandom(row.size)
        file: Path | None = None
        if row.size > _INLINE:
            file = self.directory / "body"
            file.write_bytes(body)
        return puts([f"/{bucket}/{key(row.size, index)}" for index in range(write_keys(row))], row, url, body, file)


def puts(paths: list[str], row: Row, url: str, body: bytes, file: Path | None = None) -> tuple[list[Prepared], str]:
    """Requests that write the body, which is in the file if there is one, to each path; and its MD5."""
    md5 = hashlib.md5(body).hexdigest()
    payload_hash = hashlib.sha256(body).hexdigest() if row.signed_payload else UNSIGNED
    heads = [signed_head(url, "PUT", path, length=row.size, payload_hash=payload_hash) for path in paths]
    if file:
        return [Prepared(head, body=file, body_length=row.size, length=0, etag=md5) for head in heads], md5
    return [Prepared(head, body, length=0, etag=md5) for head in heads], md5


def missing(url: str, paths: list[str], md5: str, *, patience: float = 0.0) -> str | None:
    """Reads what has been written: says which path does not have that content after so many seconds, or None."""
    deadline = time.monotonic() + patience
    for path in paths:
        while hashlib.md5(request(url, "GET", path)[1]).hexdigest() != md5:
            if time.monotonic() >= deadline:
                return f"{path}: what was written is not there"
            time.sleep(0.1)
    return None
