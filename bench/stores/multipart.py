"""One multipart upload of 1 GiB, measured from its creation to the answer to CompleteMultipartUpload."""

from __future__ import annotations

import hashlib
import os
import re
import time
from array import array
from pathlib import Path

import procfs
from contender import Contender, request
from job import Job, Outcome, Prepared
from rounds import Generator
from row import GIB, KIB, MIB
from signing import UNSIGNED, signed_head

PARALLEL = 4
_PART = 16 * MIB
_PARTS = GIB // _PART
_STEP = 4 * KIB  # part n starts that much further into the file than part n - 1: so no two are alike


class Source:
    """The content of the upload: windows of one file of random bytes."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "parts"
        content = os.urandom(_PART + _PARTS * _STEP)
        self._file.write_bytes(content)
        windows = [memoryview(content)[at * _STEP : at * _STEP + _PART] for at in range(_PARTS)]
        self._parts = [hashlib.md5(window).hexdigest() for window in windows]
        self._etag = hashlib.md5(b"".join(bytes.fromhex(part) for part in self._parts)).hexdigest() + f"-{_PARTS}"
        whole = hashlib.md5()
        for window in windows:
            whole.update(window)
        self._md5 = whole.hexdigest()
        self._verified: set[str] = set()

    def run(self, contender: Contender, load: Generator, connections: int) -> Outcome:
        """Uploads it, and reads all of it back the first time that a server has it."""
        path, url = f"/{contender.write_bucket}/multipart", contender.url
        begun, cpu = time.perf_counter(), procfs.cpu_seconds(contender.pid)
        status, answer = request(url, "POST", path, query={"uploads": ""})
        found = re.search(rb"<UploadId>(.+?)</UploadId>", answer)
        if status != 200 or not found:
            return _failed(f"CreateMultipartUpload: {status} {answer[:300]!r}")
        upload_id = found[1].decode()
        outcome = load.run(Job(url, self._requests(url, path, upload_id), connections, once=True))
        if outcome.wrong:
            return outcome
        parts = "".join(
            f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag}"</ETag></Part>'
            for number, etag in enumerate(self._parts, 1)
        )
        document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        status, answer = request(url, "POST", path, query={"uploadId": upload_id}, body=document)
        seconds = time.perf_counter() - begun
        if status != 200 or self._etag.encode() not in answer:
            return _failed(f"CompleteMultipartUpload: {status} {answer[:300]!r}, not {self._etag}")
        used = {"server": procfs.cpu_seconds(contender.pid) - cpu, "generator": outcome.cpu["generator"]}
        return Outcome(array("q", [int(seconds * 1e9)]), seconds, used, self._wrong(contender, path, load))

    def _requests(self, url: str, path: str, upload_id: str) -> list[Prepared]:
        requests = []
        for at, etag in enumerate(self._parts):
            query = {"partNumber": str(at + 1), "uploadId": upload_id}
            head = signed_head(url, "PUT", path, query=query, length=_PART, payload_hash=UNSIGNED)
            requests.append(
                Prepared(head, body=self._file, body_length=_PART, body_offset=at * _STEP, length=0, etag=etag)
            )
        return requests

    def _wrong(self, contender: Contender, path: str, load: Generator) -> str | None:
        """What is wrong with the object, or None."""
        if contender.name in self._verified:
            return None
        self._verified.add(contender.name)
        # No etag: that of rclone is another one when the object is read.
        read = Prepared(signed_head(contender.url, "GET", path), length=GIB, md5=self._md5)
        return load.run(Job(contender.url, [read], 1, check_first=1, once=True)).wrong


def _failed(why: str) -> Outcome:
    return Outcome(array("q"), 0.0, wrong=why)
