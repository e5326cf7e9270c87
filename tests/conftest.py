"""Fixtures for every kind of test: real peers (started once, and only when a test asks for them) and bucket names."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import peers
import pytest

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Server]:
    """A real SeaweedFS S3 server."""
    with peers.seaweedfs(tmp_path_factory.mktemp("seaweedfs"), volume_megabytes=16) as server:
        yield server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Server]:
    """A moto server."""
    with peers.moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def gateway(seaweedfs: peers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Server]:
    """`s3d run` in front of SeaweedFS."""
    with peers.s3d(seaweedfs.url, tmp_path_factory.mktemp("s3d")) as server:
        yield server


@pytest.fixture(scope="session")
def gateway_to_moto(moto: peers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Server]:
    """`s3d run` in front of moto."""
    with peers.s3d(moto.url, tmp_path_factory.mktemp("s3d-moto")) as server:
        yield server


@pytest.fixture(scope="session")
def standalone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Server]:
    """`s3d run` on the embedded store."""
    with peers.s3d("local:", tmp_path_factory.mktemp("s3d-standalone")) as server:
        yield server


@pytest.fixture(scope="session")
def gateway_to_standalone(standalone: peers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Server]:
    """`s3d run` in front of `s3d run` on the embedded store."""
    with peers.s3d(standalone.url, tmp_path_factory.mktemp("s3d-before-s3d")) as server:
        yield server


@pytest.fixture
def new_bucket_name() -> Callable[[], str]:
    """Gives names of buckets that no other test of the run uses."""
    return lambda: f"s3d-test-{os.getpid()}-{next(_numbers)}"
