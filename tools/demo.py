"""A tour: a real SeaweedFS server as the remote, s3d in front of it, and what the aws cli and boto3 see through it.

Everything runs on loopback on free ports, in temporary directories, and is stopped at the end.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import boto3
import peers


def main() -> int:
    """Runs the tour; 0 when every step did what it should."""
    with tempfile.TemporaryDirectory(prefix="s3d-demo-") as name, peers.seaweedfs() as remote:
        say(f"SeaweedFS, the remote, listens on {remote.url}")
        with peers.s3d(remote.url) as daemon:
            say(f"s3d, in front of it, listens on {daemon.url} (admin: {daemon.extra['admin']})")
            tour(Path(name), remote.url, daemon)
        say("s3d was stopped with SIGTERM")
    return 0


def tour(directory: Path, remote: str, daemon: peers.Server) -> None:
    """The steps, each printed before it runs."""
    file = directory / "measurement.bin"
    file.write_bytes(os.urandom(32 << 20))
    aws(daemon.url, "s3", "mb", "s3://demo")
    aws(daemon.url, "s3", "cp", str(file), "s3://demo/day 1/measurement.bin", "--no-progress")
    aws(daemon.url, "s3", "ls", "--recursive", "s3://demo")

    say("boto3 reads it back through s3d, and the remote has the same bytes")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    for label, url in (("through s3d", daemon.url), ("at the remote", remote)):
        found = read(url, "demo", "day 1/measurement.bin")
        print(f"    {label}: sha256 {found}")
        expect(found == digest, "the bytes differ")

    say("a presigned URL, made for s3d's address, works with any HTTP client")
    url = client(daemon.url).generate_presigned_url(
        "get_object", {"Bucket": "demo", "Key": "day 1/measurement.bin"}, 60
    )
    request = urllib.request.Request(url, headers={"Range": "bytes=0-15"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        print(f"    {answer.status}, {answer.headers['Content-Range']}, x-s3d-state: {answer.headers['x-s3d-state']}")
        expect(answer.status == 206, "the range was not answered")

    say("a body whose checksum is wrong never becomes an object")
    try:
        client(daemon.url).put_object(Bucket="demo", Key="broken", Body=b"data", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
        expect(False, "the wrong body was accepted")
    except client(daemon.url).exceptions.ClientError as error:
        print(f"    {error}")

    say("the command line of s3d itself")
    environment = peers.clean_env(S3D_ENDPOINT=daemon.url, S3D_ADMIN_ENDPOINT=daemon.extra["admin"])
    for arguments in (["ls", "demo/"], ["status"], ["rm", "--recursive", "--force", "demo/"]):
        run([str(peers.BIN / "s3d"), *arguments], environment)

    say("health")
    with urllib.request.urlopen(f"{daemon.extra['admin']}/health/ready", timeout=5) as answer:
        print(f"    {json.dumps(json.load(answer))}")


def client(url: str) -> Any:
    """boto3 with the test credentials. s3d accepts any on loopback; the remote insists on these."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=peers.REGION,
        aws_access_key_id=peers.ACCESS_KEY,
        aws_secret_access_key=peers.SECRET_KEY,
    )


def read(url: str, bucket: str, key: str) -> str:
    """SHA-256 of an object."""
    digest = hashlib.sha256()
    for piece in client(url).get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def aws(url: str, *arguments: str) -> None:
    """The aws cli."""
    run([str(peers.BIN / "aws"), "--endpoint-url", url, *arguments], peers.clean_env())


def run(command: list[str], environment: dict[str, str]) -> None:
    """Prints a command and runs it."""
    print(f"  $ {' '.join([Path(command[0]).name, *command[1:]])}", flush=True)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    for line in (done.stdout + done.stderr).splitlines():
        print(f"    {line}")
    expect(done.returncode == 0, f"exit code {done.returncode}")


def say(text: str) -> None:
    """One step of the tour."""
    print(f"- {text}", flush=True)


def expect(condition: bool, problem: str) -> None:
    """Ends the tour when something is not as it should be."""
    if not condition:
        raise SystemExit(f"the demo failed: {problem}")


if __name__ == "__main__":
    sys.exit(main())
