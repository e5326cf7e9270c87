"""What went wrong in other write-back caches and gateways, each as a test of what s3d does in the same place.

`docs/peers-bugs.md` has the whole list, also of what tests elsewhere prove.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import shutil
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import peers
import pytest
from e2e.queued import Queued, linked, queued, refusal, state
from e2e.waiting import wait_until
from fault_proxy import FaultProxy

pytestmark = pytest.mark.peer

MIB = 1 << 20
SETTINGS = {
    "S3D_REMOTE_CONNECT_TIMEOUT": "1s",
    "S3D_REMOTE_RESPONSE_TIMEOUT": "2s",
    "S3D_WRITE_QUEUE_MAX_FILES": "10000",
    "S3D_WRITE_QUEUE_MAX_WAIT": "2s",
    "S3D_WRITE_QUEUE_WORKERS": "4",
}


@pytest.fixture(scope="module")
def queue(seaweedfs: peers.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queued]:
    with linked(seaweedfs, tmp_path_factory.mktemp("bugs"), **SETTINGS) as found:
        yield found


@pytest.fixture
def bucket(queue: Queued, new_bucket_name: Callable[[], str]) -> Iterator[str]:
    """A bucket that the queue knows."""
    yield queue.known_bucket(new_bucket_name())
    queue.proxy.heal()
    queue.proxy.slow()
    queue.proxy.set("pass")
    queue.drained()


def keys(client: Any, bucket: str) -> list[str]:
    return [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


def body_of(client: Any, bucket: str, key: str) -> bytes:
    body: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def rename(client: Any, bucket: str, old: str, new: str) -> None:
    """As S3 clients do it."""
    client.copy_object(Bucket=bucket, Key=new, CopySource={"Bucket": bucket, "Key": old})
    client.delete_object(Bucket=bucket, Key=old)


def test_what_was_accepted_before_the_start_is_whole_and_can_be_deleted(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    """rclone #9876: uploads that were recovered at the start were read as empty, and a delete of them that succeeded did
    not reach the remote. rclone #2364, #5348: with many of them the start waited for the remote."""
    bodies = {f"{number:03}": random.Random(number).randbytes(number * 500) for number in range(300)}
    with queued(seaweedfs, tmp_path / "s3d", proxy, **SETTINGS) as queue:
        bucket = queue.known_bucket(new_bucket_name())
        proxy.set("refuse")
        for key, body in bodies.items():
            queue.client.put_object(Bucket=bucket, Key=key, Body=body)
    proxy.set("silent")
    with queued(seaweedfs, tmp_path / "s3d", proxy, **SETTINGS) as queue:
        assert queue.status()["waiting"] == len(bodies)
        for key in list(bodies)[::7]:
            assert body_of(queue.client, bucket, key) == bodies[key]
            queue.client.delete_object(Bucket=bucket, Key=key)
        proxy.set("pass")
        queue.drained()
        for key in list(bodies)[1::7]:
            assert body_of(queue.client, bucket, key) == bodies[key]
            queue.client.delete_object(Bucket=bucket, Key=key)
        queue.drained()
        left = [key for number, key in enumerate(bodies) if number % 7 > 1]
        assert keys(queue.direct, bucket) == keys(queue.client, bucket) == [*left, "known"]
        assert all(body_of(queue.direct, bucket, key) == bodies[key] for key in left)


def test_neither_age_nor_a_start_takes_what_waits(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    """JuiceFS #6161, #6551, MinIO #13860: the clean-up took bodies that were not uploaded yet for leftovers. rclone #2382:
    what could not be uploaded for long enough was removed."""
    settings = SETTINGS | {"S3D_WRITE_QUEUE_MAX_AGE": "1s"}
    aged = ["the write queue holds operations that are older than S3D_WRITE_QUEUE_MAX_AGE"]
    directory = tmp_path / "s3d"
    bodies = {
        "small": b"small",
        "large": random.Random(1).randbytes(2 * MIB),
        "replaced": random.Random(2).randbytes(MIB),
    }
    part = random.Random(3).randbytes(MIB)
    with queued(seaweedfs, directory, proxy, warnings=aged, **settings) as queue:
        bucket = queue.known_bucket(new_bucket_name())
        proxy.set("closed")
        queue.client.put_object(Bucket=bucket, Key="replaced", Body=b"x" * MIB)
        for key, body in bodies.items():
            queue.client.put_object(Bucket=bucket, Key=key, Body=body)
        upload = {"Bucket": bucket, "Key": "upload"}
        upload["UploadId"] = queue.client.create_multipart_upload(**upload)["UploadId"]
        etag = queue.client.upload_part(**upload, PartNumber=1, Body=part)["ETag"]
        wait_until(lambda: aged[0] in queue.server.output())
    for _ in range(2):
        with queued(seaweedfs, directory, proxy, warnings=aged, **settings) as queue:
            wait_until(lambda: aged[0] in queue.server.output())
            assert {key: body_of(queue.client, bucket, key) for key in bodies} == bodies
            assert [part["ETag"] for part in queue.client.list_parts(**upload)["Parts"]] == [etag]
    proxy.set("pass")
    with queued(seaweedfs, directory, proxy, warnings=aged, **settings) as queue:
        queue.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
        queue.drained()
        expected = {**bodies, "upload": part, "known": b"known"}
        assert {key: body_of(queue.direct, bucket, key) for key in keys(queue.direct, bucket)} == expected


def test_losing_the_directory_deletes_nothing_at_the_remote(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    """SeaweedFS #10811: taking the local side away was taken for deletes of all that the remote had."""
    with queued(seaweedfs, tmp_path / "s3d", proxy, **SETTINGS) as queue:
        bucket = queue.known_bucket(new_bucket_name())
        proxy.set("refuse")
        queue.client.delete_object(Bucket=bucket, Key="known")
        queue.client.put_object(Bucket=bucket, Key="new", Body=b"new")
    shutil.rmtree(tmp_path / "s3d" / "local")
    proxy.set("pass")
    with queued(seaweedfs, tmp_path / "s3d", proxy, **SETTINGS) as queue:
        assert keys(queue.client, bucket) == ["known"]
        queue.client.put_object(Bucket=bucket, Key="after", Body=b"after")
        queue.drained()
        assert keys(queue.direct, bucket) == ["after", "known"]
        lines = [line for line in proxy.requests if line.startswith(b"DELETE ")]
        assert lines == []


def test_renamed_and_deleted_before_it_was_pushed(queue: Queued, bucket: str) -> None:
    """rclone #6809: objects that were renamed, then deleted, came back once the write-back time was over. rclone #9943,
    #4293: what was renamed over an existing object was lost."""
    queue.proxy.set("refuse")
    s3 = queue.client
    for name in ("a", "b", "keep"):
        s3.put_object(Bucket=bucket, Key=f"old/{name}", Body=name.encode())
    for name in ("a", "b", "keep"):
        rename(s3, bucket, f"old/{name}", f"new/{name}")
    for name in ("a", "b"):
        s3.delete_object(Bucket=bucket, Key=f"new/{name}")
    s3.put_object(Bucket=bucket, Key="temporary", Body=b"saved")
    rename(s3, bucket, "temporary", "known")
    queue.proxy.set("pass")
    queue.drained()
    assert keys(queue.direct, bucket) == keys(s3, bucket) == ["known", "new/keep"]
    assert body_of(queue.direct, bucket, "known") == b"saved"


def test_renames_while_it_is_pushed_keep_the_bytes(queue: Queued, bucket: str) -> None:
    """SeaweedFS #11261: a rename of what had been uploaded removed it from the remote and did not write it anew."""
    queue.proxy.slow(delay=0.01)
    body = random.Random(4).randbytes(200_000)
    queue.client.put_object(Bucket=bucket, Key="0", Body=body)
    for number in range(30):
        rename(queue.client, bucket, f"{number}", f"{number + 1}")
        if number % 10 == 9:
            queue.drained()  # then the source is at the remote alone
    assert body_of(queue.client, bucket, "30") == body
    queue.drained()
    assert keys(queue.direct, bucket) == ["30", "known"]
    assert body_of(queue.direct, bucket, "30") == body


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_changed_while_it_is_sent(queue: Queued, bucket: str, *, replaced: bool) -> None:
    """rclone #4293, MinIO #13860: an upload under way met a later change of the same object, and what came of it was
    empty, of the wrong size, or back again after it was deleted."""
    first, second = random.Random(5).randbytes(3 * MIB), random.Random(6).randbytes(MIB)
    at = {"Bucket": bucket, "Key": "k"}
    cuts = queue.proxy.cuts
    queue.proxy.cut("request", 2 * MIB, match=f"PUT /{bucket}/k HTTP", times=1)
    queue.proxy.slow(rate=8_000_000)
    queue.client.put_object(**at, Body=first)
    wait_until(lambda: any(line.startswith(b"PUT /%b/k HTTP" % bucket.encode()) for line in queue.proxy.requests))
    if replaced:
        queue.client.put_object(**at, Body=second)
        assert body_of(queue.client, bucket, "k") == second
    else:
        queue.client.delete_object(**at)
        assert refusal(queue.client.head_object, **at)[1] == 404
    queue.proxy.slow()
    queue.drained()
    assert queue.proxy.cuts == cuts + 1
    assert keys(queue.direct, bucket) == (["k", "known"] if replaced else ["known"])
    if replaced:
        assert body_of(queue.direct, bucket, "k") == second


def test_who_reads_what_is_handed_over_gets_all_of_it(queue: Queued, bucket: str) -> None:
    """JuiceFS #6551: the file of what waited was gone when it was to be read, because it had just been uploaded."""
    queue.pause()
    whole = random.Random(8).randbytes(30 * MIB)
    at = {"Bucket": bucket, "Key": "k"}
    queue.client.put_object(**at, Body=whole)
    answer = queue.client.get_object(**at)
    assert state(answer) == "pending"
    begun = answer["Body"].read(1000)
    queue.resume()
    queue.drained()
    queue.client.delete_object(**at)
    queue.drained()
    assert refusal(queue.client.head_object, **at)[1] == 404
    assert begun + answer["Body"].read() == whole


def seen(client: Any, bucket: str, key: str) -> dict[str, int | None]:
    """What each way to look at an object says of its size; None: there is none."""
    at = {"Bucket": bucket, "Key": key}

    def size(call: Callable[..., Any], **arguments: Any) -> Any:
        with contextlib.suppress(client.exceptions.NoSuchKey):
            try:
                return call(**at, **arguments)
            except client.exceptions.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                    raise
        return None

    got, headed = size(client.get_object), size(client.head_object)
    attributes = size(client.get_object_attributes, ObjectAttributes=["ObjectSize"])
    listed = [
        {entry["Key"]: entry["Size"] for entry in call(Bucket=bucket).get("Contents", [])}.get(key)
        for call in (client.list_objects, client.list_objects_v2)
    ]
    return {
        "get": got and len(got["Body"].read()),
        "head": headed and headed["ContentLength"],
        "attributes": attributes and attributes["ObjectSize"],
        "list": listed[0],
        "list_v2": listed[1],
    }


def test_all_ways_to_see_an_object_agree_at_every_moment(queue: Queued, bucket: str) -> None:
    """MinIO #11367, #10742, rclone #8082: what waited was there for one kind of request and not for others, or vanished
    in the moment in which it was handed over."""
    choose = random.Random(7)
    queue.proxy.slow(delay=0.003)
    for number in range(60):
        key = choose.choice("abc")
        if choose.random() < 0.3:
            queue.client.delete_object(Bucket=bucket, Key=key)
            expected = None
        else:
            expected = choose.choice([number + 1, 70_000 + number])
            queue.client.put_object(Bucket=bucket, Key=key, Body=bytes(expected))
        for _ in range(2):
            found = seen(queue.client, bucket, key)
            assert found == dict.fromkeys(found, expected), (number, key)


@pytest.mark.parametrize("mode", ["closed", "silent"])
def test_an_outage_is_no_absence(queue: Queued, bucket: str, mode: str) -> None:
    """rclone #9530: an object that could not be looked up was taken for deleted, and read as empty."""
    queue.proxy.set(mode)
    at = {"Bucket": bucket, "Key": "known"}
    s3 = queue.client
    calls = {
        s3.get_object: at,
        s3.head_object: at,
        s3.get_object_tagging: at,
        s3.list_objects: {"Bucket": bucket},
        s3.list_objects_v2: {"Bucket": bucket},
    }
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = {call.__name__: pool.submit(refusal, call, **arguments) for call, arguments in calls.items()}
    assert {name: answer.result()[1] for name, answer in answers.items()} == dict.fromkeys(answers, 503)
    queue.proxy.set("pass")
    assert body_of(s3, bucket, "known") == b"known"
    assert keys(s3, bucket) == ["known"]


def test_a_body_that_does_not_arrive_whole_changes_nothing(queue: Queued, bucket: str) -> None:
    """SeaweedFS #4485, s3fs #1310: a write that failed left an empty object behind that looked like a success."""
    queue.proxy.set("refuse")
    queue.client.put_object(Bucket=bucket, Key="k", Body=b"before")
    address = urlsplit(queue.server.url)
    for size in (100, 5 * MIB):
        with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as connection:
            head = f"PUT /{bucket}/k HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {size}\r\n\r\n"
            connection.sendall(head.encode() + bytes(size - 1))
            connection.shutdown(socket.SHUT_WR)
            assert not connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
    wrong = {"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    assert refusal(queue.client.put_object, Bucket=bucket, Key="k", Body=b"x", **wrong)[:2] == ("BadDigest", 400)
    assert refusal(queue.client.put_object, Bucket=bucket, Key="new", Body=b"x", **wrong)[:2] == ("BadDigest", 400)
    assert queue.status()["waiting"] == 1
    assert body_of(queue.client, bucket, "k") == b"before"
    queue.proxy.set("pass")
    queue.drained()
    assert keys(queue.direct, bucket) == ["k", "known"]
    assert body_of(queue.direct, bucket, "k") == b"before"
    assert queue.status()["bytes"] == 0


def test_a_stream_of_new_objects_does_not_hold_up_an_old_one(queue: Queued, bucket: str) -> None:
    """JuiceFS #7558: without an order a block could wait for hours while later ones were uploaded."""
    queue.proxy.slow(rate=3_000_000)
    queue.pause()
    queue.client.put_object(Bucket=bucket, Key="old", Body=bytes(300_000))
    for number in itertools.count():
        queue.client.put_object(Bucket=bucket, Key=f"new/{number}", Body=bytes(30_000))
        if number == 100:
            queue.resume()
        if number > 100 and state(queue.client.head_object(Bucket=bucket, Key="old")) == "remote":
            break
        assert number < 1000
    assert queue.status()["waiting"] > 50
