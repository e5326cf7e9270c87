"""The command line over the reference model instead of a daemon: real verbs, real codec, no socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from model.memory import Memory

from s3d.cli.client import Client
from s3d.cli.main import exit_code
from s3d.s3.errors import RemoteUnreachable
from s3d.s3.message import S3Request, S3Response

BUCKET = "bucket"


@dataclass
class Faults:
    """A Backend around the model that records requests and fails as told."""

    inner: Memory = field(default_factory=Memory)
    requests: list[S3Request] = field(default_factory=list)
    fail: Callable[[S3Request], S3Response | None] = lambda request: None
    """May answer instead of the model, or raise."""
    break_after: list[int] = field(default_factory=list)
    """Bodies of the next answers to GetObject stop after so many bytes."""

    async def __call__(self, request: S3Request) -> S3Response:
        self.requests.append(request)
        instead = self.fail(request)
        if instead is not None:
            return instead
        response = await self.inner(request)
        if request.operation == "GetObject" and self.break_after and isinstance(response.body, bytes):
            response.body = _broken(response.body, self.break_after.pop(0))
        return response

    def operations(self) -> list[str]:
        return [request.operation for request in self.requests]


async def _broken(body: bytes, count: int) -> AsyncGenerator[bytes, None]:
    yield body[:count]
    raise RemoteUnreachable("the remote's answer broke off")


@dataclass
class Shell:
    """Runs command lines and seeds the model."""

    backend: Faults
    capture: Any

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr."""
        self.capture.readouterr()
        code = exit_code(arguments)
        out, err = self.capture.readouterr()
        return code, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape")

    def seed(self, operation: str, body: bytes | None = None, **members: Any) -> dict[str, Any]:
        """Runs one operation on the model."""
        client = Client(self.backend.inner, "memory")
        return asyncio.run(client.call(operation, {"Bucket": BUCKET, **members}, body))

    def put(self, key: str, data: bytes = b"data", **members: Any) -> None:
        self.seed("PutObject", data, Key=key, **members)

    def data(self, key: str) -> bytes:
        return self.backend.inner.store.buckets[BUCKET].objects[key].data

    def keys(self) -> list[str]:
        return sorted(self.backend.inner.store.buckets[BUCKET].objects)


@pytest.fixture
def backend() -> Faults:
    return Faults()


@pytest.fixture
def shell(backend: Faults, monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> Shell:
    @asynccontextmanager
    async def connect(endpoint: str) -> AsyncIterator[Client]:
        yield Client(backend, endpoint, pauses=(0.0, 0.0))

    monkeypatch.setattr("s3d.cli.client.connect", connect)
    found = Shell(backend, capfdbinary)
    found.seed("CreateBucket")
    return found
