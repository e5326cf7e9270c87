"""A tour with two daemons: one on the embedded store is the cloud, the other is a gateway at the edge in front of it.

Everything runs on loopback on free ports, in temporary directories, needs nothing but s3d, and is stopped at the end.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import AbstractContextManager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import peers

KEY = "demo/day-1/measurement.bin"
ANY_KEYS = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}


def main() -> int:
    """Runs the tour; 0 when every step did what it should."""
    with tempfile.TemporaryDirectory(prefix="s3d-demo-") as name:
        directory = Path(name)
        url = f"http://127.0.0.1:{peers.free_port()}"  # of the cloud, which is stopped and started again
        with peers.s3d(url, directory / "edge", warnings=["the remote does not answer"]) as edge:
            with cloud(url, directory) as store:
                say(f"the cloud, an embedded store, listens on {url}; the edge, a gateway to it, on {edge.url}")
                digest = write_and_read(edge, store, directory)
                conditions(edge)
                presigned(edge, digest)
                say("kill -9 the cloud")
                store.process.kill()
                store.process.wait()
            away(edge, directory)
            with cloud(url, directory):
                say("the cloud is back; the edge goes on where it was")
                s3d(edge, "get", "--quiet", KEY, "-o", str(directory / "later"))
                expect(sha256(directory / "later") == digest, "the bytes differ")
                s3d(edge, "status")
        say("both were stopped with SIGTERM")
    return 0


def cloud(url: str, directory: Path) -> AbstractContextManager[peers.Server]:
    """The daemon that keeps the objects: on the same address and the same directory each time."""
    return peers.s3d("local:", directory / "cloud", S3D_ENDPOINT=url, S3D_CREATE_BUCKETS="demo")


def write_and_read(edge: peers.Server, store: peers.Server, directory: Path) -> str:
    """An object goes in at the edge and is the same at both; its SHA-256."""
    file = directory / "measurement.bin"
    file.write_bytes(os.urandom(32 << 20))
    digest = sha256(file)
    say("32 MiB are written at the edge, in parallel parts, and are in the cloud as they were written")
    s3d(edge, "put", KEY, "-i", str(file), "--metadata", "sensor=7", "--tag", "keep=yes", "--verbose", "--quiet")
    s3d(store, "ls", "--recursive", "demo")
    for label, server in (("at the edge", edge), ("in the cloud", store)):
        s3d(server, "get", "--quiet", KEY, "-o", str(directory / "copy"))
        found = sha256(directory / "copy")
        print(f"    {label}: sha256 {found}")
        expect(found == digest, "the bytes differ")
    return digest


def conditions(edge: peers.Server) -> None:
    """What must not be stored is not."""
    say("a body whose checksum is wrong never becomes an object, and a condition is never ignored")
    for key, header, value, status in (
        ("demo/broken", "Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==", 400),
        (KEY, "If-None-Match", "*", 412),
    ):
        request = urllib.request.Request(f"{edge.url}/{key}", data=b"data", headers={header: value}, method="PUT")
        print(f"  > PUT /{key}, {header}: {value}")
        expect(refused(request) == status, f"the answer was not {status}")


def presigned(edge: peers.Server, digest: str) -> None:
    """A URL that can be given to a program that knows nothing of S3."""
    import botocore.session  # a dependency of s3d: it finds the credentials of a remote

    say("a presigned URL works with any HTTP client")
    client = botocore.session.Session().create_client("s3", "us-east-1", endpoint_url=edge.url, **ANY_KEYS)
    bucket, _, key = KEY.partition("/")
    url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}, 60)
    print(f"  > GET {url}")
    with urllib.request.urlopen(url, timeout=30) as answer:
        found = hashlib.sha256(answer.read()).hexdigest()
        print(f"    {answer.status}, x-s3d-state: {answer.headers['x-s3d-state']}, sha256 {found}")
    expect(found == digest, "the bytes differ")


def away(edge: peers.Server, directory: Path) -> None:
    """The store is gone, and was not asked to go."""
    say("meanwhile the edge says that its remote is away, so that clients try again")
    print(f"  > GET /{KEY}")
    expect(refused(urllib.request.Request(f"{edge.url}/{KEY}")) == 503, "the answer was not 503")
    say("nothing that was acknowledged is lost: every body is read and compared with its checksum")
    run([str(peers.BIN / "s3d"), "fsck", str(directory / "cloud" / "local" / "standalone")], peers.clean_env())


def refused(request: urllib.request.Request) -> int:
    """The status of an answer that is an error; prints what it says."""
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        code, message = (text.partition(f"<{name}>")[2].partition("<")[0] for name in ("Code", "Message"))
        print(f"    {error.code} {code}: {message}")
        return error.code


def sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def s3d(server: peers.Server, *arguments: str) -> None:
    """The command line, pointed at one of the daemons."""
    environment = peers.clean_env(S3D_ENDPOINT=server.url, S3D_ADMIN_ENDPOINT=server.extra["admin"])
    run([str(peers.BIN / "s3d"), *arguments], environment)


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
