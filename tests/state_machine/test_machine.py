"""The machine itself: the model agrees with itself, and a backend that lies is found out."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis.stateful import run_state_machine_as_test
from model.memory import Memory
from state_machine.bucket_rules import BucketRules
from state_machine.machine import Profile, bounded
from state_machine.upload_rules import UploadRules

from s3d.s3.backend import Backend
from s3d.s3.message import S3Request, S3Response


class AllRules(BucketRules, UploadRules):
    """Of a backend that does not restart."""


def test_the_model_agrees_with_itself() -> None:
    memory = Memory()

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Backend]:
        memory.store.last_upload += 1000  # other ids than the other side
        yield memory

    class Twice(AllRules):
        profile = Profile(opened)

    run_state_machine_as_test(Twice, settings=bounded(8))


class Forgetful:
    """Says yes to every third delete and keeps the object."""

    def __init__(self) -> None:
        self.memory, self.deletes = Memory(), 0

    async def __call__(self, request: S3Request) -> S3Response:
        if request.operation == "DeleteObject":
            self.deletes += 1
            if self.deletes % 3 == 0:
                return S3Response(204)
        return await self.memory(request)


def test_a_backend_that_forgets_a_delete_is_found_out() -> None:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Backend]:
        yield Forgetful()

    class Wrong(AllRules):
        profile = Profile(opened)

    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(Wrong, settings=bounded(20, shrink=False))
