"""The rows of the bench of the gateway, and the requests of each."""

from __future__ import annotations

from pathlib import Path

import peers
from contender import Contender, request
from job import Job, Outcome, Prepared
from objects import LIST_BUCKET, READ_BUCKET, Bodies, key, missing, write_keys
from rounds import Generator
from row import KIB, MIB, Row
from signing import signed_head

LIST_KEYS = 1000
_LIST = f"LIST {LIST_KEYS} keys"

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
    Row("LIST", 0, 1, minimum=10, label=_LIST),
    Row("LIST", 0, 16, minimum=16, label=_LIST),
)


def is_long(row: Row) -> bool:
    """Whether it takes many seconds and says little that the other rows do not."""
    return row.signed_payload and row.size >= MIB


class Plan:
    """Fills the remote, and measures a row of a gateway in front of it. ``rounds.Plan``."""

    def __init__(self, remote: peers.Server, directory: Path) -> None:
        self.remote = remote
        self._bodies = Bodies(directory)

    def seed(self, contenders: list[str]) -> None:
        """Writes what is read to the remote, before any gateway could have cached its absence."""
        for bucket in [READ_BUCKET, LIST_BUCKET, *(f"bench-write-{name}" for name in contenders)]:
            self._ask("PUT", f"/{bucket}")
        for name, content in self._bodies.objects():
            self._ask("PUT", f"/{READ_BUCKET}/{name}", content)
        for index in range(LIST_KEYS):
            self._ask("PUT", f"/{LIST_BUCKET}/data/2026/object-{index:06}.parquet", b"x")

    def _ask(self, method: str, path: str, body: bytes = b"") -> None:
        status, answer = request(self.remote.url, method, path, body=body)
        if status != 200:
            raise RuntimeError(f"{method} {path}: the remote answered {status}: {answer[:500]!r}")

    def measure(self, row: Row, contender: Contender, load: Generator, scale: float) -> Outcome | None:
        if contender.name == "rclone-fresh" and row.operation != "LIST":
            return None
        requests, written = self._requests(row, contender)
        processes = {"remote": self.remote.pid}
        if contender.pid != self.remote.pid:
            processes["gateway"] = contender.pid
        job = Job(
            contender.url,
            requests,
            row.connections,
            seconds=row.seconds * scale,
            minimum=max(row.minimum, row.connections),
            check_first={"GET": 1 if row.size > MIB else 8, "PUT": 0 if row.size > MIB else 1, "LIST": 1}[
                row.operation
            ],
            processes=processes,
        )
        outcome = load.run(job)
        if outcome.wrong is None and written is not None:
            outcome.wrong = self._read_back(row, contender, len(outcome.latencies), written)
        return outcome

    def _requests(self, row: Row, contender: Contender) -> tuple[list[Prepared], str | None]:
        """The requests, and the MD5 of the body that they write, if they write."""
        if row.operation == "GET":
            return self._bodies.gets(row, contender.url), None
        if row.operation == "PUT":
            return self._bodies.puts(row, contender.url, contender.write_bucket)
        query = {"list-type": "2", "prefix": "", "encoding-type": "url"}
        head = signed_head(contender.url, "GET", f"/{LIST_BUCKET}", query=query)
        return [Prepared(head, keys=LIST_KEYS)] * row.connections, None

    def _read_back(self, row: Row, contender: Contender, answers: int, md5: str) -> str | None:
        """Reads from the remote what a run has written: what is wrong with it, or None.

        Looks at up to four keys that have certainly been written. A gateway with a write-back cache answers before the
        remote has the object: it gets 30 s, and all keys are looked at, so that none is under way in the next run.
        """
        late = contender.name == "rclone-writes"
        count = min(answers, write_keys(row)) if late else min(row.connections, 4)
        paths = [f"/{contender.write_bucket}/{key(row.size, index)}" for index in range(count)]
        return missing(self.remote.url, paths, md5, patience=30 if late else 0)
