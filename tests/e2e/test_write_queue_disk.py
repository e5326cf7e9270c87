"""The queue on a disk that is full, or does not write: what was acknowledged stays, what cannot be is refused with a clear
error, and all goes on when there is room."""

from __future__ import annotations

import contextlib
import random
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peers
import pytest
from e2e.queued import Queued, queued, refusal, state
from e2e.waiting import wait_until
from fault_proxy import FaultProxy
from small_disk import small_disk

pytestmark = pytest.mark.peer

MIB = 1 << 20
FULL = (
    "no room on the disk",
    "the write queue cannot write its journal",
    "the disk is full: no body is accepted until what waits has been pushed, or there is room again",
)
FAILING = ("the disk failed", "the write queue cannot write its journal", "internal error")
SETTINGS = {"S3D_WRITE_QUEUE_MAX_FILES": "10000", "S3D_WRITE_QUEUE_MAX_WAIT": "1s"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 30) as directory:
        yield directory


def fill(queue: Queued, bucket: str, sizes: tuple[int, ...]) -> dict[str, bytes]:
    """Puts objects of each size until none goes in any more. Those that were acknowledged."""
    kept: dict[str, bytes] = {}
    for size in sizes:
        while put(queue, bucket, kept, f"{size}/{len(kept):04}", random.Random(len(kept)).randbytes(size)) == 200:
            pass
    return kept


def put(queue: Queued, bucket: str, kept: dict[str, bytes], key: str, body: bytes) -> int:
    """The status. What is acknowledged is added to ``kept``, what is not has to be refused clearly."""
    try:
        answer = queue.client.put_object(Bucket=bucket, Key=key, Body=body)
    except queue.client.exceptions.ClientError as error:
        code, said = error.response["Error"]["Code"], error.response["ResponseMetadata"]
    else:
        assert state(answer) == "pending"
        kept[key] = body
        return 200
    assert (code, said["HTTPStatusCode"]) in {("SlowDown", 503), ("InternalError", 500)}
    assert code == "InternalError" or int(said["HTTPHeaders"]["retry-after"]) > 0
    status: int = said["HTTPStatusCode"]
    return status


def fill_to_the_last_byte(path: Path) -> None:
    """As another program would."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def there(client: Any, bucket: str) -> dict[str, bytes]:
    """All objects."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def there_are(queue: Queued, bucket: str, objects: dict[str, bytes]) -> bool:
    """Whether they are read here."""
    return {key: queue.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in objects} == objects


@pytest.mark.parametrize("sizes", [(MIB, 60_000, 1), (60_000, 1)], ids=["large", "small"])
def test_a_full_disk(
    seaweedfs: peers.Server,
    proxy: FaultProxy,
    disk: Path,
    tmp_path: Path,
    new_bucket_name: Callable[[], str],
    sizes: tuple[int, ...],
) -> None:
    """Filled by the queue itself while the remote is away: it starts and serves, and makes room when the remote is back."""
    settings = SETTINGS | {"S3D_LOCAL_DIR": str(disk / "local")}
    with queued(seaweedfs, tmp_path / "s3d", proxy, warnings=FULL, **settings) as queue:
        bucket = queue.known_bucket(new_bucket_name())
        proxy.set("refuse")
        kept = fill(queue, bucket, sizes)
        assert len(kept) > 10
        assert there_are(queue, bucket, kept)
        queue.server.process.kill()
        queue.server.process.wait()
    with queued(seaweedfs, tmp_path / "s3d", proxy, warnings=FULL, **settings) as queue:
        assert there_are(queue, bucket, kept)
        proxy.set("pass")
        queue.drained()
        assert there(queue.direct, bucket) == {**kept, "known": b"known"}
        queue.client.put_object(Bucket=bucket, Key="after", Body=bytes(MIB))
        queue.client.delete_object(Bucket=bucket, Key="known")
        queue.drained()
        assert there(queue.direct, bucket) == {**kept, "after": bytes(MIB)}


def test_a_disk_that_others_fill(
    seaweedfs: peers.Server, proxy: FaultProxy, disk: Path, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    """To the last byte; while changes wait and while they are pushed. It goes on once that is gone."""
    settings = SETTINGS | {"S3D_LOCAL_DIR": str(disk / "local")}
    with queued(seaweedfs, tmp_path / "s3d", proxy, warnings=FULL, **settings) as queue:
        bucket = queue.known_bucket(new_bucket_name())
        proxy.set("refuse")
        kept = {f"{size}": bytes(size) for size in (1, 30_000, 70_000, 2 * MIB)}
        for key, body in kept.items():
            queue.client.put_object(Bucket=bucket, Key=key, Body=body)
        fill_to_the_last_byte(disk / "others")
        assert refusal(queue.client.put_object, Bucket=bucket, Key="new", Body=bytes(MIB))[:2] == ("SlowDown", 503)
        proxy.set("pass")
        assert there_are(queue, bucket, kept)
        (disk / "others").unlink()
        queue.drained()
        queue.client.put_object(Bucket=bucket, Key="new", Body=bytes(MIB))
        queue.drained()
        assert there(queue.direct, bucket) == {**kept, "new": bytes(MIB), "known": b"known"}


def test_the_floor_of_the_disk(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    """JuiceFS, MinIO: below it they went on with another meaning of a success. Deletes take no room."""
    bucket = new_bucket_name()
    with queued(seaweedfs, tmp_path / "s3d", proxy, **SETTINGS) as queue:
        queue.known_bucket(bucket)
        proxy.set("refuse")
        queue.client.put_object(Bucket=bucket, Key="waits", Body=b"waits")
    settings = SETTINGS | {"S3D_WRITE_QUEUE_FREE_SPACE": "1000TB"}
    proxy.set("pass")
    with queued(seaweedfs, tmp_path / "s3d", proxy, **settings) as queue:
        code, status, headers = refusal(queue.client.put_object, Bucket=bucket, Key="new", Body=b"new")
        assert (code, status) == ("SlowDown", 503)
        assert int(headers["retry-after"]) > 0
        assert state(queue.client.delete_object(Bucket=bucket, Key="known")) == "pending"
        queue.drained()
        assert there(queue.direct, bucket) == {"waits": b"waits"}


def test_a_disk_that_does_not_write(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    """By a limit for the sizes of files that the process gets while it runs: bodies and database meet it alike."""
    kept: dict[str, bytes] = {}
    with queued(seaweedfs, tmp_path / "s3d", proxy, warnings=FAILING, **SETTINGS) as queue:
        bucket = queue.known_bucket(new_bucket_name())
        proxy.set("refuse")
        for number in range(10):
            key, body = f"{number}", random.Random(number).randbytes(number * 20_000)
            queue.client.put_object(Bucket=bucket, Key=key, Body=body)
            kept[key] = body
        whole = resource.prlimit(queue.server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(queue.server.pid, resource.RLIMIT_FSIZE, (65_536, whole[1]))  # the log has room
        refused = {
            key: put(queue, bucket, kept, key, bytes(size)) for key, size in (("a", 1), ("b", 30_000), ("c", MIB))
        }
        assert refused["c"] == 500
        assert there_are(queue, bucket, kept)
        proxy.set("pass")
        wait_until(lambda: "the write queue cannot write its journal" in queue.server.output() or not queue.counts())
        resource.prlimit(queue.server.pid, resource.RLIMIT_FSIZE, whole)
        queue.drained()
        put(queue, bucket, kept, "after", b"after")
        queue.drained()
        found = there(queue.direct, bucket)
        assert {key: found[key] for key in kept} == kept
        assert found.keys() - kept.keys() <= {"known", "a", "b"}  # who gets 500 cannot know
