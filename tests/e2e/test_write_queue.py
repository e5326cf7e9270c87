"""The write queue as a process, in front of SeaweedFS, over a link that breaks: what is acknowledged is served, survives,
and arrives as it was sent, in order and once."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peers
import pytest
from e2e.queued import Queued, queued, refusal, state
from e2e.waiting import wait_until
from fault_proxy import FaultProxy

pytestmark = pytest.mark.peer

MIB = 1 << 20


@pytest.fixture(scope="module")
def queue(seaweedfs: peers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queued]:
    with (
        FaultProxy(seaweedfs.url).running() as proxy,
        queued(seaweedfs, tmp_path_factory.mktemp("queue"), proxy) as found,
    ):
        yield found


@pytest.fixture
def bucket(queue: Queued, new_bucket_name: Callable[[], str]) -> Iterator[str]:
    """A bucket that the queue knows."""
    yield queue.known_bucket(new_bucket_name())
    queue.proxy.set("pass")


def keys(client: Any, bucket: str, **arguments: Any) -> list[str]:
    return [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket, **arguments).get("Contents", [])]


def test_while_the_remote_is_away(queue: Queued, bucket: str) -> None:
    queue.proxy.set("refuse")
    s3 = queue.client
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789", Metadata={"m": "1"})
    assert s3.get_object(Bucket=bucket, Key="a", Range="bytes=2-4")["Body"].read() == b"234"
    assert (
        refusal(s3.get_object, Bucket=bucket, Key="a", IfNoneMatch=s3.head_object(Bucket=bucket, Key="a")["ETag"])[1]
        == 304
    )
    s3.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": [{"Key": "t", "Value": "v"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == [{"Key": "t", "Value": "v"}]
    s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a")
    assert s3.head_object(Bucket=bucket, Key="b")["Metadata"] == {"m": "1"}
    s3.delete_object(Bucket=bucket, Key="known")
    assert refusal(s3.get_object, Bucket=bucket, Key="known")[:2] == ("NoSuchKey", 404)
    assert refusal(s3.head_object, Bucket=bucket, Key="known")[1] == 404
    assert refusal(s3.get_object, Bucket=bucket, Key="elsewhere")[1] == 503
    assert refusal(s3.list_objects_v2, Bucket=bucket)[1] == 503
    assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=b"x", IfMatch='"x"')[1] == 503
    assert refusal(s3.put_object, Bucket=f"{bucket}-unknown", Key="a", Body=b"x")[1] == 503
    assert refusal(s3.put_object_tagging, Bucket=bucket, Key="elsewhere", Tagging={"TagSet": []})[1] == 503
    stale = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    assert stale["x-s3d-stale"] == "true"
    queue.proxy.set("pass")
    queue.drained()
    assert keys(queue.direct, bucket) == ["a", "b"]
    assert queue.direct.get_object_tagging(Bucket=bucket, Key="b")["TagSet"] == [{"Key": "t", "Value": "v"}]


def test_a_multipart_upload_from_beginning_to_end_without_the_remote(queue: Queued, bucket: str) -> None:
    queue.proxy.set("refuse")
    s3, at = queue.client, {"Bucket": bucket, "Key": "upload"}
    upload = {**at, "UploadId": s3.create_multipart_upload(**at, Metadata={"m": "1"})["UploadId"]}
    bodies = {3: b"last", 1: random.Random(1).randbytes(5 * MIB), 2: random.Random(2).randbytes(6 * MIB)}
    s3.upload_part(**upload, PartNumber=1, Body=b"to be replaced")
    etags = {number: s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"] for number, body in bodies.items()}
    assert [part["Size"] for part in s3.list_parts(**upload)["Parts"]] == [5 * MIB, 6 * MIB, 4]
    aborted = {**at, "UploadId": s3.create_multipart_upload(**at)["UploadId"]}
    s3.upload_part(**aborted, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(**aborted)
    parts = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    again = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert done["ETag"] == again["ETag"]
    whole = b"".join(bodies[number] for number in sorted(bodies))
    assert s3.get_object(**at)["Body"].read() == whole
    assert s3.get_object(**at, PartNumber=3)["Body"].read() == b"last"
    queue.proxy.set("pass")
    queue.drained()
    found = queue.direct.get_object(**at)
    assert found["Body"].read() == whole
    assert (found["ETag"], found["Metadata"]) == (done["ETag"], {"m": "1"})
    assert not queue.direct.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_order_and_what_is_deleted_stays_so(queue: Queued, bucket: str) -> None:
    queue.proxy.set("refuse")
    for number in range(30):
        key = f"k{number % 3}"
        if number % 5 == 4:
            queue.client.delete_object(Bucket=bucket, Key=key)
        else:
            queue.client.put_object(Bucket=bucket, Key=key, Body=b"%d" % number)
    queue.client.delete_object(Bucket=bucket, Key="k0")
    queue.proxy.set("pass")
    queue.drained()
    assert keys(queue.direct, bucket) == ["k1", "known"]
    assert queue.direct.get_object(Bucket=bucket, Key="k1")["Body"].read() == b"28"


def test_the_process_is_killed(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    bucket = new_bucket_name()
    body = random.Random(3).randbytes(MIB)
    with queued(seaweedfs, tmp_path / "s3d", proxy) as queue:
        queue.direct.create_bucket(Bucket=bucket)
        queue.client.head_bucket(Bucket=bucket)
        queue.client.put_object(Bucket=bucket, Key="first", Body=b"1")
        queue.drained()
        proxy.set("refuse")
        queue.client.put_object(Bucket=bucket, Key="large", Body=body)
        queue.client.put_object(Bucket=bucket, Key="small", Body=b"s")
        queue.client.delete_object(Bucket=bucket, Key="first")
        queue.server.process.kill()
        queue.server.process.wait()
    with queued(seaweedfs, tmp_path / "s3d", proxy) as queue:
        assert queue.client.get_object(Bucket=bucket, Key="large")["Body"].read() == body
        assert refusal(queue.client.head_object, Bucket=bucket, Key="first")[1] == 404
        proxy.set("pass")
        queue.drained()
        assert keys(queue.direct, bucket) == ["large", "small"]
        assert queue.direct.get_object(Bucket=bucket, Key="large")["Body"].read() == body


def test_stopped_with_work_left(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    bucket = new_bucket_name()
    with queued(seaweedfs, tmp_path / "s3d", proxy, S3D_SHUTDOWN_GRACE="20s") as queue:
        queue.direct.create_bucket(Bucket=bucket)
        queue.client.put_object(Bucket=bucket, Key="a", Body=b"a")
        queue.drained()
        proxy.set("refuse")
        queue.client.put_object(Bucket=bucket, Key="b", Body=b"b")
        assert peers.stop(queue.server.process) == 75
        assert '"left":1' in queue.server.output().replace(" ", "")
    proxy.set("pass")
    with queued(seaweedfs, tmp_path / "s3d", proxy, S3D_SHUTDOWN_GRACE="20s") as queue:
        queue.client.put_object(Bucket=bucket, Key="c", Body=b"c")
        assert peers.stop(queue.server.process) == 0
        assert keys(queue.direct, bucket) == ["a", "b", "c"]


def test_without_its_directory_it_is_a_gateway(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    bucket = new_bucket_name()
    for number in range(2):
        with queued(seaweedfs, tmp_path / "s3d", proxy) as queue:
            if not number:
                queue.client.create_bucket(Bucket=bucket)
            queue.client.put_object(Bucket=bucket, Key="a", Body=b"a")
            queue.drained()
            assert queue.client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a"
        shutil.rmtree(tmp_path / "s3d" / "local")


def test_a_full_queue(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    bucket = new_bucket_name()
    limits = {"S3D_WRITE_QUEUE_MAX_FILES": "2", "S3D_WRITE_QUEUE_MAX_SIZE": "1MB", "S3D_WRITE_QUEUE_MAX_WAIT": "300ms"}
    with queued(seaweedfs, tmp_path / "s3d", proxy, **limits) as queue:
        queue.direct.create_bucket(Bucket=bucket)
        large = random.Random(4).randbytes(2 * MIB)
        assert state(queue.client.put_object(Bucket=bucket, Key="large", Body=large)) == "remote"
        queue.client.put_object(Bucket=bucket, Key="0", Body=b"0")
        queue.drained()
        proxy.set("refuse")
        assert refusal(queue.client.put_object, Bucket=bucket, Key="large", Body=large)[1] == 503
        for key in "12":
            queue.client.put_object(Bucket=bucket, Key=key, Body=key.encode())
        assert refusal(queue.client.put_object, Bucket=bucket, Key="3", Body=b"3")[:2] == ("SlowDown", 503)
        queue.client.delete_object(Bucket=bucket, Key="0")  # takes no room
        proxy.set("pass")
        wait_until(lambda: not queue.counts())
        queue.client.put_object(Bucket=bucket, Key="4", Body=b"4")
        queue.drained()
        assert keys(queue.direct, bucket) == ["1", "2", "4", "large"]


def test_what_the_remote_refuses_is_kept_until_somebody_decides(
    standalone: peers.Server, run: Callable[..., str], tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    """In front of an embedded store: SeaweedFS makes the bucket of a PutObject."""
    with (
        FaultProxy(standalone.url).running() as proxy,
        queued(standalone, tmp_path / "s3d", proxy) as queue,
    ):
        bucket = new_bucket_name()
        queue.direct.create_bucket(Bucket=bucket)
        queue.client.put_object(Bucket=bucket, Key="known", Body=b"known")
        queue.drained()
        _refused_and_kept(queue, bucket, run, tmp_path)


def _refused_and_kept(queue: Queued, bucket: str, run: Callable[..., str], tmp_path: Path) -> None:
    queue.proxy.set("refuse")
    for key in ("a", "b"):
        queue.client.put_object(
            Bucket=bucket, Key=key, Body=key.encode(), Metadata={"key": key}, StorageClass="STANDARD"
        )
    for key in keys(queue.direct, bucket):
        queue.direct.delete_object(Bucket=bucket, Key=key)
    queue.direct.delete_bucket(Bucket=bucket)
    queue.proxy.set("pass")
    admin = {"S3D_ADMIN_ENDPOINT": queue.server.extra["admin"]}
    queue.pushed()
    assert queue.counts() == {"failed": 2}
    listed = run("s3d", "queue", "ls", "--state", "failed", **admin)
    assert listed.count("NoSuchBucket") == 2
    assert state(queue.client.head_object(Bucket=bucket, Key="a")) == "failed"
    run("s3d", "queue", "export", tmp_path / "out", f"{bucket}/a", **admin)
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".body", ".json"]
    queue.direct.create_bucket(Bucket=bucket)
    run("s3d", "queue", "drop", "--yes", f"{bucket}/b", **admin)
    run("s3d", "queue", "retry", "--all", **admin)
    run("s3d", "queue", "flush", "--wait", "20", **admin)
    assert keys(queue.direct, bucket) == ["a"]
    assert queue.direct.head_object(Bucket=bucket, Key="a")["Metadata"] == {"key": "a"}


def test_a_remote_that_is_away_gets_one_request_now_and_then(queue: Queued, bucket: str) -> None:
    queue.proxy.set("refuse")
    for number in range(50):
        queue.client.put_object(Bucket=bucket, Key=f"{number}", Body=b"x")
    wait_until(lambda: queue.status()["engine"]["away"] is not None)
    before = queue.proxy.connections
    wait_until(lambda: queue.proxy.connections > before)
    assert queue.proxy.connections - before <= 3
    queue.proxy.set("pass")
    queue.drained()
    assert len(keys(queue.direct, bucket)) == 51
