"""The read cache in front of a real server: what it costs there, what clients see, what outages and damage do."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import peers
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from e2e.cached import Cached, cached, said
from e2e.queued import queued
from e2e.waiting import wait_until
from fault_proxy import FaultProxy

pytestmark = pytest.mark.peer

MIB = 1 << 20
BLOCK = 1 << 16
HEADERS = 600
"""Bytes of the head of an answer, roughly."""
DAMAGED = (
    "blocks of the cache are damaged, and are fetched again",
    "a file of the cache cannot be read, and is fetched again",
    "an object in the cache is damaged and is fetched again",
)


def asked_for(proxy: FaultProxy, key: str, since: int) -> list[bytes]:
    """Methods of the requests for an object. Others ask for the tags of its bucket."""
    asked = [line.split()[:2] for line in proxy.requests[since:]]
    return [method for method, path in asked if path.partition(b"?")[0].endswith(b"/" + key.encode())]


@pytest.fixture
def cache(seaweedfs: peers.Server, tmp_path: Path, proxy: FaultProxy) -> Iterator[Cached]:
    with cached(seaweedfs, tmp_path, proxy) as found:
        yield found


@pytest.fixture
def bucket(cache: Cached) -> str:
    name = f"cache-{uuid.uuid4().hex[:12]}"
    cache.direct.create_bucket(Bucket=name)
    return name


def test_many_cold_readers_cost_one_transfer(cache: Cached, bucket: str) -> None:
    body = os.urandom(50 * MIB)
    cache.direct.put_object(Bucket=bucket, Key="k", Body=body)
    expected = hashlib.md5(body, usedforsecurity=False).hexdigest()

    def read(_: int) -> str:
        return hashlib.md5(cache.get(bucket, "k")[0], usedforsecurity=False).hexdigest()

    with ThreadPoolExecutor(100) as readers:
        assert set(readers.map(read, range(100))) == {expected}
    assert len(body) <= cache.received() <= len(body) + 20 * HEADERS
    assert [line for line in cache.proxy.requests if b"?tagging" not in line] == [
        b"GET /%s/k HTTP/1.1" % bucket.encode()
    ]


def test_random_reads_cost_their_blocks(cache: Cached, bucket: str) -> None:
    body = os.urandom(64 * MIB)
    cache.direct.put_object(Bucket=bucket, Key="k", Body=body)
    chosen = random.Random(1)
    blocks: set[int] = set()
    for _ in range(200):
        start = chosen.randrange(len(body) - BLOCK)
        found, _ = cache.get(bucket, "k", Range=f"bytes={start}-{start + BLOCK - 1}")
        assert found == body[start : start + BLOCK]
        blocks.update((start // BLOCK, (start + BLOCK - 1) // BLOCK))
    assert cache.received() <= len(blocks) * BLOCK + 400 * HEADERS
    assert cache.status()["bytes"] == len(blocks) * BLOCK


def test_a_confirmation_costs_one_request(seaweedfs: peers.Server, tmp_path: Path, proxy: FaultProxy) -> None:
    with cached(seaweedfs, tmp_path, proxy, S3D_READ_CACHE_MAX_AGE="0") as cache:
        name = f"cache-{uuid.uuid4().hex[:12]}"
        cache.direct.create_bucket(Bucket=name)
        cache.direct.put_object(Bucket=name, Key="k", Body=b"x" * MIB)
        assert cache.get(name, "k") == (b"x" * MIB, "MISS")
        before, received = len(proxy.requests), cache.received()
        for _ in range(3):
            assert cache.get(name, "k") == (b"x" * MIB, "REVALIDATED")
        assert asked_for(proxy, "k", before) == [b"HEAD"] * 3
        assert cache.received() - received < (len(proxy.requests) - before) * HEADERS
        cache.direct.put_object(Bucket=name, Key="k", Body=b"another writer")
        assert cache.get(name, "k") == (b"another writer", "MISS")
        cache.direct.delete_object(Bucket=name, Key="k")
        with pytest.raises(ClientError, match="NoSuchKey"):
            cache.get(name, "k")


def test_an_outage(seaweedfs: peers.Server, tmp_path: Path, proxy: FaultProxy) -> None:
    with cached(seaweedfs, tmp_path, proxy, S3D_READ_CACHE_MAX_AGE="0") as cache:
        name = f"cache-{uuid.uuid4().hex[:12]}"
        cache.direct.create_bucket(Bucket=name)
        for key in ("k", "other"):
            cache.direct.put_object(Bucket=name, Key=key, Body=key.encode() * MIB)
        assert cache.get(name, "k")[1] == "MISS"
        cache.get(name, "other", Range="bytes=0-9")
        proxy.set("closed")
        assert cache.get(name, "k") == (b"k" * MIB, "STALE")
        assert cache.get(name, "other", Range="bytes=1-5") == (b"thero", "STALE")
        for missing, key in (({}, "other"), ({}, "nothing"), ({"Range": f"bytes={3 * MIB}-"}, "other")):
            with pytest.raises(ClientError) as refused:
                cache.get(name, key, **missing)
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        proxy.set("pass")
        wait_until(lambda: cache.get(name, "k")[1] == "REVALIDATED", seconds=20)
        assert cache.get(name, "other")[0] == b"other" * MIB


def test_a_link_that_breaks_in_the_middle(cache: Cached, bucket: str) -> None:
    body = os.urandom(8 * MIB)
    cache.direct.put_object(Bucket=bucket, Key="k", Body=body)
    cache.proxy.cut("answer", 3 * MIB, match="GET /", times=2)
    assert cache.get(bucket, "k") == (body, "MISS")
    assert cache.proxy.cuts == 2
    assert cache.get(bucket, "k") == (body, "HIT")


def test_a_version_that_changes_in_the_middle_is_never_mixed(cache: Cached, bucket: str) -> None:
    old, new = os.urandom(8 * MIB), os.urandom(8 * MIB)
    cache.direct.put_object(Bucket=bucket, Key="k", Body=old)
    assert cache.get(bucket, "k", Range=f"bytes=0-{MIB - 1}")[0] == old[:MIB]
    cache.direct.put_object(Bucket=bucket, Key="k", Body=new)
    try:
        found, _ = cache.get(bucket, "k")
    except Exception:  # an answer that had begun is broken off
        found, _ = cache.get(bucket, "k")
    assert found == new


def test_changes_take_effect_at_once(cache: Cached, bucket: str) -> None:
    cache.client.put_object(Bucket=bucket, Key="k", Body=b"one", ContentType="a/b", Metadata={"m": "1"})
    assert cache.get(bucket, "k")[0] == b"one"
    assert cache.get(bucket, "k") == (b"one", "HIT")
    cache.client.put_object(Bucket=bucket, Key="k", Body=b"two")
    assert cache.get(bucket, "k")[0] == b"two"
    cache.client.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/k", MetadataDirective="REPLACE", Metadata={})
    assert cache.client.head_object(Bucket=bucket, Key="k")["Metadata"] == {}
    cache.client.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert (
        cache.client.head_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPHeaders"]["x-amz-tagging-count"]
        == "1"
    )
    cache.client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    with pytest.raises(ClientError, match="NoSuchKey"):
        cache.get(bucket, "k")
    cache.client.put_object(Bucket=bucket, Key="k", Body=b"three")
    assert cache.get(bucket, "k")[0] == b"three"


def test_what_is_written_is_not_fetched(cache: Cached, bucket: str) -> None:
    body = os.urandom(5 * MIB)
    cache.client.put_object(Bucket=bucket, Key="k", Body=body, ContentType="a/b", Metadata={"m": "1"})
    answer = cache.client.get_object(Bucket=bucket, Key="k")
    assert answer["Body"].read() == body
    assert (said(answer), answer["ContentType"], answer["Metadata"]) == ("REVALIDATED", "a/b", {"m": "1"})
    assert cache.received() < 10 * HEADERS


def test_a_multipart_upload_is_not_fetched(cache: Cached, bucket: str) -> None:
    body = os.urandom(21 * MIB + 5)
    cache.client.upload_fileobj(io.BytesIO(body), bucket, "k", Config=TransferConfig(multipart_chunksize=5 * MIB))
    before, requests = cache.received(), len(cache.proxy.requests)
    assert cache.get(bucket, "k") == (body, "REVALIDATED")
    assert cache.get(bucket, "k", Range="bytes=7000000-7000009") == (body[7000000:7000010], "HIT")
    assert asked_for(cache.proxy, "k", requests) == [b"HEAD"]
    assert cache.received() - before < 10 * HEADERS


def test_what_the_queue_pushed_is_not_fetched(seaweedfs: peers.Server, tmp_path: Path, proxy: FaultProxy) -> None:
    settings = {"S3D_READ_CACHE": "on", "S3D_READ_CACHE_FREE_SPACE": "0"}
    with queued(seaweedfs, tmp_path, proxy, **settings) as queue:
        name = queue.known_bucket(f"cache-{uuid.uuid4().hex[:12]}")
        body = os.urandom(5 * MIB)
        queue.client.put_object(Bucket=name, Key="k", Body=body)
        config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
        queue.client.upload_fileobj(io.BytesIO(body * 3), name, "parts", Config=config)
        queue.drained()
        before, requests = proxy.bytes["answer"], len(proxy.requests)
        proxy.set("closed")
        answer = queue.client.get_object(Bucket=name, Key="k")
        assert (answer["Body"].read(), said(answer)) == (body, "STALE")
        proxy.set("pass")
        assert queue.client.get_object(Bucket=name, Key="k")["Body"].read() == body
        time.sleep(1.5)  # for a moment after a failure the remote is not asked
        answer = queue.client.get_object(Bucket=name, Key="parts")
        assert (answer["Body"].read(), said(answer)) == (body * 3, "REVALIDATED")
        assert asked_for(proxy, "parts", requests) == [b"HEAD"]
        assert proxy.bytes["answer"] - before < 40 * HEADERS


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_it_survives_a_restart(seaweedfs: peers.Server, tmp_path: Path, proxy: FaultProxy, end: signal.Signals) -> None:
    name = f"cache-{uuid.uuid4().hex[:12]}"
    bodies = {"small": b"small", "large": os.urandom(3 * MIB + 5)}
    with cached(seaweedfs, tmp_path, proxy) as cache:
        cache.direct.create_bucket(Bucket=name)
        for key, body in bodies.items():
            cache.direct.put_object(Bucket=name, Key=key, Body=body)
            assert cache.get(name, key) == (body, "MISS")
        wait_until(lambda: cache.get(name, "large")[1] == "HIT")
        rows = cache.status()["files"]
        assert rows == 2
        if end == signal.SIGKILL:
            wait_until(lambda: _listed(cache, name) == set(bodies))
            cache.server.process.kill()
            cache.server.process.wait()
    proxy.set("closed")
    with cached(seaweedfs, tmp_path, proxy) as cache:
        for key, body in bodies.items():
            assert cache.get(name, key) == (body, "HIT")


def _listed(cache: Cached, bucket: str) -> set[str]:
    """Keys that are whole, as the database has them."""
    with urllib.request.urlopen(f"{cache.server.extra['admin']}/cache?bucket={bucket}", timeout=20) as answer:
        entries = json.load(answer)["entries"]
    return {entry["key"] for entry in entries if entry["cached"] == entry["size"]}


def _flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(70_000)
        byte = file.read(1)
        file.seek(70_000)
        file.write(bytes([byte[0] ^ 1]))


@pytest.mark.parametrize("harm", [_flip, Path.unlink, lambda path: os.truncate(path, 100_000)])
def test_damage_is_fetched_again(
    seaweedfs: peers.Server, tmp_path: Path, proxy: FaultProxy, harm: Callable[[Path], None]
) -> None:
    with cached(seaweedfs, tmp_path, proxy, warnings=DAMAGED) as cache:
        name = f"cache-{uuid.uuid4().hex[:12]}"
        cache.direct.create_bucket(Bucket=name)
        body = os.urandom(3 * MIB)
        cache.direct.put_object(Bucket=name, Key="k", Body=body)
        assert cache.get(name, "k") == (body, "MISS")
        (file,) = [path for path in (tmp_path / "local" / "read_cache" / "blocks").glob("*/*") if path.is_file()]
        harm(file)
        for _ in range(2):
            assert cache.get(name, "k")[0] == body
        assert cache.get(name, "k") == (body, "HIT")


def test_a_damaged_database_begins_empty(seaweedfs: peers.Server, tmp_path: Path, proxy: FaultProxy) -> None:
    name = f"cache-{uuid.uuid4().hex[:12]}"
    with cached(seaweedfs, tmp_path, proxy) as cache:
        cache.direct.create_bucket(Bucket=name)
        cache.direct.put_object(Bucket=name, Key="k", Body=b"body")
        cache.get(name, "k")
    (tmp_path / "local" / "read_cache" / "cache.db").write_bytes(os.urandom(100_000))
    lost = ("the cache begins empty: its database cannot be used",)
    with cached(seaweedfs, tmp_path, proxy, warnings=lost) as cache:
        assert cache.get(name, "k") == (b"body", "MISS")
        assert cache.get(name, "k") == (b"body", "HIT")


def test_limits(seaweedfs: peers.Server, tmp_path: Path, proxy: FaultProxy) -> None:
    with cached(seaweedfs, tmp_path, proxy, S3D_READ_CACHE_MAX_SIZE="4MiB") as cache:
        name = f"cache-{uuid.uuid4().hex[:12]}"
        cache.direct.create_bucket(Bucket=name)
        for number in range(10):
            cache.direct.put_object(Bucket=name, Key=f"k{number}", Body=bytes([number]) * MIB)
        for number in range(10):
            assert cache.get(name, f"k{number}") == (bytes([number]) * MIB, "MISS")
            assert cache.status()["bytes"] <= 4 * MIB
        cache.direct.put_object(Bucket=name, Key="large", Body=b"l" * 5 * MIB)
        answer = cache.client.get_object(Bucket=name, Key="large")
        assert answer["Body"].read() == b"l" * 5 * MIB
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        assert (headers["x-s3d-cache"], headers["x-s3d-cache-reason"]) == ("BYPASS", "size")

        def on_disk() -> int:
            files = (tmp_path / "local" / "read_cache" / "blocks").glob("*/*")
            return sum(path.stat().st_size for path in files if path.is_file())

        wait_until(lambda: on_disk() <= 4 * MIB)


def test_the_command_line(cache: Cached, bucket: str) -> None:
    for key in ("a/1", "a/2", "b"):
        cache.direct.put_object(Bucket=bucket, Key=key, Body=key.encode())
        cache.get(bucket, key)

    def s3d(*arguments: str) -> str:
        command = [str(peers.BIN / "s3d"), *arguments, "--admin-endpoint", cache.server.extra["admin"]]
        done = subprocess.run(command, env=peers.clean_env(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    wait_until(lambda: len(s3d("cache", "ls").splitlines()) == 3)
    assert [line.split()[-1] for line in s3d("cache", "ls", f"{bucket}/a/").splitlines()] == [
        f"{bucket}/a/1",
        f"{bucket}/a/2",
    ]
    assert json.loads(s3d("cache", "stat", "--json"))["files"] == 3
    assert "files" in s3d("cache", "stat")
    shown = json.loads(s3d("status", f"{bucket}/b", "--json", "--endpoint", cache.server.url))
    assert shown["cache"]["ranges"] == [[0, 0]]
    assert s3d("cache", "purge", f"{bucket}/a/") == "2 removed\n"
    assert json.loads(s3d("cache", "purge", "--all", "--json")) == {"done": 1}
    assert s3d("cache", "ls") == ""
    assert s3d("cache", "warm", f"{bucket}/a/") == "2 fetched (6 bytes), 0 were here\n"
    assert json.loads(s3d("cache", "warm", bucket, "--since", "1h", "--json"))["here"] == 2
    assert s3d("cache", "warm", bucket, "--since", "2099-01-01") == "0 fetched (0 bytes), 0 were here\n"
    assert cache.get(bucket, "a/1") == (b"a/1", "HIT")
    s3d("cache", "pin", f"{bucket}/a/")
    assert s3d("cache", "pins") == f"command  {bucket}/a/\n"
    cache.direct.put_object(Bucket=bucket, Key="a/1", Body=b"new")
    s3d("cache", "unpin", f"{bucket}/a/")
    assert s3d("cache", "pins", "--json") == ""


def test_what_the_command_line_cannot_do(cache: Cached, bucket: str, proxy: FaultProxy) -> None:
    def s3d(*arguments: str) -> str:
        command = [str(peers.BIN / "s3d"), *arguments, "--admin-endpoint", cache.server.extra["admin"]]
        done = subprocess.run(command, env=peers.clean_env(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 1, done.stdout
        return done.stderr

    assert "not pinned" in s3d("cache", "unpin", f"{bucket}/a/")
    assert "no-such-bucket: The specified bucket does not exist" in s3d("cache", "warm", "no-such-bucket")
    cache.direct.put_object(Bucket=bucket, Key="k", Body=b"k")
    proxy.set("closed")
    assert "came to no end" in s3d("cache", "warm", bucket)


def test_a_tag_of_the_remote_pins(seaweedfs: peers.Server, tmp_path: Path, proxy: FaultProxy) -> None:
    """Its object is there and fresh though nobody reads it again."""
    with cached(seaweedfs, tmp_path, proxy, S3D_READ_CACHE_MAX_AGE="20s") as cache:
        name = f"cache-{uuid.uuid4().hex[:12]}"
        cache.direct.create_bucket(Bucket=name)
        cache.direct.put_object(Bucket=name, Key="k", Body=b"one", Tagging="s3d.cache=pin")
        assert cache.get(name, "k") == (b"one", "MISS")
        wait_until(lambda: cache.status()["pins"] == 1)
        cache.direct.put_object(Bucket=name, Key="k", Body=b"two", Tagging="s3d.cache=pin")
        wait_until(lambda: cache.get(name, "k") == (b"two", "HIT"), seconds=30)
