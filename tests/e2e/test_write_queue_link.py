"""Pushes over a link that breaks where it hurts: in bodies, in answers, for good; each object arrives whole and once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peers
import pytest
from e2e.boto import s3_client
from e2e.queued import Queued, linked, queued, refusal, state
from e2e.waiting import wait_until
from fault_proxy import FaultProxy

pytestmark = pytest.mark.peer

MIB = 1 << 20
SETTINGS = {"S3D_REMOTE_CONNECT_TIMEOUT": "1s", "S3D_WRITE_QUEUE_MAX_WAIT": "1s"}


@pytest.fixture(scope="module")
def queue(seaweedfs: peers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queued]:
    with linked(seaweedfs, tmp_path_factory.mktemp("link"), **SETTINGS) as found:
        yield found


@pytest.fixture
def bucket(queue: Queued, new_bucket_name: Callable[[], str]) -> Iterator[str]:
    """One that keeps versions: what is sent twice shows."""
    yield queue.known_bucket(new_bucket_name(), versions=True)
    queue.proxy.heal()
    queue.proxy.slow()
    queue.proxy.set("pass")


def history(queue: Queued, bucket: str, key: str) -> list[bytes]:
    """Bodies of all versions at the remote, oldest first."""
    page = queue.direct.list_object_versions(Bucket=bucket, Prefix=key)
    versions = [entry["VersionId"] for entry in page.get("Versions", []) if entry["Key"] == key]
    return [_body(queue, bucket, key, version) for version in reversed(versions)]


def _body(queue: Queued, bucket: str, key: str, version: str) -> bytes:
    body: bytes = queue.direct.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read()
    return body


@pytest.mark.parametrize("way", ["request", "answer"])
@pytest.mark.parametrize("after", [1, 400, 100_000, 1_000_000])
def test_a_push_breaks_off(queue: Queued, bucket: str, way: Any, after: int) -> None:
    """In the first line, in the head, in the body of the request; and of its answer, where only the first two are."""
    body = random.Random(after).randbytes(2 * MIB)
    queue.proxy.cut(way, after, match=f"PUT /{bucket}/k", times=2)
    queue.client.put_object(Bucket=bucket, Key="k", Body=body, Metadata={"m": "1"})
    queue.drained()
    assert queue.proxy.cuts > 0 or (way, after) in {("answer", 400), ("answer", 100_000), ("answer", 1_000_000)}
    assert history(queue, bucket, "k") == [body]
    assert queue.direct.head_object(Bucket=bucket, Key="k")["Metadata"] == {"m": "1"}


def test_every_second_answer_is_lost(queue: Queued, bucket: str) -> None:
    """Each put is a version, in order, and none twice. Two that are the same are two."""
    queue.proxy.set("refuse")
    bodies = [b"%d" % (number // 2) for number in range(10)]
    for body in bodies:
        queue.client.put_object(Bucket=bucket, Key="k", Body=body)
    for method in ("PUT", "HEAD", "GET"):
        queue.proxy.cut("answer", 0, match=f"{method} /{bucket}", times=1000, probability=0.4)
    queue.proxy.set("pass")
    queue.drained()
    assert queue.proxy.cuts > 0
    assert history(queue, bucket, "k") == bodies


def test_deletes_between_puts(queue: Queued, bucket: str) -> None:
    queue.proxy.set("refuse")
    expected: list[bytes | None] = []
    for number in range(12):
        if number % 4 == 3:
            queue.client.delete_object(Bucket=bucket, Key="k")
            expected.append(None)
        else:
            queue.client.put_object(Bucket=bucket, Key="k", Body=b"%d" % number)
            expected.append(b"%d" % number)
    queue.proxy.cut("answer", 0, match=f"PUT /{bucket}/k", times=3)
    queue.proxy.cut("answer", 0, match=f"DELETE /{bucket}/k", times=2)
    queue.proxy.set("pass")
    queue.drained()
    assert queue.proxy.cuts >= 5
    assert history(queue, bucket, "k") == [body for body in expected if body is not None]
    markers = queue.direct.list_object_versions(Bucket=bucket, Prefix="k")["DeleteMarkers"]
    assert [entry["IsLatest"] for entry in markers].count(True) == 1
    assert len(markers) == expected.count(None)
    assert refusal(queue.direct.head_object, Bucket=bucket, Key="k")[1] == 404
    assert refusal(queue.client.get_object, Bucket=bucket, Key="k")[:2] == ("NoSuchKey", 404)


def upload_three(s3: Any, bucket: str, key: str) -> list[bytes]:
    """An upload of three parts, completed. The parts."""
    at = {"Bucket": bucket, "Key": key}
    upload = {**at, "UploadId": s3.create_multipart_upload(**at)["UploadId"]}
    bodies = [random.Random(number).randbytes(size) for number, size in enumerate((5 * MIB, 5 * MIB, 2 * MIB))]
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in enumerate(bodies, 1)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    return bodies


def sent(proxy: FaultProxy, bucket: str) -> tuple[int, int]:
    """How often the first two parts were."""
    lines = [line for line in proxy.requests if line.startswith(b"PUT /%b/u?" % bucket.encode())]
    first, second = (sum(b"partNumber=%d" % number in line for line in lines) for number in (1, 2))
    return first, second


def only_the_third_is_tried(proxy: FaultProxy, bucket: str) -> tuple[int, int]:
    """Returns when the others have arrived: it was tried several times, and they were not. How often they were sent."""
    before, cuts = (0, 0), 0

    def is_so() -> bool:
        nonlocal before, cuts
        if sent(proxy, bucket) != before:
            before, cuts = sent(proxy, bucket), proxy.cuts
        return 0 not in before and proxy.cuts > cuts + 4

    wait_until(is_so, seconds=60)
    return before


def test_an_upload_goes_on_at_the_part_where_it_broke(queue: Queued, bucket: str) -> None:
    queue.proxy.cut("request", MIB, match="partNumber=3", times=1000)
    bodies = upload_three(queue.client, bucket, "u")
    before = only_the_third_is_tried(queue.proxy, bucket)
    queue.proxy.heal()
    queue.drained()
    assert sent(queue.proxy, bucket) == before
    assert history(queue, bucket, "u") == [b"".join(bodies)]


@pytest.mark.parametrize("is_complete", [False, True])
def test_killed_in_an_upload(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str], is_complete: bool
) -> None:
    """Parts that have arrived are not sent again, nor is it completed twice."""
    with queued(seaweedfs, tmp_path / "s3d", proxy, **SETTINGS) as queue:
        bucket = queue.known_bucket(new_bucket_name(), versions=True)
        if is_complete:
            proxy.cut("answer", 0, match=f"POST /{bucket}/u?uploadId=", times=1000)
        else:
            proxy.cut("request", MIB, match="partNumber=3", times=1000)
        bodies = upload_three(queue.client, bucket, "u")
        if is_complete:
            wait_until(lambda: proxy.cuts > 0)
        else:
            only_the_third_is_tried(proxy, bucket)
        queue.server.process.kill()
        queue.server.process.wait()
    before = sent(proxy, bucket)
    proxy.heal()
    with queued(seaweedfs, tmp_path / "s3d", proxy, **SETTINGS) as queue:
        queue.drained()
        assert sent(proxy, bucket) == before
        assert history(queue, bucket, "u") == [b"".join(bodies)]
        assert not queue.direct.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_remote_that_says_nothing(queue: Queued, bucket: str) -> None:
    """Nothing that is accepted or served here waits for it."""
    queue.proxy.set("silent")
    for number in range(20):
        assert state(queue.client.put_object(Bucket=bucket, Key=f"{number}", Body=b"%d" % number)) == "pending"
    queue.client.delete_object(Bucket=bucket, Key="0")
    assert queue.client.get_object(Bucket=bucket, Key="1")["Body"].read() == b"1"
    assert refusal(queue.client.head_object, Bucket=bucket, Key="0")[1] == 404
    queue.proxy.set("pass")
    queue.drained()
    assert history(queue, bucket, "19") == [b"19"]
    assert refusal(queue.direct.head_object, Bucket=bucket, Key="0")[1] == 404


def test_a_slow_link_carries_all(queue: Queued, bucket: str) -> None:
    queue.proxy.slow(delay=0.02, rate=4_000_000)
    bodies = {f"{number}": random.Random(number).randbytes(50_000) for number in range(20)}
    for key, body in bodies.items():
        queue.client.put_object(Bucket=bucket, Key=key, Body=body)
    queue.drained()
    assert {key: queue.direct.get_object(Bucket=bucket, Key=key)["Body"].read() for key in bodies} == bodies


def test_what_only_the_remote_can_judge(queue: Queued, bucket: str) -> None:
    """While it is away: 503 with Retry-After, and nothing has changed."""
    queue.proxy.set("refuse")
    s3, at = queue.client, {"Bucket": bucket, "Key": "k"}
    etag = s3.put_object(**at, Body=b"1")["ETag"]
    calls: list[tuple[Any, dict[str, Any]]] = [
        (s3.put_object, {"Body": b"2", "IfMatch": etag}),
        (s3.put_object, {"Body": b"2", "IfMatch": '"other"'}),
        (s3.put_object, {"Body": b"2", "IfNoneMatch": "*"}),
        (s3.delete_object, {"IfMatch": '"other"'}),
        (s3.delete_object, {"VersionId": "null"}),
        (s3.get_object, {"VersionId": "null"}),
        (s3.head_object, {"VersionId": "null"}),
        (s3.get_object_tagging, {"VersionId": "null"}),
        (s3.put_object, {"Body": b"2", "ObjectLockLegalHoldStatus": "ON"}),
        (s3.put_object_legal_hold, {"LegalHold": {"Status": "ON"}}),
        (s3.get_object_acl, {}),
        (s3.put_object_acl, {"ACL": "private"}),
    ]
    for call, arguments in calls:
        _, status, headers = refusal(call, **at, **arguments)
        assert (call.__name__, arguments, status) == (call.__name__, arguments, 503)
        assert int(headers["retry-after"]) > 0
    assert s3.get_object(**at)["Body"].read() == b"1"
    queue.proxy.set("pass")
    queue.drained()
    assert history(queue, bucket, "k") == [b"1"]


def test_a_condition_is_judged_behind_what_waits(queue: Queued, bucket: str) -> None:
    s3, at = queue.client, {"Bucket": bucket, "Key": "k"}
    queue.proxy.slow(delay=0.05)  # so that it does wait
    etag = s3.put_object(**at, Body=b"1")["ETag"]
    assert refusal(s3.put_object, **at, Body=b"2", IfNoneMatch="*")[1] == 412
    answer = s3.put_object(**at, Body=b"3", IfMatch=etag)
    assert state(answer) == "remote"
    s3.delete_object(**at)
    s3.put_object(**at, Body=b"4", IfNoneMatch="*")
    assert queue.direct.get_object(**at)["Body"].read() == b"4"


def test_a_writer_waits_for_room(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    limits = {"S3D_WRITE_QUEUE_MAX_FILES": "2", "S3D_WRITE_QUEUE_MAX_WAIT": "60s"}
    with queued(seaweedfs, tmp_path / "s3d", proxy, **limits) as queue:
        bucket = queue.known_bucket(new_bucket_name())
        proxy.set("closed")
        for key in "12":
            queue.client.put_object(Bucket=bucket, Key=key, Body=key.encode())
        found: list[str | None] = []

        def write() -> None:
            client = s3_client(queue.server.url, read_timeout=60)
            found.append(state(client.put_object(Bucket=bucket, Key="3", Body=b"3")))
            client.close()

        thread = threading.Thread(target=write)
        thread.start()
        thread.join(0.5)
        assert found == []
        assert queue.status()["waiting"] == 2
        proxy.set("pass")
        thread.join()
        assert found == ["pending"]
        queue.drained()
        assert queue.direct.get_object(Bucket=bucket, Key="3")["Body"].read() == b"3"


def test_a_full_queue_says_when_to_come_again_and_harms_nothing(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    limits = {"S3D_WRITE_QUEUE_MAX_SIZE": "1MB", "S3D_WRITE_QUEUE_MAX_WAIT": "100ms"}
    with queued(seaweedfs, tmp_path / "s3d", proxy, **limits) as queue:
        bucket = queue.known_bucket(new_bucket_name())
        proxy.set("refuse")
        s3, at = queue.client, {"Bucket": bucket, "Key": "k"}
        s3.put_object(**at, Body=b"k" * 900_000)
        code, status, headers = refusal(s3.put_object, **at, Body=b"x" * 200_000)
        assert (code, status) == ("SlowDown", 503)
        assert int(headers["retry-after"]) > 0
        assert s3.get_object(**at)["Body"].read() == b"k" * 900_000
        s3.put_object(Bucket=bucket, Key="fits", Body=b"f" * 50_000)
        upload = {**at, "UploadId": s3.create_multipart_upload(**at)["UploadId"]}
        assert refusal(s3.upload_part, **upload, PartNumber=1, Body=b"p" * 2_000_000)[0] == "EntityTooLarge"
        assert refusal(s3.upload_part, **upload, PartNumber=1, Body=b"p" * 200_000)[0] == "SlowDown"
        proxy.set("pass")
        queue.drained()
        etag = s3.upload_part(**upload, PartNumber=1, Body=b"p" * 200_000)["ETag"]
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
        queue.drained()
        assert queue.direct.get_object(**at)["Body"].read() == b"p" * 200_000
        assert queue.status()["bytes"] == 0


def test_what_the_disk_has_damaged(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    """It is neither served nor sent, and stays to be looked at; its neighbours arrive."""
    body = random.Random(5).randbytes(MIB)
    with queued(seaweedfs, tmp_path / "s3d", proxy) as queue:
        bucket = queue.known_bucket(new_bucket_name())
        proxy.set("refuse")
        queue.client.put_object(Bucket=bucket, Key="damaged", Body=body)
        assert peers.stop(queue.server.process) == 75
    (file,) = [
        path for path in (tmp_path / "s3d" / "local").rglob("*") if path.is_file() and path.stat().st_size == MIB
    ]
    file.chmod(0o600)
    with file.open("r+b") as opened:
        opened.seek(500_000)
        opened.write(bytes([body[500_000] ^ 1]))
    damage = ("a body in the write queue is damaged", "internal error")
    with queued(seaweedfs, tmp_path / "s3d", proxy, warnings=damage) as queue:
        assert refusal(queue.client.get_object, Bucket=bucket, Key="damaged")[1] == 500
        queue.client.put_object(Bucket=bucket, Key="sound", Body=body)
        proxy.set("pass")
        queue.pushed()
        assert queue.counts() == {"failed": 1}
        assert queue.direct.get_object(Bucket=bucket, Key="sound")["Body"].read() == body
        assert refusal(queue.direct.head_object, Bucket=bucket, Key="damaged")[1] == 404
        assert refusal(queue.client.get_object, Bucket=bucket, Key="damaged")[1] == 500
