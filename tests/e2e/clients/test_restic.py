"""restic: a backup repository in a bucket, written, checked to the last byte, restored and pruned.

Over plain HTTP it (minio-go) uploads in signed chunks, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, without naming the coding in
Content-Encoding.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.peer


def _fill(root: Path, seed: int) -> None:
    source = random.Random(seed)
    for number in range(40):
        path = root / f"d{number % 5}" / f"file {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.randbytes(source.randrange(400_000)))


def _read(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _size(remote: Any, bucket: str) -> int:
    size: int = sum(entry["Size"] for entry in remote.list_objects_v2(Bucket=bucket)["Contents"])
    return size


def test_backup_check_restore_and_prune(run: Any, remote: Any, endpoint: str, bucket: str, tmp_path: Path) -> None:
    settings = {"RESTIC_REPOSITORY": f"s3:{endpoint}/{bucket}/repository", "RESTIC_PASSWORD": "a passphrase"}

    def restic(*arguments: str | Path) -> str:
        output: str = run("restic", "--no-cache", *arguments, **settings)
        return output

    tree = tmp_path / "tree"
    _fill(tree, 1)
    restic("init")
    restic("backup", tree)
    before = _read(tree)
    shutil.rmtree(tree / "d0")
    _fill(tree / "more", 2)
    restic("backup", tree)
    snapshots = json.loads(restic("snapshots", "--json"))
    assert len(snapshots) == 2
    assert "no errors were found" in restic("check", "--read-data")

    restic("restore", snapshots[0]["id"], "--target", tmp_path / "first")
    assert _read(tmp_path / "first" / tree.relative_to("/")) == before
    restic("restore", "latest", "--target", tmp_path / "last")
    assert _read(tmp_path / "last" / tree.relative_to("/")) == _read(tree)

    stored = _size(remote, bucket)
    restic("forget", "--keep-last", "1", "--prune")
    assert len(json.loads(restic("snapshots", "--json"))) == 1
    assert "no errors were found" in restic("check", "--read-data")
    assert 0 < _size(remote, bucket) < stored
    assert restic("list", "locks").strip() == ""
