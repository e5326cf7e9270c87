"""s3cmd: a signing implementation of its own, in both versions, and a metadata header of its own."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.peer

MIB = 1 << 20


@pytest.fixture(params=["v4", "v2"])
def version(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def s3cmd(version: str, run: Any, endpoint: str, credentials: dict[str, str], tmp_path: Path) -> Any:
    host = urlsplit(endpoint).netloc
    settings = {
        "access_key": credentials["aws_access_key_id"],
        "secret_key": credentials["aws_secret_access_key"],
        "bucket_location": credentials["region_name"],
        "host_base": host,
        "host_bucket": host,
        "use_https": "False",
        "signature_v2": str(version == "v2"),
        "multipart_chunk_size_mb": "5",
    }
    path = tmp_path / "s3cfg"
    path.write_text("[default]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    return lambda *arguments, **options: run("s3cmd", "--config", path, *arguments, **options)


def test_the_usual_workflow(s3cmd: Any, version: str, remote: Any, bucket: str, tmp_path: Path, direct: bool) -> None:
    files = {"one": b"1", "d/two three": b"23", "big": random.Random(1).randbytes(11 * MIB)}
    tree = tmp_path / "tree"
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    s3cmd("sync", f"{tree}/", f"s3://{bucket}/t/")
    stored = {entry["Key"] for entry in remote.list_objects_v2(Bucket=bucket)["Contents"]}
    assert stored == {f"t/{name}" for name in files}
    for name, data in files.items():
        assert remote.get_object(Bucket=bucket, Key=f"t/{name}")["Body"].read() == data

    assert f"s3://{bucket}/t/d/two three" in s3cmd("ls", "-r", f"s3://{bucket}")
    s3cmd("get", f"s3://{bucket}/t/big", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == files["big"]
    s3cmd("cp", f"s3://{bucket}/t/one", f"s3://{bucket}/copied")
    s3cmd("mv", f"s3://{bucket}/t/d/two three", f"s3://{bucket}/moved")
    if version == "v4" or not direct:  # SeaweedFS does not take the V2 signature of its ?cors request
        assert "application/octet-stream" in s3cmd("info", f"s3://{bucket}/t/big")
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}/t/")
    assert [entry["Key"] for entry in remote.list_objects_v2(Bucket=bucket)["Contents"]] == ["copied", "moved"]
