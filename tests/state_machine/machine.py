"""Random operations, each sent to the reference model and to a Backend under test, whose answers must say the same.

`Machine` sends and compares; the rules are in mixins by topic, and a `Profile` says which of them, and which material, a
backend can stand (real servers are not S3 in everything).
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize
from model.memory import Memory
from state_machine.compare import Members, Outcome, Pairs, difference, outcome
from state_machine.material import BODIES, DELIMITERS, ODD_KEYS, PLAIN_KEYS, WRONG

from s3d.s3 import codec
from s3d.s3.backend import Backend

_runs = itertools.count(1)


@dataclass(frozen=True)
class Id:
    """A version id, upload id or token: what the model calls it, and the backend under test."""

    expected: str
    found: str

    def __call__(self, model: bool) -> str:
        return self.expected if model else self.found


@dataclass(frozen=True)
class Source:
    """A ``CopySource``."""

    path: str
    version: Id | None

    def __call__(self, model: bool) -> str:
        return f"{self.path}?versionId={self.version(model)}" if self.version else self.path


@dataclass
class Upload:
    """A multipart upload, and what was put into it: body and checksum by number."""

    bucket: str
    key: str
    id: Id
    algorithm: str | None
    kind: str
    parts: dict[int, bytes] = field(default_factory=dict)
    is_open: bool = True

    @property
    def where(self) -> Members:
        return {"Bucket": self.bucket, "Key": self.key, "UploadId": self.id}


@dataclass(frozen=True)
class Profile:
    """What a backend is asked."""

    open: Callable[[], AbstractAsyncContextManager[Backend]]
    """Opens it; a second time, everything is as before."""
    keys: tuple[str, ...] = ODD_KEYS + PLAIN_KEYS
    bodies: tuple[bytes, ...] = BODIES
    delimiters: tuple[str, ...] = DELIMITERS
    without: frozenset[str] = frozenset()
    """Names of features that are left out."""
    ignored: frozenset[str] = frozenset()
    """Members that are not compared."""


def bounded(examples: int, steps: int = 30, *, shrink: bool = True, repeatable: bool = False) -> settings:
    """The settings of a run; ``S3D_TEST_EXAMPLES`` says another number of examples, and that there is time to shrink what
    fails and to try what was never tried. Repeatable runs are the same until then."""
    patient = "S3D_TEST_EXAMPLES" in os.environ
    return settings(
        phases=[phase for phase in Phase if phase is Phase.generate or (patient and shrink)],
        max_examples=int(os.environ.get("S3D_TEST_EXAMPLES", examples)),
        stateful_step_count=steps,
        deadline=None,
        derandomize=repeatable and not patient,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


class Machine(RuleBasedStateMachine):
    """Sends and compares."""

    profile: Profile

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Memory()
        self.pairs = Pairs()
        self.run_id = f"sm-{os.getpid()}-{next(_runs)}"
        self.buckets = [f"{self.run_id}-a", f"{self.run_id}-b"]
        self.versions: list[tuple[str, str, Id]] = []
        """Bucket, key, id of every version that was ever named."""
        self.uploads: list[Upload] = []
        self.differs = False
        self._open()

    def _open(self) -> None:
        self._context = self.profile.open()
        self.backend = self.runner.run(self._context.__aenter__())

    def close(self) -> None:
        self.runner.run(self._context.__aexit__(None, None, None))

    def has(self, feature: str) -> bool:
        return feature not in self.profile.without

    @initialize()
    def create(self) -> None:
        for bucket in self.buckets:
            self.send("CreateBucket", {"Bucket": bucket})

    def teardown(self) -> None:
        """Everything that can be listed or read at the end is the same."""
        try:
            for bucket in [] if self.differs else self.buckets:
                self.compare_all(bucket)
        finally:
            self.close()
            self.runner.close()

    def compare_all(self, bucket: str) -> None:
        if self.has("versions"):
            found = self.send("ListObjectVersions", {"Bucket": bucket, "EncodingType": "url"})
            for entry in found.members.get("Versions") or []:
                self.send("GetObject", {"Bucket": bucket, "Key": entry["Key"], "VersionId": self.known(entry)})
        else:
            found = self.send("ListObjectsV2", {"Bucket": bucket, "EncodingType": "url"})
            for entry in found.members.get("Contents") or []:
                self.send("GetObject", {"Bucket": bucket, "Key": entry["Key"]})

    def known(self, entry: Members) -> Id:
        expected = entry["VersionId"]
        return Id(expected, self.pairs.found(expected))

    def send(self, operation: str, members: Members, body: bytes | None = None) -> Outcome:
        """Sends to both, compares, and returns what the model said. Ids that are new are remembered."""
        expected, found = (
            self.runner.run(self._outcome(operation, members, body, model=model)) for model in (True, False)
        )
        sentence = difference(self.pairs, expected, found, ignored=self.profile.ignored, elements=self.has("elements"))
        self.differs = bool(sentence)
        assert not sentence, f"{operation} {_for_people(members)}: {sentence}"
        version = expected.members.get("VersionId")
        if not expected.code and version and "Key" in members:
            known = (members["Bucket"], members["Key"], Id(version, self.pairs.found(version)))
            if known not in self.versions:
                self.versions.append(known)
        return expected

    async def _outcome(self, operation: str, members: Members, body: bytes | None, *, model: bool) -> Outcome:
        request = codec.build_request(operation, _of_side(members, model))
        if body is not None:
            request.body = body
        return await outcome(self.model if model else self.backend, request)

    def asked(self, members: Members) -> Members:
        """With one mistake at most (which of two an answer names, S3 does not say), or without where those are left out."""
        mistakes = [name for name, value in members.items() if value in WRONG]
        dropped = mistakes[1:] if self.has("errors") else mistakes
        return {name: value for name, value in members.items() if name not in dropped}

    def version_of(self, number: int) -> tuple[str, str, Id] | None:
        """One of the versions that were named, counted from the last."""
        return self.versions[-1 - number % len(self.versions)] if self.versions else None


def _of_side(value: Any, model: bool) -> Any:
    if isinstance(value, Id | Source):
        return value(model)
    if isinstance(value, dict):
        return {name: _of_side(item, model) for name, item in value.items()}
    return [_of_side(item, model) for item in value] if isinstance(value, list) else value


def _for_people(members: Members) -> str:
    text = repr(members)
    return text if len(text) < 500 else f"{text[:500]}..."
