"""rclone with its S3 back-end, provider "Other": every object is written with its modification time as metadata."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.peer

MIB = 1 << 20


@pytest.fixture
def rclone(run: Any, endpoint: str, credentials: dict[str, str]) -> Any:
    """Runs rclone with a remote named ``it``, configured by the environment as in its documentation."""
    settings = {
        "RCLONE_CONFIG_IT_TYPE": "s3",
        "RCLONE_CONFIG_IT_PROVIDER": "Other",
        "RCLONE_CONFIG_IT_ENDPOINT": endpoint,
        "RCLONE_CONFIG_IT_ACCESS_KEY_ID": credentials["aws_access_key_id"],
        "RCLONE_CONFIG_IT_SECRET_ACCESS_KEY": credentials["aws_secret_access_key"],
        "RCLONE_CONFIG_IT_REGION": credentials["region_name"],
        "RCLONE_S3_CHUNK_SIZE": "5Mi",
        "RCLONE_S3_UPLOAD_CUTOFF": "5Mi",
        "RCLONE_RETRIES": "1",
        "RCLONE_LOW_LEVEL_RETRIES": "1",
    }
    return lambda *arguments, **options: run("rclone", *arguments, **settings, **options)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    files = {f"d{number}/file {number} é+&%": random.Random(number).randbytes(7000 * number) for number in range(12)}
    files["empty"] = b""
    files["big"] = random.Random(99).randbytes(17 * MIB + 3)
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def _stored(remote: Any, bucket: str) -> dict[str, str]:
    keys = [entry["Key"] for entry in remote.list_objects_v2(Bucket=bucket).get("Contents", [])]
    bodies = {key: remote.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    return {key: hashlib.sha256(body).hexdigest() for key, body in bodies.items()}


def _files(root: Path) -> dict[str, str]:
    paths = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_copy_sync_and_check(rclone: Any, remote: Any, bucket: str, tree: Path, tmp_path: Path) -> None:
    rclone("copy", tree, f"it:{bucket}/a")
    assert _stored(remote, bucket) == {f"a/{name}": digest for name, digest in _files(tree).items()}
    assert remote.head_object(Bucket=bucket, Key="a/big")["ETag"].endswith('-4"')
    rclone("check", "--download", tree, f"it:{bucket}/a")
    rclone("check", tree, f"it:{bucket}/a")  # by the MD5 of listing and metadata

    (tree / "empty").unlink()
    (tree / "new").write_bytes(b"new")
    rclone("sync", tree, f"it:{bucket}/a")
    assert _stored(remote, bucket) == {f"a/{name}": digest for name, digest in _files(tree).items()}

    rclone("sync", f"it:{bucket}/a", tmp_path / "back")
    assert _files(tmp_path / "back") == _files(tree)
    for name in _files(tree):  # the time travels as metadata, in nanoseconds
        assert (tmp_path / "back" / name).stat().st_mtime_ns == (tree / name).stat().st_mtime_ns
    rclone("purge", f"it:{bucket}/a")
    assert _stored(remote, bucket) == {}


def test_server_side_copy_and_move(rclone: Any, remote: Any, bucket: str, tree: Path) -> None:
    rclone("copy", tree, f"it:{bucket}/a")
    rclone("copy", f"it:{bucket}/a", f"it:{bucket}/b")
    rclone("check", f"it:{bucket}/a", f"it:{bucket}/b")
    rclone("moveto", f"it:{bucket}/a/big", f"it:{bucket}/moved here")
    digests = _files(tree)
    stored = _stored(remote, bucket)
    assert stored["moved here"] == stored["b/big"] == digests["big"]
    assert "a/big" not in stored
    assert len(stored) == 2 * len(digests)


def test_listing_and_single_files(rclone: Any, remote: Any, bucket: str, tree: Path) -> None:
    rclone("copy", tree, f"it:{bucket}")
    assert f"{17 * MIB + 3:9} big" in rclone("ls", f"it:{bucket}")
    assert sorted(rclone("lsf", "-R", "--files-only", f"it:{bucket}").splitlines()) == sorted(_files(tree))
    assert rclone("lsd", f"it:{bucket}").count("\n") == 12
    assert f'"bytes":{sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())}' in rclone(
        "size", "--json", f"it:{bucket}"
    )
    rclone("deletefile", f"it:{bucket}/empty")
    assert "empty" not in _stored(remote, bucket)


@pytest.mark.parametrize("size", [0, 11, 6 * MIB])
def test_a_stream_of_unknown_length(rclone: Any, remote: Any, bucket: str, size: int) -> None:
    data = random.Random(size).randbytes(size)
    rclone("rcat", f"it:{bucket}/streamed", stdin=data)
    assert _stored(remote, bucket) == {"streamed": hashlib.sha256(data).hexdigest()}
    listed = rclone("hashsum", "sha256", "--download", f"it:{bucket}/streamed")
    assert listed.split()[0] == hashlib.sha256(data).hexdigest()


def test_part_of_a_file(rclone: Any, remote: Any, bucket: str) -> None:
    remote.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    assert rclone("cat", "--offset", "3", "--count", "4", f"it:{bucket}/k") == "3456"
    assert rclone("cat", f"it:{bucket}/k") == "0123456789"


def test_a_bucket(rclone: Any, remote: Any) -> None:
    rclone("mkdir", "it:made-by-rclone")
    assert "made-by-rclone" in rclone("lsd", "it:")
    rclone("rmdir", "it:made-by-rclone")
    assert "made-by-rclone" not in [entry["Name"] for entry in remote.list_buckets()["Buckets"]]
