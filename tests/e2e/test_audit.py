"""``s3d audit`` and ``s3d status`` as processes, against a daemon with a write queue in front of SeaweedFS, whose objects
others change and whose link fails."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peers
import pytest
from e2e.queued import Queued, queued
from e2e.waiting import wait_until
from fault_proxy import FaultProxy

pytestmark = pytest.mark.peer

S3D = str(peers.BIN / "s3d")
MIB = 1 << 20


@pytest.fixture
def proxy(seaweedfs: peers.Server) -> Iterator[FaultProxy]:
    with FaultProxy(seaweedfs.url).running() as proxy:
        yield proxy


@pytest.fixture
def queue(seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path) -> Iterator[Queued]:
    with queued(seaweedfs, tmp_path / "s3d", proxy) as found:
        yield found


@pytest.fixture
def bucket(queue: Queued, new_bucket_name: Callable[[], str]) -> str:
    return queue.known_bucket(new_bucket_name())


@pytest.fixture
def versioned(queue: Queued, new_bucket_name: Callable[[], str]) -> str:
    return queue.known_bucket(new_bucket_name(), versions=True)


def run(queue: Queued, *arguments: str | bytes, code: int = 0) -> tuple[str, str]:
    """Output and errors of ``s3d``."""
    env = peers.clean_env(S3D_ENDPOINT=queue.server.url, S3D_ADMIN_ENDPOINT=queue.server.extra["admin"])
    done = subprocess.run([S3D, *arguments], capture_output=True, env=env, timeout=120, check=False)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == code, (out, err)
    return out, err


def audited(queue: Queued, *arguments: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """What came out by key; of older versions not."""
    lines = [json.loads(line) for line in run(queue, "audit", "--all", "--json", *arguments, code=code)[0].splitlines()]
    assert "summary" in lines.pop()
    return {entry["key"]: entry for entry in lines if entry["newest"]}


def statuses(queue: Queued, *arguments: str, code: int = 0) -> dict[str, str]:
    return {key: entry["status"] for key, entry in audited(queue, *arguments, code=code).items()}


def upload(client: Any, bucket: str, key: str) -> None:
    """In two parts."""
    begun = client.create_multipart_upload(Bucket=bucket, Key=key)
    at = {"Bucket": bucket, "Key": key, "UploadId": begun["UploadId"]}
    bodies = {1: b"1" * 5 * MIB, 2: b"2"}
    parts = [
        {"PartNumber": number, "ETag": client.upload_part(**at, PartNumber=number, Body=body)["ETag"]}
        for number, body in bodies.items()
    ]
    client.complete_multipart_upload(**at, MultipartUpload={"Parts": parts})


def test_an_audit(queue: Queued, bucket: str) -> None:
    for key in ("same", "gone", "changed", "deleted", "back", "a b/ü", "tagged", "p/1"):
        queue.client.put_object(Bucket=bucket, Key=key, Body=key.encode(), ChecksumAlgorithm="CRC32")
    upload(queue.client, bucket, "upload")
    queue.drained()
    for key in ("deleted", "back"):
        queue.client.delete_object(Bucket=bucket, Key=key)
    queue.drained()
    assert set(statuses(queue).values()) == {"same", "deleted"}
    assert run(queue, "audit", bucket)[0] == ""

    queue.direct.delete_object(Bucket=bucket, Key="gone")
    queue.direct.put_object(Bucket=bucket, Key="changed", Body=b"something else")
    queue.direct.put_object(Bucket=bucket, Key="back", Body=b"x")
    tag_set = {"TagSet": [{"Key": "k", "Value": "v"}]}
    queue.direct.put_object_tagging(Bucket=bucket, Key="tagged", Tagging=tag_set)
    found = audited(queue, bucket, code=1)
    assert {key: entry["status"] for key, entry in found.items()} == {
        **dict.fromkeys(["known", "same", "a b/ü", "tagged", "p/1", "upload"], "same"),
        "gone": "gone",
        "changed": "changed",
        "deleted": "deleted",
        "back": "exists",
    }
    assert {"size", "etag"} <= set(found["changed"]["differs"])
    out, err = run(queue, "audit", bucket, code=1)
    assert [line.split()[0] for line in out.splitlines()] == ["exists", "changed", "gone"]
    assert err == "10 compared: 6 same, 1 deleted, 1 gone, 1 changed, 1 exists\n"
    assert statuses(queue, f"{bucket}/p/") == {"p/1": "same"}


def test_what_is_on_its_way_is_no_difference(queue: Queued, bucket: str) -> None:
    queue.client.put_object(Bucket=bucket, Key="k", Body=b"1")
    queue.drained()
    queue.pause()
    queue.client.put_object(Bucket=bucket, Key="k", Body=b"2")
    assert statuses(queue) == {"known": "same", "k": "skipped"}
    queue.resume()
    queue.drained()
    assert statuses(queue) == {"known": "same", "k": "same"}


def test_versions(queue: Queued, versioned: str) -> None:
    for body in (b"1", b"2", b"3"):
        queue.client.put_object(Bucket=versioned, Key="k", Body=body)
    queue.drained()
    run(queue, "audit", versioned)
    listed = queue.direct.list_object_versions(Bucket=versioned, Prefix="k")["Versions"]
    oldest = next(version for version in listed if version["ETag"] == '"c4ca4238a0b923820dcc509a6f75849b"')
    queue.direct.delete_object(Bucket=versioned, Key="k", VersionId=oldest["VersionId"])
    out, _ = run(queue, "audit", versioned, code=1)
    assert out.startswith(f"gone     {versioned}/k version {oldest['VersionId']}  (pushed ")
    run(queue, "audit", "--newest", versioned)
    queue.direct.delete_object(Bucket=versioned, Key="k")
    out, _ = run(queue, "audit", "--newest", versioned, code=1)
    assert "is still there)" in out


def test_many_pages(queue: Queued, bucket: str) -> None:
    queue.pause()
    for number in range(95):
        queue.client.put_object(Bucket=bucket, Key=f"k{number:03}", Body=b"x")
    queue.resume()
    queue.drained()
    for number in range(95):
        queue.client.delete_object(Bucket=bucket, Key=f"k{number:03}")
        queue.client.put_object(Bucket=bucket, Key=f"l{number:03}", Body=b"x")
    queue.drained()
    found = statuses(queue)
    assert (len(found), set(found.values())) == (191, {"same", "deleted"})


def test_the_remote_is_away(queue: Queued, bucket: str) -> None:
    queue.proxy.set("refuse")
    out, err = run(queue, "audit", bucket, code=2)
    assert out == ""
    assert "The remote is away, so not everything was compared" in err
    queue.proxy.set("pass")
    wait_until(lambda: statuses(queue) == {"known": "same"})


def status(queue: Queued, name: str | bytes, code: int = 0) -> tuple[dict[str, Any], str]:
    """The document, and the errors."""
    out, err = run(queue, "status", "--json", name, code=code)
    return json.loads(out) if out else {}, err


def test_the_status_of_an_object(queue: Queued, bucket: str) -> None:
    queue.client.put_object(Bucket=bucket, Key="k", Body=b"12345")
    queue.drained()
    document, _ = status(queue, f"{bucket}/k")
    assert (document["state"], document["queue"]["state"], document["queue"]["operations"]) == ("remote", "remote", [])
    assert document["queue"]["last_pushed"]["etag"] == document["etag"]
    queue.pause()
    queue.client.put_object(Bucket=bucket, Key="k", Body=b"123456")
    document, _ = status(queue, f"{bucket}/k")
    assert (document["state"], document["size"], document["queue"]["state"]) == ("pending", 6, "pending")
    assert [operation["size"] for operation in document["queue"]["operations"]] == [6]
    assert document["queue"]["last_pushed"]["size"] == 5
    queue.client.delete_object(Bucket=bucket, Key="k")
    document, err = status(queue, f"{bucket}/k", code=1)
    assert "NotFound" in err
    assert (document["queue"]["state"], document["queue"]["deleted"]) == ("pending", True)
    assert "pending (deleted here, not yet at the remote)" in run(queue, "status", f"{bucket}/k", code=1)[0]
    document, _ = status(queue, bucket)
    assert (document["queue"]["waiting"], document["queue"]["versioning"]) == (1, "never")
    assert document["queue"]["oldest_age"] >= 0


def test_the_status_of_an_object_while_the_remote_is_away(queue: Queued, bucket: str) -> None:
    queue.proxy.set("refuse")
    document, err = status(queue, f"{bucket}/known", code=1)
    assert "503" in err or "ServiceUnavailable" in err
    assert (document["queue"]["state"], document["queue"]["last_pushed"]["size"]) == ("remote", 5)
    assert status(queue, f"{bucket}/other", code=1)[0] == {}
    queue.client.put_object(Bucket=bucket, Key="k", Body=b"1")
    wait_until(lambda: status(queue, f"{bucket}/k")[0]["queue"]["operations"][0]["error"])
    document, _ = status(queue, f"{bucket}/k")
    assert document["queue"]["operations"][0]["error"]["code"] == "ServiceUnavailable"
    assert queue.status()["oldest"]["key"] == "k"


@pytest.mark.parametrize("key", [b"a/../b", b"a//b/", b"\xff/.", "ü?x=1".encode()])
def test_the_status_of_any_key(queue: Queued, bucket: str, key: bytes) -> None:
    queue.pause()
    name = bucket.encode() + b"/" + key
    env = peers.clean_env(S3D_ENDPOINT=queue.server.url)
    subprocess.run([S3D, "put", name], input=b"x", env=env, timeout=60, check=True, capture_output=True)
    document, _ = status(queue, name)
    assert [operation["state"] for operation in document["queue"]["operations"]] == ["pending"]
