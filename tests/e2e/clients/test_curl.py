"""curl with its own Signature Version 4, and with bodies of its own forms: chunked transfer coding, Expect, ranges."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.peer

MIB = 1 << 20


@pytest.fixture
def curl(run: Any, credentials: dict[str, str]) -> Any:
    sign = ("--aws-sigv4", f"aws:amz:{credentials['region_name']}:s3")
    user = ("--user", f"{credentials['aws_access_key_id']}:{credentials['aws_secret_access_key']}")
    unsigned = ("--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
    return lambda *arguments: run("curl", "--silent", "--show-error", "--fail", *sign, *user, *unsigned, *arguments)


def test_put_get_range_and_delete(curl: Any, remote: Any, endpoint: str, bucket: str, tmp_path: Path) -> None:
    data = random.Random(1).randbytes(5 * MIB)
    (tmp_path / "source").write_bytes(data)
    url = f"{endpoint}/{bucket}/folder/k"
    curl("--upload-file", "source", "--expect100-timeout", "30", url)
    assert remote.get_object(Bucket=bucket, Key="folder/k")["Body"].read() == data
    curl("--output", "got", url)
    assert (tmp_path / "got").read_bytes() == data
    curl("--output", "part", "--range", "1000-1999", url)
    assert (tmp_path / "part").read_bytes() == data[1000:2000]
    assert f"Content-Length: {len(data)}".lower() in curl("--head", url).lower()
    curl("--request", "DELETE", url)
    assert "Contents" not in remote.list_objects_v2(Bucket=bucket)


def test_a_pipe_with_chunked_transfer_coding(
    run: Any, remote: Any, endpoint: str, bucket: str, credentials: dict[str, str], tmp_path: Path
) -> None:
    data = random.Random(2).randbytes(3 * MIB)
    (tmp_path / "source").write_bytes(data)
    sign = ("--aws-sigv4", f"aws:amz:{credentials['region_name']}:s3")
    user = ("--user", f"{credentials['aws_access_key_id']}:{credentials['aws_secret_access_key']}")
    pipe = 'cat source | curl --silent --show-error --fail "$@"'
    unsigned = ("--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
    run("sh", "-c", pipe, "sh", *sign, *user, *unsigned, "--upload-file", "-", f"{endpoint}/{bucket}/k")
    assert remote.get_object(Bucket=bucket, Key="k")["Body"].read() == data
