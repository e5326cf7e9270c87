"""The AWS SDK for JavaScript v3: over plain HTTP a stream goes as unsigned aws-chunked with the checksum in a trailer."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.peer

DIRECTORY = Path(__file__).parent / "javascript"
ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")


def test_the_usual_workflow(run: Any, remote: Any, endpoint: str, bucket: str, direct: bool) -> None:
    if not (DIRECTORY / "node_modules").is_dir():
        pytest.fail("the SDK is missing: run tools/install_system_packages.sh")
    settings = {"ALGORITHMS": " ".join(ALGORITHMS), "DIRECT": "1" if direct else ""}
    report = json.loads(run("node", DIRECTORY / "client.mjs", endpoint, bucket, **settings))

    assert "STREAMING-UNSIGNED-PAYLOAD-TRAILER aws-chunked" in report["forms"]
    stored = {entry["Key"] for entry in remote.list_objects_v2(Bucket=bucket)["Contents"]}
    assert stored == set(report["objects"])
    computed = 0
    for key, expected in report["objects"].items():
        answer = remote.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        assert hashlib.sha256(answer["Body"].read()).hexdigest() == expected["sha256"], key
        if not direct:  # SeaweedFS keeps the coding of the transfer as one of the object
            assert "ContentEncoding" not in answer, key
        if "algorithm" in expected:
            assert answer[f"Checksum{expected['algorithm']}"] == expected["checksum"], key
            assert (answer["ContentType"], answer["Metadata"]) == ("text/x-js", {"owner": "me"}), key
            computed += 1
    assert computed == 3 * len(ALGORITHMS)
