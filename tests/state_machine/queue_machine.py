"""The write queue in front of a remote that fails, against the reference model: sends and compares.

    clients ──> WriteQueue ──> Faulty ──> Standalone (the remote)
       └──────> Memory (the model)            ^── a second writer

The queue is asked first. What it could not do (503) the model is not asked, unless the remote did it all the same; whether
it may say so is checked, too. All else it must answer as the model does, which knows of no remote.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from conformance.calling import LARGE, Pieces
from hypothesis.stateful import invariant
from state_machine.compare import Members, Outcome, difference, outcome
from state_machine.faulty import Faulty, Place
from state_machine.histories import Histories
from state_machine.machine import Id, Machine, _for_people, _of_side

from s3d.s3 import codec
from s3d.s3.backend import Backend
from s3d.s3.errors import RemoteUnreachable, S3Error
from s3d.s3.message import S3Request, S3Response
from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig
from s3d.standalone.version import key_bytes
from s3d.write_queue.answers import STATE
from s3d.write_queue.backend import WriteQueue
from s3d.write_queue.config import WriteQueueConfig
from s3d.write_queue.operation import TAG, Operation

VERSIONS = frozenset(
    {
        "CopySourceVersionId",
        "DeleteMarker",
        "DeleteMarkerVersionId",
        "VersionId",
        "x-amz-delete-marker",
        "x-amz-version-id",
    }
)
"""What only the remote gives. Answers of the queue's own have none of it."""
_ACCEPTED = frozenset(
    {
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CreateMultipartUpload",
        "DeleteObject",
        "DeleteObjects",
        "ListParts",
        "PutObject",
        "UploadPart",
    }
)
_CONTENT = frozenset({"CompleteMultipartUpload", "CopyObject", "DeleteObject", "DeleteObjects", "PutObject"})
_CHANGES = _CONTENT | {"DeleteObjectTagging", "PutObjectTagging"}
_READS = frozenset({"GetObject", "GetObjectAttributes", "HeadObject"})
_STRAIGHT = frozenset(
    {
        "ETag",
        "IfMatch",
        "IfMatchLastModifiedTime",
        "IfMatchSize",
        "IfNoneMatch",
        "LastModifiedTime",
        "Size",
        "VersionId",
    }
)
_PART = frozenset({"UploadPart", "UploadPartCopy"})
PATIENCE = 20.0
"""Seconds for which a queue that can push may push at the end."""


@dataclass
class Asked:
    """One request of a client: what was known when it was sent, and how it was answered."""

    operation: str
    members: Members
    body: bytes | None
    id: str
    must_be_here: bool
    """The queue has all that it takes, and must not say 503 whatever the remote is doing."""
    is_calm: bool
    injected: int
    state: str | None = None
    found: Outcome = field(default_factory=lambda: Outcome(0))

    def __str__(self) -> str:
        return f"{self.operation} {_for_people(self.members)} ({self.state or 'remote'})"


class Defects(logging.Handler):
    """What the queue reports of itself that must not be."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(self.format(record))


class QueueMachine(Machine):
    """Sends and compares. ``directory`` is for all runs: what is in it costs time to make, so each takes over what the last
    one has left in order."""

    directory: Path
    places = itertools.count(1)
    place = Path()
    queue_directories = (Path(), Path())
    """That of the queue, and one for its copy."""
    steps = requests = 0

    def _open(self) -> None:
        """Only the remote: what the queue is like is drawn."""
        if not self.place.is_relative_to(self.directory):
            type(self).place = self.directory / f"{next(self.places)}"
            type(self).queue_directories = self.place / "queue", self.place / "spare"
        self.remote = Standalone(StandaloneConfig(directory=self.place / "remote"))
        self.runner.run(self.remote.open())
        self.faulty = Faulty(self.remote)
        self.numbers = itertools.count(1)
        self.histories = Histories(self.model.store, lambda sentence, key: self.check(False, sentence, key))
        self.loose: set[Place] = set()
        """Of which nobody can say under which rule of their bucket an operation arrived: only the newest is known."""
        self.forgotten: set[str] = set()
        """Buckets that may have been deleted, for all that the queue knows: it has to ask."""
        self.queue: WriteQueue | None = None
        self.limited = self.is_paused = False
        self.defects = Defects()
        logging.getLogger("s3d").addHandler(self.defects)

    def open_queue(self) -> None:
        files, size, wait = (6, 6_000_000, 0.03) if self.limited else (10_000, 1_000_000_000, 10.0)
        config = WriteQueueConfig(
            self.queue_directories[0], max_files=files, max_size=size, max_wait=wait, free_space=0, workers=4
        )
        self.queue = WriteQueue(config, self.faulty)
        self.is_paused = False
        self.runner.run(self.queue.open())

    def close(self) -> None:
        """Also after a failure."""
        logging.getLogger("s3d").removeHandler(self.defects)
        if self.queue is not None:
            self.runner.run(self.queue.close())
        self.runner.run(self.faulty.settle())
        self.runner.run(self.remote.close())
        if self.differs:
            type(self).place = Path()

    @property
    def it(self) -> WriteQueue:
        assert self.queue is not None
        return self.queue

    @invariant()
    def counted(self) -> None:
        QueueMachine.steps += 1

    def check(self, right: object, sentence: str, key: str = "") -> None:
        """Fails, with what happened before, or with what happened to one key. The end would only say the same again."""
        if not right:
            self.differs = True
            story = [line for line in self.faulty.story if repr(key) in line] if key else self.faulty.story[-40:]
            print("\n".join([sentence, *story]))  # Hypothesis does not say it where a second run is another one
            raise AssertionError("\n".join([sentence, *story]))

    # Sending.

    def send(self, operation: str, members: Members, body: bytes | None = None) -> Outcome:
        """One request. What the model said, or, where it was not asked, the queue."""
        asked = self.begin(operation, members, body)
        self.runner.run(self.ask(asked))
        return self.settle(asked)

    def begin(self, operation: str, members: Members, body: bytes | None = None) -> Asked:
        here, number = self._must_be_here(operation, members), f"c{next(self.numbers)}"
        if "Bucket" in members:
            self.histories.note(self.it, members["Bucket"])
        return Asked(operation, members, body, number, here, self.is_calm(), self.faulty.injected)

    async def ask(self, asked: Asked) -> None:
        """Has the queue answer."""
        QueueMachine.requests += 1
        request = codec.build_request(asked.operation, _of_side(asked.members, model=False))
        request.request_id = asked.id
        if asked.body is not None:
            request.body = Pieces(asked.body) if len(asked.body) > LARGE else asked.body

        async def noted(request: S3Request) -> S3Response:
            try:
                response = await self.it(request)
            except S3Error as error:
                asked.state = error.headers.get(STATE)
                raise
            asked.state = response.headers.get(STATE)
            return response

        try:
            asked.found = await outcome(noted, request)
        except RemoteUnreachable as error:
            asked.found = Outcome(503, "ServiceUnavailable", {"Message": error.message})
        except Exception:
            self.differs = True  # a defect: there is no answer to compare
            raise

    def settle(self, asked: Asked) -> Outcome:
        """Compares the answer with the model's."""
        found = asked.found
        if "CopySource" in asked.members and self.faulty.unsure:
            self.faulty.unsure.add((asked.members["Bucket"], asked.members["Key"]))
        if asked.operation == "DeleteBucket" and found.status >= 500:
            self.forgotten.add(asked.members["Bucket"])
        elif asked.operation in _CONTENT and found.status < 300:
            self.forgotten.discard(asked.members["Bucket"])
        self.faulty.story.append(f"{asked.id}: {asked}: {found.status} {found.code}")
        if found.status in (500, 503) or self._is_limit(asked):
            return self._not_done(asked)
        if asked.operation == "ListObjectVersions" and asked.members["Bucket"] in {name for name, _ in self.tainted()}:
            return Outcome(found.status)
        expected = self.of_model(asked)
        sentence = self.difference(asked, expected)
        self.check(not sentence, f"{asked}: {sentence}")
        self._remember(asked, expected)
        return expected

    def of_model(self, asked: Asked) -> Outcome:
        if asked.operation in _CHANGES and asked.members["Bucket"] in self.buckets:
            for place in self._places(asked.members):
                self.histories.begin(self.it, place)
        return self.runner.run(self._outcome(asked.operation, asked.members, asked.body, model=True))

    def difference(self, asked: Asked, expected: Outcome) -> str:
        ignored = self.profile.ignored
        if asked.state in ("pending", "failed"):
            told = asked.found.members.keys() & VERSIONS
            if told:
                return f"a version is told of what is not there yet: {told}"
        if asked.state in ("pending", "failed") or self._is_tainted(asked.members):
            ignored |= VERSIONS
        if not expected.code and asked.state is None and self._still_here(asked):
            return "the remote was asked"
        if _is_wrong_twice(asked, expected):
            return ""
        return difference(self.pairs, expected, asked.found, ignored=ignored)

    def _not_done(self, asked: Asked) -> Outcome:
        found = asked.found
        sentence = f"{asked}: found {found}"
        is_full = self.limited and found.code in ("SlowDown", "EntityTooLarge")
        self.check(is_full or not self._still_here(asked), sentence)
        self.check(not asked.is_calm or asked.injected < self.faulty.injected, f"{sentence} for no reason")
        status = self.faulty.done.pop(f"{asked.id} {asked.operation}", 500)
        if status < 300:
            expected = self.of_model(asked)
            self.check(not expected.code, f"{asked}: the remote did it, expected {expected}")
            if asked.operation == "CompleteMultipartUpload":
                self._give_up(asked.members)
        return found

    def _give_up(self, members: Members) -> None:
        """What a client does that does not know whether its upload was completed, and finds the object: it aborts it."""
        self.model.store.buckets[members["Bucket"]].completed.pop(members["UploadId"].expected)
        upload = next(upload for upload in self.uploads if upload.id == members["UploadId"])
        abort = self.begin("AbortMultipartUpload", upload.where)
        self.runner.run(self.ask(abort))
        self.check(abort.found.status in (204, 404), f"{abort}: {abort.found}")
        upload.is_open = False

    def _is_limit(self, asked: Asked) -> bool:
        return self.limited and asked.operation in _PART and asked.found.code == "EntityTooLarge"

    def _remember(self, asked: Asked, expected: Outcome) -> None:
        """Version ids of the remote, and what the model has for new operations."""
        version, found = expected.members.get("VersionId"), asked.found.members.get("VersionId")
        if not expected.code and version and found and "Key" in asked.members and not self._is_tainted(asked.members):
            known = (asked.members["Bucket"], asked.members["Key"], Id(version, self.pairs.found(version)))
            if known not in self.versions:
                self.versions.append(known)
        if not expected.code and asked.operation in _CHANGES and asked.state == "pending":
            for place in self._places(asked.members):
                self.histories.accepted(self.it, place)

    # What is known.

    def content(self, bucket: str, key: str) -> Operation | None:
        """The operation that decides what a key is."""
        if len(key_bytes(key)) > 1024:
            return None
        return next((o for o in reversed(self.it.of_key(bucket, key)) if o.kind != TAG), None)

    def version_of(self, number: int) -> tuple[str, str, Id] | None:
        """Only of keys whose versions are one to one those of the model."""
        sure = [known for known in self.versions if not self._is_tainted({"Bucket": known[0], "Key": known[1]})]
        return sure[-1 - number % len(sure)] if sure else None

    def is_calm(self) -> bool:
        """Whether there is no reason for a 503."""
        faulty = self.faulty
        if faulty.away or faulty.plan or self.is_paused or self.limited:
            return False
        if self.it.document()["engine"]["away"] is not None:
            return False
        return not any(place_of(operation) in faulty.refused for operation in self.it.page(None, 0, 1000))

    def tainted(self) -> set[Place]:
        """Of which the remote may have more versions than the model, or less: see `Arrived`."""
        return self.faulty.unsure | self.faulty.unseen | self.faulty.refused | self.loose

    def _places(self, members: Members) -> list[Place]:
        """The keys that a request names, but for those that cannot be."""
        return [(members["Bucket"], key) for key in _keys(members) if len(key_bytes(key)) <= 1024]

    def _is_tainted(self, members: Members) -> bool:
        places = self.tainted()
        keys, source = _keys(members), members.get("CopySource")
        if source is not None:
            return bool(places)
        return any((members.get("Bucket", ""), key) in places for key in keys)

    def _must_be_here(self, operation: str, members: Members) -> bool:
        if operation in _ACCEPTED:
            entries = members["Delete"]["Objects"] if operation == "DeleteObjects" else []
            upload = members.get("UploadId")
            is_ours = upload is None or any(known.id == upload and known.is_open for known in self.uploads)
            is_known = members["Bucket"] not in self.forgotten
            return is_ours and is_known and not any(_STRAIGHT & named.keys() for named in (members, *entries))
        if operation not in _READS or "VersionId" in members:
            return False
        return self.content(members["Bucket"], members["Key"]) is not None

    def _still_here(self, asked: Asked) -> bool:
        """Whether the queue had all that the request takes until it was answered: what is read may be pushed meanwhile."""
        return asked.must_be_here and (
            asked.operation in _ACCEPTED or self._must_be_here(asked.operation, asked.members)
        )

    # The second writer, and time.

    def elsewhere(self, operation: str, members: Members, body: bytes | None = None) -> Outcome:
        """Sends a request to the remote itself, and to the model."""
        for place in self._places(members):
            self.histories.begin(self.it, place)
        backends: tuple[Backend, ...] = (self.model, self.remote)
        expected, found = (self.runner.run(self._at(backend, operation, members, body)) for backend in backends)
        self.faulty.story.append(f"another: {operation} {_for_people(members)}: {found.status} {found.code}")
        sentence = difference(self.pairs, expected, found, ignored=VERSIONS)
        self.check(not sentence, f"{operation} at the remote {_for_people(members)}: {sentence}")
        return expected

    async def _at(self, backend: Backend, operation: str, members: Members, body: bytes | None) -> Outcome:
        request = codec.build_request(operation, _of_side(members, model=backend is self.model))
        if body is not None:
            request.body = body
        return await outcome(backend, request)

    def let_pass(self, seconds: float) -> None:
        """Time, in which the engine works. It stands still between requests."""
        self.runner.run(asyncio.sleep(seconds))

    def flush(self) -> None:
        """Everything that waits is pushed: there is nothing in its way but what was refused a moment ago."""
        begun = time.monotonic()
        while self.runner.run(self.it.flush(1.0)):
            waiting = [(o.seq, o.bucket, o.key, o.kind, o.state, o.error) for o in self.it.page(None, 0, 20)]
            self.check(time.monotonic() - begun < PATIENCE, f"operations are left: {waiting}")
            self.runner.run(self.it.retry(self.it.page("failed", 0, 1000)))


def _is_wrong_twice(asked: Asked, expected: Outcome) -> bool:
    """Whether two errors are in order. Which of them is said, S3 leaves open."""
    if asked.operation == "CompleteMultipartUpload" and asked.members.keys() & _STRAIGHT:
        return bool(expected.code and asked.found.code)
    said = {expected.code, asked.found.code}
    return said == {"InvalidTag", "NoSuchKey"} or (
        asked.operation == "UploadPartCopy" and "NoSuchUpload" in said - {""}
    )


def place_of(operation: Operation) -> Place:
    return operation.bucket, operation.key.decode("utf-8", "surrogateescape")


def _keys(members: Members) -> list[str]:
    """What a request names."""
    if "Delete" in members:
        return [entry["Key"] for entry in members["Delete"]["Objects"]]
    return [members["Key"]] if "Key" in members else []
