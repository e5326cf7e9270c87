"""The rows of the bench of the embedded store, and what each does."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import zlib
from pathlib import Path
from xml.sax.saxutils import escape

from contender import Contender, request
from job import Job, Outcome, Prepared
from objects import LIST_BUCKET, READ_BUCKET, Bodies, key, missing, puts
from rounds import Generator
from row import GIB, KIB, MIB, Row
from signing import UNSIGNED, signed_head
from stores import listed, multipart

DELETED = 1000  # keys of a DELETE row
_BATCHES = 3  # requests of a DeleteObjects row, one after the other
_SMALL = Row("PUT", 4 * KIB, 16)  # how what is then deleted is written

ROWS = (
    Row("GET", 4 * KIB, 1),
    Row("GET", 4 * KIB, 16),
    Row("PUT", 4 * KIB, 1),
    Row("PUT", 4 * KIB, 16),
    Row("PUT", 4 * KIB, 16, signed_payload=True),
    Row("GET", MIB, 1, minimum=10),
    Row("GET", MIB, 16, minimum=32),
    Row("PUT", MIB, 1, minimum=10),
    Row("PUT", MIB, 16, minimum=32),
    Row("GET", 100 * MIB, 1, minimum=2),
    Row("GET", 100 * MIB, 16, minimum=32),
    Row("PUT", 100 * MIB, 1, minimum=2),
    Row("PUT", 100 * MIB, 16, minimum=16),
    Row("LIST", 0, 1, minimum=16, label="LIST"),
    Row("LIST", 0, 16, minimum=16, label="LIST"),
    Row("DeleteObjects", 0, 1, keys=DELETED, label=f"DeleteObjects {DELETED:,}"),
    Row("DELETE", 0, 1, label=f"DELETE {DELETED:,}"),
    Row("DELETE", 0, 16, label=f"DELETE {DELETED:,}"),
    Row("multipart", GIB, multipart.PARALLEL, label="multipart 1 GiB"),
)


def is_long(row: Row) -> bool:
    """Whether it moves gigabytes in each round."""
    return row.operation == "multipart" or (row.size == 100 * MIB and row.connections > 1)


class Plan:
    """Fills the servers, and measures a row of one. ``rounds.Plan``.

    ``keys`` is how many the bucket has that is listed.
    """

    def __init__(self, directory: Path, keys: int) -> None:
        self._bodies = Bodies(directory)
        self._upload = multipart.Source(directory)
        self._keys = keys

    def seed(self, contender: Contender, load: Generator, directory: Path) -> None:
        """Writes what is read, through the server itself. nginx gets files."""
        if contender.name == "nginx":
            for name, content in self._bodies.objects():
                file = directory / "files" / READ_BUCKET / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            return
        for bucket in (READ_BUCKET, LIST_BUCKET, contender.write_bucket):
            status, answer = request(contender.url, "PUT", f"/{bucket}")
            if status != 200:
                raise RuntimeError(f"{contender.name} answered {status} to CreateBucket: {answer[:500]!r}")
        for name, content in self._bodies.objects():
            status, answer = request(contender.url, "PUT", f"/{READ_BUCKET}/{name}", body=content)
            if status != 200:
                raise RuntimeError(f"{contender.name} answered {status} to PutObject: {answer[:500]!r}")
        listed.fill(contender.url, self._keys, load)

    def measure(self, row: Row, contender: Contender, load: Generator, scale: float) -> Outcome | None:
        if contender.name == "nginx" and row.operation != "GET":
            return None
        if row.operation not in ("GET", "LIST"):
            os.sync()  # what others have left unwritten must not be written at this one's expense
        if row.operation == "multipart":
            return self._upload.run(contender, load, row.connections)
        if row.operation in ("DELETE", "DeleteObjects"):
            return _delete(row, contender, load)
        if row.operation == "PUT":
            return self._put(row, contender, load, scale)
        if row.operation == "LIST":
            requests = listed.pages(contender.url, self._keys)
        else:
            requests = self._bodies.gets(row, contender.url, etag=contender.name != "nginx")
        return load.run(_job(row, contender, requests, scale, check_first=1 if row.size > MIB else 8))

    def _put(self, row: Row, contender: Contender, load: Generator, scale: float) -> Outcome:
        requests, md5 = self._bodies.puts(row, contender.url, contender.write_bucket)
        outcome = load.run(_job(row, contender, requests, scale, check_first=0 if row.size > MIB else 1))
        if outcome.wrong is None:
            paths = [f"/{contender.write_bucket}/{key(row.size, index)}" for index in range(min(row.connections, 4))]
            outcome.wrong = missing(contender.url, paths, md5)
        return outcome


def _job(row: Row, contender: Contender, requests: list[Prepared], scale: float, *, check_first: int) -> Job:
    return Job(
        contender.url,
        requests,
        row.connections,
        seconds=row.seconds * scale,
        minimum=max(row.minimum, row.connections),
        check_first=check_first,
        processes={"server": contender.pid},
    )


def _delete(row: Row, contender: Contender, load: Generator) -> Outcome:
    """Writes objects, and measures only how they are deleted."""
    bucket, url = contender.write_bucket, contender.url
    batches = _BATCHES if row.operation == "DeleteObjects" else 1
    names = [f"delete/object-{index:06}.bin" for index in range(DELETED * batches)]
    written, _ = puts([f"/{bucket}/{name}" for name in names], _SMALL, url, os.urandom(_SMALL.size))
    # The first goes ahead alone: rclone answers 500 when several come at once to a new prefix (see README.md).
    if (filled := load.run(Job(url, written, _SMALL.connections, check_first=1, once=True))).wrong:
        return filled
    if row.operation == "DeleteObjects":
        requests = [_delete_objects(url, bucket, names[at : at + DELETED]) for at in range(0, len(names), DELETED)]
    else:
        requests = [Prepared(signed_head(url, "DELETE", f"/{bucket}/{name}"), status=204) for name in names]
    outcome = load.run(Job(url, requests, row.connections, once=True, processes={"server": contender.pid}))
    for name in (names[0], names[-1]):
        if outcome.wrong is None and request(url, "GET", f"/{bucket}/{name}")[0] != 404:
            outcome.wrong = f"{name} is still there after its deletion"
    return outcome


def _delete_objects(url: str, bucket: str, names: list[str]) -> Prepared:
    listing = "".join(f"<Object><Key>{escape(name)}</Key></Object>" for name in names)
    body = f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{listing}</Delete>'.encode()
    headers = {
        "Content-Type": "application/xml",
        "Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode(),
        "x-amz-sdk-checksum-algorithm": "CRC32",
        "x-amz-checksum-crc32": base64.b64encode(struct.pack(">I", zlib.crc32(body))).decode(),
    }
    head = signed_head(
        url, "POST", f"/{bucket}", query={"delete": ""}, length=len(body), payload_hash=UNSIGNED, headers=headers
    )
    return Prepared(head, body, keys=len(names))
