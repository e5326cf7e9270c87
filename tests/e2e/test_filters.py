"""Filters and policies of a running daemon, in front of SeaweedFS: docs/filters.md."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peers
import pytest
from botocore.exceptions import ClientError
from e2e.queued import Queued, queued, refusal, state
from e2e.waiting import wait_until
from fault_proxy import FaultProxy
from unit.policy.conftest import opa, opa_server  # noqa: F401  fixtures

pytestmark = pytest.mark.peer


def keys(it: Queued, bucket: str) -> list[str]:
    """Those that the remote has, but for the one that makes the bucket known."""
    found = it.direct.list_objects_v2(Bucket=bucket).get("Contents", [])
    return [entry["Key"] for entry in found if entry["Key"] != "known"]


def tagged(**tags: str) -> dict[str, Any]:
    return {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}


def s3d(it: Queued, *arguments: str, code: int = 0) -> str:
    """The command line."""
    command = [sys.executable, "-m", "s3d", *arguments, "--admin-endpoint", it.server.extra["admin"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=peers.clean_env())
    assert done.returncode == code, done.stderr
    return done.stdout


def test_a_filter_from_its_file(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    """Held, let go by tags, by the file, by a restart after kill -9; read and listed all the time."""
    file, bucket = tmp_path / "s3d.toml", new_bucket_name()
    file.write_text(f'write_queue_filter = "{bucket}/*[tag:release=yes] {bucket}/known"\n')
    with queued(seaweedfs, tmp_path / "s3d", proxy, S3D_CONFIG=str(file)) as it:
        it.known_bucket(bucket)
        for name in ("a", "b", "c", "d"):
            answer = it.client.put_object(Bucket=bucket, Key=name, Body=name.encode() * 1000)
            assert state(answer) == "held"
        it.client.put_object(Bucket=bucket, Key="now", Body=b"now", Tagging="release=yes")
        wait_until(lambda: keys(it, bucket) == ["now"])
        assert it.client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a" * 1000
        listed = it.client.list_objects_v2(Bucket=bucket)["Contents"]
        assert [entry["Key"] for entry in listed] == ["a", "b", "c", "d", "known", "now"]
        it.client.put_object_tagging(Bucket=bucket, Key="a", Tagging=tagged(release="yes"))
        wait_until(lambda: keys(it, bucket) == ["a", "now"])
        assert it.counts() == {"held": 3}
        assert "upload: held, by filter" in s3d(it, "explain", "put", f"{bucket}/x")
        it.server.process.kill()
        it.server.process.wait()
    said = ("the configuration is not read again, and stays as it was",)
    with queued(seaweedfs, tmp_path / "s3d", proxy, warnings=said, S3D_CONFIG=str(file)) as it:
        assert it.counts() == {"held": 3}
        file.write_text(f'write_queue_filter = "{bucket}/*[tag:release=yes] {bucket}/b"\n')
        wait_until(lambda: keys(it, bucket) == ["a", "b", "now"], seconds=20)
        file.write_text(f'write_queue_filter = "{bucket}/["\n')
        it.server.process.send_signal(signal.SIGHUP)
        assert it.counts() == {"held": 2}
        file.write_text('write_queue_filter = ""\n')
        it.server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: keys(it, bucket) == ["a", "b", "c", "d", "now"], seconds=20)
        it.drained()


def test_tags_of_a_bucket(
    seaweedfs: peers.Server, proxy: FaultProxy, tmp_path: Path, new_bucket_name: Callable[[], str]
) -> None:
    with queued(seaweedfs, tmp_path / "s3d", proxy) as it:
        bucket = it.known_bucket(new_bucket_name())
        it.client.put_bucket_tagging(Bucket=bucket, Tagging=tagged(**{"s3d.upload": "false"}))
        proxy.set("refuse")
        it.client.put_object(Bucket=bucket, Key="a", Body=b"a")
        assert it.counts() == {"held": 1}
        proxy.set("pass")
        it.client.delete_bucket_tagging(Bucket=bucket)
        wait_until(lambda: keys(it, bucket) == ["a"])


@pytest.mark.parametrize("engine", ["own engine", "server"])
def test_a_policy(
    seaweedfs: peers.Server,
    proxy: FaultProxy,
    tmp_path: Path,
    new_bucket_name: Callable[[], str],
    engine: str,
    request: pytest.FixtureRequest,
) -> None:
    text = """
package s3d

allow := false if { input.operation == "DeleteObject"; startswith(input.key, "keep/") }
upload := false if input.size > 100
cache := false if input.key == "uncached"
"""
    if engine == "server":
        opa = request.getfixturevalue("opa")
        opa.put(text)
        settings = {"S3D_OPA_URL": opa.url}
    else:
        file = tmp_path / "policy.rego"
        file.write_text(text)
        settings = {"S3D_OPA_POLICY": str(file)}
    cache = {"S3D_READ_CACHE": "on", "S3D_READ_CACHE_FREE_SPACE": "0"}
    with queued(seaweedfs, tmp_path / "s3d", proxy, **settings, **cache) as it:
        bucket = it.known_bucket(new_bucket_name())
        it.client.put_object(Bucket=bucket, Key="large", Body=b"x" * 101)
        for key in ("keep/a", "uncached"):
            it.client.put_object(Bucket=bucket, Key=key, Body=b"x")
        wait_until(lambda: keys(it, bucket) == ["keep/a", "uncached"])
        assert it.counts() == {"held": 1}
        assert refusal(it.client.delete_object, Bucket=bucket, Key="keep/a")[0] == "AccessDenied"
        with pytest.raises(ClientError, match="AccessDenied"):
            it.client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "keep/a"}, {"Key": "uncached"}]})
        said = [_cache(it.client.get_object(Bucket=bucket, Key="uncached")) for _ in range(2)]
        assert said == ["BYPASS", "BYPASS"]
        found = json.loads(s3d(it, "explain", "put", f"{bucket}/x", "--size", "200", "--json"))
        assert (found["upload"]["state"], found["upload"]["by"]) == ("held", "policy")
        if engine == "own engine":
            file.write_text(text.replace("> 100", "> 1000"))
            wait_until(lambda: "large" in keys(it, bucket), seconds=20)


def _cache(answer: Any) -> str:
    answer["Body"].read()
    return str(answer["ResponseMetadata"]["HTTPHeaders"]["x-s3d-cache"])
