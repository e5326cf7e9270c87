"""The embedded store against the reference model, with restarts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from hypothesis.stateful import rule, run_state_machine_as_test
from state_machine.bucket_rules import BucketRules
from state_machine.machine import Profile, bounded
from state_machine.upload_rules import UploadRules

from s3d.s3.backend import Backend
from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig


class WithRestarts(BucketRules, UploadRules):
    """All rules, and one more."""

    @rule()
    def restart(self) -> None:
        """Everything is as before, uploads too."""
        self.close()
        self._open()
        for bucket in self.buckets:
            self.compare_all(bucket)


def test_the_embedded_store_is_the_model(tmp_path: Path) -> None:
    """One directory for all examples, whose buckets have names of their own."""

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Backend]:
        store = Standalone(StandaloneConfig(directory=tmp_path / "standalone"))
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    class Embedded(WithRestarts):
        profile = Profile(opened)

    run_state_machine_as_test(Embedded, settings=bounded(40))
