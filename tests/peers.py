"""Real servers and daemons as child processes on loopback: what the tests, the demo and the benchmarks run against.

Every process started here is ended by its own id, also when the test fails; nothing is ever ended by name.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

BIN = Path(sys.executable).parent
ACCESS_KEY = "s3dtestaccess"
SECRET_KEY = "s3dtestsecret0123456789"
REGION = "us-east-1"


@dataclass
class Server:
    """A running server: its URL, its process and where its output goes."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def pid(self) -> int:
        return self.process.pid

    def output(self) -> str:
        return self.log.read_text(errors="replace")


# Below the range that the kernel gives to outgoing connections, and a slice of it for each process of a parallel run:
# between choosing a port and listening on it nobody else takes it.
_PORTS = range(10_000, 20_000)
_SLICES = 16
_ports: set[int] = set()


def free_port(*, spare: int = 0) -> int:
    """A TCP port that nothing listens on and that was not handed out before, with port + `spare` free as well."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = random.choice(_PORTS[worker % _SLICES :: _SLICES])
        if port not in _ports and all(_is_free(each) for each in {port, port + spare}):
            _ports.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path, *, seconds: float = 60) -> None:
    """Returns once the URL gives any HTTP answer; RuntimeError with the log when the process ends or time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(
        f"{url} did not come up (exit code {process.poll()}):\n{log.read_text(errors='replace')[-4000:]}"
    )


def stop(process: subprocess.Popen[bytes], *, seconds: float = 15) -> int:
    """SIGTERM, then SIGKILL after `seconds`; the exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def clean_env(**extra: str) -> dict[str, str]:
    """The environment without anything that steers AWS clients or s3d, plus test credentials, plus `extra`."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "S3D_", "S3_"))}
    env |= {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    return env | extra


@contextlib.contextmanager
def _spawn(
    command: list[str], log: Path, env: dict[str, str], *, out: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """``log`` gets what the process writes; with ``out`` its standard output goes there."""
    with contextlib.ExitStack() as files:
        errors = files.enter_context(log.open("wb"))
        output = files.enter_context(out.open("wb")) if out else errors
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=env, cwd=log.parent)
    try:
        yield process
    finally:
        stop(process)


@contextlib.contextmanager
def seaweedfs(
    directory: Path | None = None, *, volume_megabytes: int = 128, anonymous_reads: bool = False
) -> Iterator[Server]:
    """A real SeaweedFS S3 server with the test credentials; ``anonymous_reads``: anybody may read. Each of its buckets
    takes a volume of its own, and there are as many as fit on the disk."""
    with _directory(directory) as root:
        identities = root / "identities.json"
        key = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
        actions = ["Admin", "Read", "List", "Tagging", "Write"]
        known: list[dict[str, object]] = [{"name": "test", "credentials": [key], "actions": actions}]
        if anonymous_reads:
            known.append({"name": "anonymous", "actions": ["Read"]})
        identities.write_text(json.dumps({"identities": known}))
        (root / "data").mkdir()
        port = free_port(spare=10000)
        others = {name: free_port(spare=10000) for name in ("master", "volume", "filer", "admin")}
        command = [
            shutil.which("weed", path=f"{BIN}{os.pathsep}{os.environ['PATH']}") or "weed",
            *("mini", f"-dir={root / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={port}"),
            *(f"-s3.config={identities}", "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            *("-master.telemetry=false", f"-master.volumeSizeLimitMB={volume_megabytes}"),
            *(f"-{name}.port={other}" for name, other in others.items()),
        ]
        with _spawn(command, root / "weed.log", clean_env(WEED_S3_SSE_KEY="x")) as process:
            url = f"http://127.0.0.1:{port}"
            wait_for(url, process, root / "weed.log")
            yield Server(url, process, root / "weed.log")


@contextlib.contextmanager
def moto(directory: Path | None = None) -> Iterator[Server]:
    """A moto server: S3 as its authors read the documentation, in memory."""
    with _directory(directory) as root:
        port = free_port()
        command = [str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
        with _spawn(command, root / "moto.log", clean_env()) as process:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/moto-api/", process, root / "moto.log")
            yield Server(url, process, root / "moto.log")


@contextlib.contextmanager
def s3d(
    remote: str, directory: Path | None = None, *, warnings: Collection[str] = (), **settings: str
) -> Iterator[Server]:
    """`s3d run` as a child process in front of `remote`, or on the embedded store where that is ``local:``, with further
    settings as environment variables. ``extra`` has the URL of its admin listener and the file of its standard output.

    AssertionError at the end if its log has a warning or an error whose message is not one of `warnings`.
    """
    with _directory(directory) as root:
        env = {
            "S3_ENDPOINT": remote,
            "S3D_ENDPOINT": f"http://127.0.0.1:{free_port()}",
            "S3D_ADMIN_ENDPOINT": f"http://127.0.0.1:{free_port()}",
            "S3D_LOCAL_DIR": str(root / "local"),
            **settings,
        }
        out, admin = root / "s3d.out", env["S3D_ADMIN_ENDPOINT"]
        with _spawn([str(BIN / "s3d"), "run"], root / "s3d.log", clean_env(**env), out=out) as process:
            wait_for(f"{admin}/health/ready", process, root / "s3d.log")
            yield Server(env["S3D_ENDPOINT"], process, root / "s3d.log", {"admin": admin, "out": str(out)})
        unexpected = [line for line in (root / "s3d.log").read_text().splitlines() if not _expected(line, warnings)]
        assert not unexpected, "unexpected in the log of s3d:\n" + "\n".join(unexpected)


def _expected(line: str, warnings: Collection[str]) -> bool:
    """Whether a line of the log is a record that may be there; a traceback outside a record is none."""
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return record["level"] in ("debug", "info") or record["message"] in warnings


@contextlib.contextmanager
def _directory(directory: Path | None) -> Iterator[Path]:
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="s3d-peer-") as name:
        yield Path(name)
