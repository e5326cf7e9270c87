"""The embedded store seen from outside: `s3d run` on ``local:``, a boto3 client and raw HTTP, and buckets in it.

Nothing is removed after a test: the directory goes with the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import peers
import pytest
from e2e.boto import s3_client
from e2e.compatibility.raw import Raw


@pytest.fixture(scope="session")
def s3(standalone: peers.Server) -> Iterator[Any]:
    """A boto3 client as an application makes it."""
    client = s3_client(standalone.url, s3={"addressing_style": "path"})
    yield client
    client.close()


@pytest.fixture(scope="session")
def raw(standalone: peers.Server) -> Raw:
    return Raw(standalone.url)


@pytest.fixture
def bucket(s3: Any, new_bucket_name: Callable[[], str]) -> str:
    """A new bucket."""
    name = new_bucket_name()
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    """A new bucket whose versioning is enabled."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket
