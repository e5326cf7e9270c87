"""The embedded store as a process: one at a time, everything there after a restart, and `s3d fsck` on what it left."""

from __future__ import annotations

import contextlib
import hashlib
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peers
import pytest
from e2e.boto import s3_client

MIB = 1 << 20
S3D = str(peers.BIN / "s3d")
BUCKET = "kept"
PART = random.Random(3).randbytes(5 * MIB)


class Store:
    """Daemons on one directory, one after the other."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.directory = root / "store"

    @contextlib.contextmanager
    def running(self, *, warnings: tuple[str, ...] = ()) -> Iterator[tuple[peers.Server, Any]]:
        """The daemon and a client of it."""
        where = f"local:{self.directory}"
        with contextlib.ExitStack() as stack:
            started = peers.s3d(where, self._root, warnings=warnings, S3D_CREATE_BUCKETS=BUCKET)
            daemon = stack.enter_context(started)
            yield daemon, stack.enter_context(contextlib.closing(s3_client(daemon.url)))

    def fsck(self, *options: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        command = [S3D, "fsck", *options, str(self.directory)]
        done = subprocess.run(command, env=peers.clean_env(), capture_output=True, text=True, timeout=120)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def run_on(directory: Path) -> subprocess.CompletedProcess[str]:
    """`s3d run` on a directory, expected to end by itself."""
    endpoints = {"S3D_ENDPOINT": "http://127.0.0.1:0", "S3D_ADMIN_ENDPOINT": "http://127.0.0.1:0"}
    env = peers.clean_env(S3_ENDPOINT=f"local:{directory}", S3D_LOCAL_DIR=f"{directory}-other", **endpoints)
    return subprocess.run([S3D, "run"], env=env, capture_output=True, text=True, timeout=60)


def test_a_second_process_on_the_directory_is_refused(store: Store) -> None:
    with store.running() as (daemon, client):
        second = run_on(store.directory)
        assert (second.returncode, second.stdout) == (1, "")
        assert f"{store.directory} is in use by process {daemon.pid}: stop that first" in second.stderr
        assert "Traceback" not in second.stderr
        client.put_object(Bucket=BUCKET, Key="k", Body=b"the first one goes on")
    with store.running() as (_, client):  # the lock went with its process
        assert client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"the first one goes on"


def fill(client: Any) -> str:
    """One of everything; the id of an upload that is not finished."""
    client.put_object(Bucket=BUCKET, Key="small", Body=b"small", Metadata={"a": "1"}, Tagging="t=1", ContentType="x/y")
    client.put_object(Bucket=BUCKET, Key="large", Body=PART)
    client.put_object(Bucket=BUCKET, Key="odd//../é\x01", Body=b"")
    client.put_object(Bucket=BUCKET, Key="deleted", Body=b"x")
    client.delete_object(Bucket=BUCKET, Key="deleted")
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    parts = []
    for number, data in ((1, PART), (2, b"tail")):
        tag = client.upload_part(Bucket=BUCKET, Key="parts", UploadId=upload, PartNumber=number, Body=data)["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})
    client.complete_multipart_upload(Bucket=BUCKET, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    unfinished: str = client.create_multipart_upload(Bucket=BUCKET, Key="unfinished")["UploadId"]
    client.upload_part(Bucket=BUCKET, Key="unfinished", UploadId=unfinished, PartNumber=1, Body=PART)
    client.create_bucket(Bucket="versions")
    client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    client.put_bucket_tagging(Bucket="versions", Tagging={"TagSet": [{"Key": "team", "Value": "red"}]})
    for body in (b"one", b"two"):
        client.put_object(Bucket="versions", Key="k", Body=body)
    client.delete_object(Bucket="versions", Key="k")
    return unfinished


def seen(client: Any) -> dict[str, Any]:
    """Everything that a client can see of it."""

    def plain(answer: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    found: dict[str, Any] = {"buckets": client.list_buckets()["Buckets"]}
    for bucket in (BUCKET, "versions"):
        found[bucket] = plain(client.list_object_versions(Bucket=bucket))
    for key in ("small", "large", "odd//../é\x01", "parts"):
        answer = client.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        found[key] = plain(answer) | {"Body": hashlib.sha256(answer["Body"].read()).hexdigest()}
    found["tags"] = client.get_object_tagging(Bucket=BUCKET, Key="small")["TagSet"]
    found["tags of the bucket"] = client.get_bucket_tagging(Bucket="versions")["TagSet"]
    found["versioning"] = client.get_bucket_versioning(Bucket="versions")["Status"]
    found["uploads"] = plain(client.list_multipart_uploads(Bucket=BUCKET))["Uploads"]
    return found


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_everything(store: Store, end: signal.Signals) -> None:
    with store.running() as (daemon, client):
        unfinished = fill(client)
        before = seen(client)
        daemon.process.send_signal(end)
        assert daemon.process.wait(30) == (0 if end == signal.SIGTERM else -end)
    with store.running() as (_, client):
        assert seen(client) == before
        assert [version["VersionId"] for version in before["versions"]["Versions"]]
        parts = client.list_parts(Bucket=BUCKET, Key="unfinished", UploadId=unfinished)["Parts"]
        done = {"Parts": [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]}
        upload = {"Bucket": BUCKET, "Key": "unfinished", "UploadId": unfinished}
        client.complete_multipart_upload(**upload, MultipartUpload=done)
        assert client.get_object(Bucket=BUCKET, Key="unfinished")["Body"].read() == PART
    assert store.fsck() == (0, "", f"{store.directory}: no problems\n")


def test_fsck_of_a_store_in_use_is_refused(store: Store) -> None:
    with store.running() as (daemon, _):
        code, out, err = store.fsck()
        assert (code, out) == (2, "")
        assert err.startswith(f"s3d: {store.directory} is in use by process {daemon.pid}")


def bodies(store: Store) -> list[Path]:
    """The files that hold bodies."""
    return [path for path in (store.directory / "bodies").rglob("*") if path.is_file()]


@pytest.mark.parametrize("damage", ["a bit", "the end", "the file"])
def test_fsck_finds_what_the_disk_did(store: Store, damage: str) -> None:
    with store.running() as (_, client):
        client.put_object(Bucket=BUCKET, Key="whole", Body=b"small")
        client.put_object(Bucket=BUCKET, Key="a\nlarge", Body=PART)
    (body,) = bodies(store)
    if damage == "a bit":
        data = bytearray(body.read_bytes())
        data[len(data) // 2] ^= 1
        body.write_bytes(data)
    elif damage == "the end":
        with body.open("r+b") as file:
            file.truncate(len(PART) - 1)
    else:
        body.unlink()
    code, out, err = store.fsck()
    assert (code, err) == (1, f"{store.directory}: 1 problem\n")
    (line,) = out.splitlines()
    assert BUCKET in line
    assert "large" in line
    assert "whole" not in line


def test_fsck_takes_away_what_belongs_to_nothing(store: Store) -> None:
    with store.running() as (_, client):
        client.put_object(Bucket=BUCKET, Key="k", Body=PART)
    (body,) = bodies(store)
    orphan = body.with_name("0" * len(body.name))
    orphan.write_bytes(b"nobody's")
    assert store.fsck()[0] == 1
    assert orphan.exists(), "looking changes nothing"
    store.fsck("--repair")
    assert not orphan.exists()
    assert store.fsck()[0] == 0
    with store.running() as (_, client):
        assert client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == PART
