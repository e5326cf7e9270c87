"""The rows of the bench, and the requests of each."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from contenders import Contender, request
from job import Job, Prepared
from signing import UNSIGNED, signed_head

KIB, MIB = 1 << 10, 1 << 20
READ_BUCKET, LIST_BUCKET = "bench-read", "bench-list"
LIST_KEYS = 1000
_KEYS = {
    4 * KIB: 64,
    MIB: 16,
    100 * MIB: 4,
}  # keys per size: more than connections, so that none is written twice at once
_INLINE = 64 * KIB  # bodies up to here are sent together with the header


@dataclass(frozen=True)
class Row:
    """One line of the result: what is sent, on how many connections, and for how long per round.

    ``seconds`` is a weight: the run of the whole bench scales it. ``minimum`` answers are waited for in any case.
    """

    operation: str
    size: int
    connections: int
    seconds: float = 1.0
    minimum: int = 30
    signed_payload: bool = False

    @property
    def is_long(self) -> bool:
        """Whether it takes many seconds and says little that the other rows do not."""
        return self.signed_payload and self.size >= MIB

    @property
    def name(self) -> str:
        if self.operation == "LIST":
            return f"LIST {LIST_KEYS} keys, {self.connections} conn"
        size = f"{self.size // MIB} MiB" if self.size >= MIB else f"{self.size // KIB} KiB"
        return f"{self.operation} {size}{' sha256' if self.signed_payload else ''}, {self.connections} conn"


ROWS = (
    Row("GET", 4 * KIB, 1),
    Row("GET", 4 * KIB, 16),
    Row("PUT", 4 * KIB, 1),
    Row("PUT", 4 * KIB, 16),
    Row("PUT", 4 * KIB, 1, signed_payload=True),
    Row("GET", MIB, 1, minimum=10),
    Row("GET", MIB, 16, minimum=32),
    Row("PUT", MIB, 1, minimum=10),
    Row("PUT", MIB, 16, minimum=32),
    Row("PUT", MIB, 1, minimum=10, signed_payload=True),
    Row("GET", 100 * MIB, 1, minimum=2),
    Row("PUT", 100 * MIB, 1, seconds=0.5, minimum=1),
    Row("PUT", 100 * MIB, 1, seconds=0.5, minimum=1, signed_payload=True),
    Row("LIST", 0, 1, minimum=10),
    Row("LIST", 0, 16, minimum=16),
)


class Material:
    """The objects that are read, and the bodies that are written: random bytes, new ones for every run of a PUT."""

    def __init__(self, remote: str, directory: Path) -> None:
        self.remote, self.directory = remote, directory
        self._md5: dict[int, str] = {}

    def seed(self, contenders: list[str]) -> None:
        """Writes what is read to the remote, before any gateway could have cached its absence."""
        for bucket in [READ_BUCKET, LIST_BUCKET, *(f"bench-write-{name}" for name in contenders)]:
            self._ask("PUT", f"/{bucket}")
        for size, count in _KEYS.items():
            body = os.urandom(size)
            self._md5[size] = hashlib.md5(body).hexdigest()
            for index in range(count):
                self._ask("PUT", f"/{READ_BUCKET}/{_key(size, index)}", body)
        for index in range(LIST_KEYS):
            self._ask("PUT", f"/{LIST_BUCKET}/data/2026/object-{index:06}.parquet", b"x")

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        status, answer = request(self.remote, method, path, body=body)
        if status != 200:
            raise RuntimeError(f"{method} {path}: the remote answered {status}: {answer[:500]!r}")
        return answer

    def job(self, row: Row, contender: Contender, processes: dict[str, int], scale: float) -> tuple[Job, str | None]:
        """The job of one run, and the MD5 of the body that it writes, if it writes."""
        build = {"GET": self._gets, "PUT": self._puts, "LIST": self._lists}[row.operation]
        prepared, written = build(row, contender)
        check = {"GET": 1 if row.size > MIB else 8, "PUT": 0 if row.size > MIB else 1, "LIST": 1}[row.operation]
        host, _, port = contender.url.removeprefix("http://").partition(":")
        minimum = max(row.minimum, row.connections)
        job = Job(host, int(port), prepared, row.connections, row.seconds * scale, minimum, check, processes)
        return job, written

    def _gets(self, row: Row, contender: Contender) -> tuple[list[Prepared], None]:
        md5 = self._md5[row.size]
        heads = [
            signed_head(contender.url, "GET", f"/{READ_BUCKET}/{_key(row.size, index)}")
            for index in range(_KEYS[row.size])
        ]
        return [Prepared(head, length=row.size, etag=md5, md5=md5) for head in heads], None

    def _puts(self, row: Row, contender: Contender) -> tuple[list[Prepared], str]:
        body = os.urandom(row.size)
        md5 = hashlib.md5(body).hexdigest()
        payload_hash = hashlib.sha256(body).hexdigest() if row.signed_payload else UNSIGNED
        file: Path | None = None
        if row.size > _INLINE:
            file = self.directory / "body"
            file.write_bytes(body)
        prepared = []
        for index in range(_KEYS[row.size]):
            path = f"/{contender.write_bucket}/{_key(row.size, index)}"
            head = signed_head(contender.url, "PUT", path, length=row.size, payload_hash=payload_hash)
            prepared.append(Prepared(head if file else head + body, file, row.size if file else 0, length=0, etag=md5))
        return prepared, md5

    def _lists(self, row: Row, contender: Contender) -> tuple[list[Prepared], None]:
        query = {"list-type": "2", "prefix": "", "encoding-type": "url"}
        head = signed_head(contender.url, "GET", f"/{LIST_BUCKET}", query=query)
        return [Prepared(head, keys=LIST_KEYS)] * row.connections, None

    def read_back(self, row: Row, contender: Contender, answers: int, md5: str) -> str | None:
        """Reads from the remote what a run has written: what is wrong with it, or None.

        Looks at up to four keys that have certainly been written. A gateway with a write-back cache answers before the
        remote has the object: it gets 30 s, and all keys are looked at, so that none is under way in the next run.
        """
        late = contender.name == "rclone-writes"
        keys = min(answers, _KEYS[row.size]) if late else min(row.connections, _KEYS[row.size], 4)
        deadline = time.monotonic() + (30 if late else 0)
        for index in range(keys):
            path = f"/{contender.write_bucket}/{_key(row.size, index)}"
            while hashlib.md5(request(self.remote, "GET", path)[1]).hexdigest() != md5:
                if time.monotonic() >= deadline:
                    return f"{path}: the remote does not have what was written"
                time.sleep(0.1)
        return None


def _key(size: int, index: int) -> str:
    return f"data/{size}/object-{index:04}.bin"
