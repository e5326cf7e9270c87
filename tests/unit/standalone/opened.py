"""Fixtures of tests that end with the rule that nothing is left over: `leaks`. A test file takes them by their names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from unit.standalone.leaks import leaks

from s3d.standalone.backend import Standalone
from s3d.standalone.config import StandaloneConfig
from s3d.standalone.store import Store

BUCKET = "bucket"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Of the store."""
    return tmp_path / "store"


@pytest.fixture
async def backend(directory: Path) -> AsyncIterator[Standalone]:
    """Open, with one empty bucket. Afterwards it is closed and looked at for leaks."""
    backend = Standalone(StandaloneConfig(directory, buckets=(BUCKET,)))
    await backend.open()
    yield backend
    await backend.close()
    await asyncio.get_running_loop().shutdown_default_executor()  # threads that put away what was given up
    assert leaks(directory) == []


@pytest.fixture
def store(backend: Standalone) -> Store:
    """What is open."""
    return backend._store
