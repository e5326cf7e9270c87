"""The aws command line: the ``s3`` verbs for files, and ``s3api`` for single operations."""

from __future__ import annotations

import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
import urllib3

pytestmark = pytest.mark.peer

MIB = 1 << 20
SMALL_PARTS = "[default]\ns3 =\n  multipart_threshold = 5MB\n  multipart_chunksize = 5MB\n"


@pytest.fixture
def aws_config(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "aws.config"
    path.write_text(SMALL_PARTS)
    return {"AWS_CONFIG_FILE": str(path)}


def _tree(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (1_600_000_000, 1_600_000_000))  # surely older than the object: sync compares whole seconds
    return root


def _read(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _stored(remote: Any, bucket: str) -> dict[str, bytes]:
    listed = remote.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {entry["Key"]: remote.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in listed}


def test_make_and_remove_a_bucket(run: Any, remote: Any) -> None:
    run("aws", "s3", "mb", "s3://made-by-aws-cli")
    assert "made-by-aws-cli" in run("aws", "s3", "ls")
    run("aws", "s3", "cp", "-", "s3://made-by-aws-cli/k", stdin=b"x")
    run("aws", "s3", "rb", "--force", "s3://made-by-aws-cli")
    assert "made-by-aws-cli" not in [entry["Name"] for entry in remote.list_buckets()["Buckets"]]


def test_copy_a_file_from_and_to_streams(run: Any, remote: Any, bucket: str, aws_config: dict[str, str]) -> None:
    data = random.Random(1).randbytes(12 * MIB + 5)
    run("aws", "s3", "cp", "-", f"s3://{bucket}/a b/+stdin", "--content-type", "video/mp4", stdin=data, **aws_config)
    head = remote.head_object(Bucket=bucket, Key="a b/+stdin")
    assert (head["ContentType"], head["ETag"][-3:]) == ("video/mp4", '-3"')
    assert _stored(remote, bucket) == {"a b/+stdin": data}
    digest = hashlib.sha256(data).hexdigest()
    pipe = 'aws s3 cp "$0" - | sha256sum'
    assert run("sh", "-c", pipe, f"s3://{bucket}/a b/+stdin", **aws_config).split()[0] == digest


def test_sync_both_ways(
    run: Any, remote: Any, bucket: str, tmp_path: Path, aws_config: dict[str, str], direct: bool
) -> None:
    # botocore goes wrong after a Go server's answer to an empty body with Expect (its issue 3755): no control for that.
    sizes = [1000 * number for number in range(1 if direct else 0, 9)]
    files = {f"d {size}/é{size}.bin": random.Random(size).randbytes(size) for size in sizes}
    up = _tree(tmp_path / "up", files | {"big": random.Random(9).randbytes(11 * MIB)})
    run("aws", "s3", "sync", "up", f"s3://{bucket}/tree", **aws_config)
    assert _stored(remote, bucket) == {f"tree/{name}": data for name, data in _read(up).items()}
    assert run("aws", "s3", "sync", "up", f"s3://{bucket}/tree", **aws_config) == ""

    run("aws", "s3", "sync", f"s3://{bucket}/tree", "down", **aws_config)
    assert _read(tmp_path / "down") == _read(up)

    (up / "big").unlink()
    (up / "new").write_bytes(b"new")
    run("aws", "s3", "sync", "--delete", "up", f"s3://{bucket}/tree", **aws_config)
    assert _stored(remote, bucket) == {f"tree/{name}": data for name, data in _read(up).items()}
    listing = run("aws", "s3", "ls", "--recursive", "--summarize", f"s3://{bucket}/tree/")
    assert f"Total Objects: {len(sizes) + 1}" in listing


def test_copy_move_and_remove_recursively(run: Any, remote: Any, bucket: str, tmp_path: Path) -> None:
    files = {"one": b"1", "two/three": b"33", "two/four.txt": b"444"}
    _tree(tmp_path / "up", files)
    run("aws", "s3", "cp", "--recursive", "up", f"s3://{bucket}/a")
    run("aws", "s3", "cp", "--recursive", f"s3://{bucket}/a", f"s3://{bucket}/b")  # server-side
    run("aws", "s3", "mv", "--recursive", f"s3://{bucket}/a", f"s3://{bucket}/c", "--exclude", "*.txt")
    expected = {"a/two/four.txt": b"444", "c/one": b"1", "c/two/three": b"33"}
    expected |= {f"b/{name}": data for name, data in files.items()}
    assert _stored(remote, bucket) == expected
    assert "PRE two/" in run("aws", "s3", "ls", f"s3://{bucket}/b/")
    run("aws", "s3", "rm", f"s3://{bucket}/b/one")
    run("aws", "s3", "rm", "--recursive", f"s3://{bucket}/c/")
    assert sorted(_stored(remote, bucket)) == ["a/two/four.txt", "b/two/four.txt", "b/two/three"]


def test_presign(run: Any, remote: Any, bucket: str) -> None:
    remote.put_object(Bucket=bucket, Key="a/b c", Body=b"presigned")
    url = run("aws", "s3", "presign", f"s3://{bucket}/a/b c").strip()
    answer = urllib3.request("GET", url)
    assert (answer.status, answer.data) == (200, b"presigned")


def test_single_operations(run: Any, remote: Any, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(random.Random(2).randbytes(5000))
    name = ("--bucket", bucket, "--key", "folder/k")

    def s3api(operation: str, *options: str | Path) -> dict[str, Any]:
        text = run("aws", "s3api", operation, *options, "--output", "json")
        answer: dict[str, Any] = json.loads(text) if text else {}
        return answer

    put = s3api("put-object", *name, "--body", "body", "--metadata", "a=1,b=two", "--checksum-algorithm", "SHA256")
    head = s3api("head-object", *name, "--checksum-mode", "ENABLED")
    assert head["ChecksumSHA256"] == put["ChecksumSHA256"]
    assert (head["ContentLength"], head["Metadata"]) == (5000, {"a": "1", "b": "two"})
    got = s3api("get-object", *name, "--range", "bytes=100-199", "part")
    assert got["ContentRange"] == "bytes 100-199/5000"
    assert (tmp_path / "part").read_bytes() == (tmp_path / "body").read_bytes()[100:200]
    listed = s3api("list-objects-v2", "--bucket", bucket, "--prefix", "folder/")
    assert [(entry["Key"], entry["Size"]) for entry in listed["Contents"]] == [("folder/k", 5000)]
    s3api("put-object-tagging", *name, "--tagging", "TagSet=[{Key=team,Value=red}]")
    assert s3api("get-object-tagging", *name)["TagSet"] == [{"Key": "team", "Value": "red"}]
    s3api("copy-object", "--bucket", bucket, "--key", "copy", "--copy-source", f"{bucket}/folder/k")
    s3api("delete-object", *name)
    assert [entry["Key"] for entry in remote.list_objects_v2(Bucket=bucket)["Contents"]] == ["copy"]
    run("aws", "s3api", "head-object", *name, code=255)


def test_a_multipart_upload_step_by_step(run: Any, remote: Any, bucket: str, tmp_path: Path) -> None:
    chunks = [random.Random(3).randbytes(5 * MIB), b"rest"]
    name = ("--bucket", bucket, "--key", "k")
    query = ("--output", "text", "--query")
    upload = run("aws", "s3api", "create-multipart-upload", *name, *query, "UploadId").strip()
    parts = []
    for number, chunk in enumerate(chunks, 1):
        (tmp_path / "part").write_bytes(chunk)
        part = ("--upload-id", upload, "--part-number", str(number), "--body", "part")
        etag = run("aws", "s3api", "upload-part", *name, *part, *query, "ETag").strip()
        parts.append({"PartNumber": number, "ETag": etag})
    document = json.dumps({"Parts": parts})
    run("aws", "s3api", "complete-multipart-upload", *name, "--upload-id", upload, "--multipart-upload", document)
    assert _stored(remote, bucket) == {"k": b"".join(chunks)}


def test_transfers_through_the_common_runtime(run: Any, remote: Any, bucket: str, tmp_path: Path) -> None:
    config = tmp_path / "aws.config"
    config.write_text(f"{SMALL_PARTS}  preferred_transfer_client = crt\n")
    data = random.Random(4).randbytes(30 * MIB)
    (tmp_path / "source").write_bytes(data)
    run("aws", "s3", "cp", "source", f"s3://{bucket}/k", AWS_CONFIG_FILE=str(config))
    assert remote.head_object(Bucket=bucket, Key="k")["ContentLength"] == len(data)
    run("aws", "s3", "cp", f"s3://{bucket}/k", "target", AWS_CONFIG_FILE=str(config))
    assert hashlib.sha256((tmp_path / "target").read_bytes()).digest() == hashlib.sha256(data).digest()
