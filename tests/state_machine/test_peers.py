"""The reference model against real servers, in what those do as S3 does: a model that only agrees with itself proves
nothing. What each server does otherwise is left out here and named in tests/conformance/capabilities.py."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import peers
import pytest
from hypothesis.stateful import run_state_machine_as_test
from peers import ACCESS_KEY, REGION, SECRET_KEY
from state_machine.bucket_rules import BucketRules
from state_machine.machine import Profile, bounded
from state_machine.material import PLAIN_KEYS
from state_machine.upload_rules import UploadRules

from s3d.remote.backend import Remote
from s3d.remote.config import RemoteConfig
from s3d.remote.credentials import Static
from s3d.s3.backend import Backend
from s3d.s3.sigv4 import Credentials

pytestmark = pytest.mark.peer
BODIES = (b"x", b"0123456789", b"0123456789" * 7_000)
NOT_EVERYWHERE = frozenset(
    {
        "ListMultipartUploads",
        "attributes",
        "buckets",
        "checksums",
        "configurations",
        "copies of versions",
        "copy options",
        "delete conditions",
        "elements",
        "errors",
        "part copies",
        "part pages",
        "read options",
        "suspended",
        "write conditions",
    }
)
"""Features that neither has as S3 has them."""
NEW = frozenset({"AccessPointAlias", "ChecksumAlgorithm", "ChecksumCRC64NVME", "ChecksumType"})
"""What S3 says by itself since it gives every object a checksum, and servers do not."""


class AllRules(BucketRules, UploadRules):
    """Those that a profile does not leave out."""


def _opener(url: str) -> Callable[[], AbstractAsyncContextManager[Backend]]:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Backend]:
        config = RemoteConfig(endpoint=url, region=REGION)
        async with Remote(config, Static(Credentials(ACCESS_KEY, SECRET_KEY))) as remote:
            yield remote

    return opened


def test_the_model_is_like_seaweedfs(seaweedfs: peers.Server) -> None:
    class SeaweedFs(AllRules):
        profile = Profile(
            _opener(seaweedfs.url),
            keys=PLAIN_KEYS,
            bodies=BODIES,
            delimiters=("", "/"),
            without=NOT_EVERYWHERE | {"ListObjectVersions", "markers by id", "tags"},
            ignored=NEW
            | {
                "ContentType",
                "CopyObjectResult",
                "CopySourceVersionId",
                "EncodingType",
                "Initiator",
                "MaxParts",
                "NextPartNumberMarker",
                "Owner",
                "StartAfter",
            },
        )

    run_state_machine_as_test(SeaweedFs, settings=bounded(8, steps=20, repeatable=True))


def test_the_model_is_like_moto(moto: peers.Server) -> None:
    class Moto(AllRules):
        profile = Profile(
            _opener(moto.url),
            keys=PLAIN_KEYS,
            bodies=BODIES,
            without=NOT_EVERYWHERE | {"ListObjectVersions", "ListObjects", "quiet", "tags", "versions"},
            ignored=NEW | {"StartAfter", "VersionId"},
        )

    run_state_machine_as_test(Moto, settings=bounded(8, steps=20, repeatable=True))
