"""The rows of the bench of caches, and what each does."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

from contender import Contender, request
from job import Job, Outcome, Prepared
from objects import READ_BUCKET, Bodies
from queues.launches import forget_lists
from rounds import Generator
from row import GIB, KIB, MIB, Row
from signing import UNSIGNED, signed_head

RANGE = 64 * KIB
RANGES = 1000
HITS = tuple(
    Row("GET", size, connections, minimum=minimum)
    for size, minimum in ((4 * KIB, 64), (MIB, 32), (100 * MIB, 2))
    for connections in (1, 16, 64)
)
WARM = tuple(Row("RANGE", RANGE, connections, label="range 64 KiB of 1 GiB, hit") for connections in (1, 16))
COLD_RANGES = tuple(
    Row("COLD RANGE", RANGE, connections, label=f"{RANGES:,} ranges of 64 KiB, cold") for connections in (1, 16)
)
COLD = Row("COLD", GIB, 1, label="GET 1 GiB, cold")
ROWS = (*HITS, *WARM, *COLD_RANGES, COLD)

_LARGE = "large/1GiB.bin"
_PIECE = 16 * MIB


class Plan:
    """Fills the remote and the directory of files, and measures a row of one server. ``rounds.Plan``. ``direct``: the URL
    of the remote, without the delay."""

    def __init__(self, directory: Path, direct: str) -> None:
        self._bodies = Bodies(directory)
        self._direct = direct
        self._file = directory / "large"
        self._md5 = _random_file(self._file)
        self._cold = 0

    def seed(self, load: Generator, files: Path) -> None:
        """Writes what is read to the remote, and to the files that nginx serves."""
        _must(request(self._direct, "PUT", f"/{READ_BUCKET}"))
        for name, content in self._bodies.objects():
            _must(request(self._direct, "PUT", f"/{READ_BUCKET}/{name}", body=content))
            file = files / READ_BUCKET / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        self._upload(load, _LARGE)
        (files / READ_BUCKET / "large").mkdir()
        os.link(self._file, files / READ_BUCKET / _LARGE)

    def measure(self, row: Row, contender: Contender, load: Generator, scale: float) -> Outcome | None:
        is_static = contender.name == "static"
        if row.operation in ("COLD", "COLD RANGE"):
            return None if is_static else self._measure_cold(row, contender, load)
        etag = contender.name in ("s3d", "rclone")
        if row.operation == "GET":
            requests = self._bodies.gets(row, contender.url, etag=etag)
        else:
            requests = self._ranges(contender, _LARGE, random.Random(1))
        warmed = load.run(Job(contender.url, requests, 4, once=True))
        if warmed.wrong is not None:
            return warmed
        return load.run(
            Job(
                contender.url,
                requests,
                row.connections,
                seconds=row.seconds * scale,
                minimum=max(row.minimum, row.connections),
                check_first=1 if row.size > MIB else 8,
                processes={"server": contender.pid},
            )
        )

    def _measure_cold(self, row: Row, contender: Contender, load: Generator) -> Outcome:
        """An object that nobody has read, which is removed afterwards."""
        self._cold += 1
        name = f"cold/{contender.name}-{self._cold}.bin"
        self._upload(load, name)
        forget_lists(contender)
        os.sync()
        if row.operation == "COLD":
            head = signed_head(contender.url, "GET", f"/{READ_BUCKET}/{name}")
            requests = [Prepared(head, length=GIB)]
        else:
            requests = self._ranges(contender, name, random.Random(self._cold))
        outcome = load.run(
            Job(contender.url, requests, row.connections, once=True, processes={"server": contender.pid})
        )
        if outcome.wrong is None and row.operation == "COLD":  # what is kept is what was sent
            head = signed_head(contender.url, "GET", f"/{READ_BUCKET}/{name}")
            again = Prepared(head, length=GIB, md5=self._md5)
            outcome.wrong = load.run(Job(contender.url, [again], 1, check_first=1, once=True)).wrong
        _must(request(self._direct, "DELETE", f"/{READ_BUCKET}/{name}"))
        return outcome

    def _ranges(self, contender: Contender, name: str, chosen: random.Random) -> list[Prepared]:
        requests = []
        status = 200 if contender.name == "rclone" else 206  # the bytes of the range, all the same
        with self._file.open("rb") as file:
            for _ in range(RANGES):
                start = chosen.randrange(GIB - RANGE)
                content = os.pread(file.fileno(), RANGE, start)
                headers = {"Range": f"bytes={start}-{start + RANGE - 1}"}
                head = signed_head(contender.url, "GET", f"/{READ_BUCKET}/{name}", headers=headers)
                md5 = hashlib.md5(content).hexdigest()
                requests.append(Prepared(head, status=status, length=RANGE, md5=md5))
        return requests

    def _upload(self, load: Generator, name: str) -> None:
        head = signed_head(self._direct, "PUT", f"/{READ_BUCKET}/{name}", length=GIB, payload_hash=UNSIGNED)
        put = Prepared(head, body=self._file, body_length=GIB, length=0)
        wrong = load.run(Job(self._direct, [put], 1, once=True)).wrong
        assert wrong is None, wrong


def _random_file(path: Path) -> str:
    """1 GiB; its MD5."""
    digest = hashlib.md5()
    with path.open("wb") as file:
        for _ in range(GIB // _PIECE):
            piece = os.urandom(_PIECE)
            digest.update(piece)
            file.write(piece)
    path.chmod(0o644)
    return digest.hexdigest()


def _must(answer: tuple[int, bytes]) -> None:
    status, body = answer
    if status not in (200, 204):
        raise RuntimeError(f"the remote answered {status}: {body[:500]!r}")
