"""An open store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conformance.calling import call

from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[Standalone]:
    """Without buckets."""
    backend = Standalone(StandaloneConfig(tmp_path / "store"))
    await backend.open()
    yield backend
    await backend.close()


@pytest.fixture
async def bucket(backend: Standalone) -> str:
    """The name of its one bucket, which is in us-east-1 and never had versions."""
    await call(backend, "CreateBucket", {"Bucket": "bucket"})
    return "bucket"
