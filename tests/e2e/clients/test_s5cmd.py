"""s5cmd, on the AWS SDK for Go v1: many small operations at once, and multipart in both directions."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.peer

MIB = 1 << 20


def test_the_usual_workflow(run: Any, remote: Any, endpoint: str, bucket: str, tmp_path: Path) -> None:
    def s5cmd(*arguments: str | Path, **options: Any) -> str:
        output: str = run("s5cmd", "--endpoint-url", endpoint, "--retry-count", "0", *arguments, **options)
        return output

    files = {f"d{number % 7}/é {number}": random.Random(number).randbytes(number * 100) for number in range(100)}
    files["big"] = random.Random(1).randbytes(23 * MIB)
    tree = tmp_path / "tree"
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    s5cmd("cp", "--part-size", "5", "--concurrency", "4", f"{tree}/", f"s3://{bucket}/t/")
    listed = remote.list_objects_v2(Bucket=bucket)["Contents"]
    assert {entry["Key"]: entry["Size"] for entry in listed} == {f"t/{name}": len(data) for name, data in files.items()}

    s5cmd("sync", f"s3://{bucket}/t/*", tmp_path / "back/")
    assert {
        str(path.relative_to(tmp_path / "back")): path.read_bytes()
        for path in (tmp_path / "back").rglob("*")
        if path.is_file()
    } == files
    assert s5cmd("ls", f"s3://{bucket}/t/d1/*").count("\n") == len([name for name in files if name.startswith("d1/")])
    s5cmd("mv", f"s3://{bucket}/t/big", f"s3://{bucket}/moved")
    assert remote.head_object(Bucket=bucket, Key="moved")["ContentLength"] == 23 * MIB
    s5cmd("pipe", f"s3://{bucket}/piped", stdin=b"from a pipe")
    assert s5cmd("cat", f"s3://{bucket}/piped") == "from a pipe"
    s5cmd("rm", f"s3://{bucket}/t/*")
    assert [entry["Key"] for entry in remote.list_objects_v2(Bucket=bucket)["Contents"]] == ["moved", "piped"]
