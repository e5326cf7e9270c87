"""A daemon with a write queue in front of a remote whose link fails as told."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peers
from botocore.exceptions import ClientError
from e2e.boto import REMOTE_KEYS, s3_client
from e2e.waiting import wait_until
from fault_proxy import FaultProxy

WARNINGS = (
    "the remote does not answer",
    "an operation is put off",
    "an operation failed for good and is kept: see s3d queue ls --state failed",
    "stopped with operations left in the write queue: the next start pushes them",
    "an answer broke off",
)


@dataclass
class Queued:
    """The daemon, its client, and the remote behind it as it is without the daemon."""

    server: peers.Server
    client: Any
    proxy: FaultProxy
    direct: Any

    def status(self) -> dict[str, Any]:
        """What the status page says of the queue."""
        with urllib.request.urlopen(f"{self.server.extra['admin']}/status", timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)["write_queue"]
        return found

    def counts(self) -> dict[str, int]:
        """Operations by state."""
        return {state: entry["count"] for state, entry in self.status()["states"].items()}

    def pause(self) -> None:
        """Nothing is pushed until `resume`."""
        self._post("pause")

    def resume(self) -> None:
        self._post("resume")

    def _post(self, name: str) -> None:
        request = urllib.request.Request(f"{self.server.extra['admin']}/queue/{name}", b"{}")
        with urllib.request.urlopen(request, timeout=20):
            pass

    def known_bucket(self, name: str, *, versions: bool = False) -> str:
        """Makes a bucket at the remote, with an object ``known`` in it, that the queue has asked for."""
        self.direct.create_bucket(Bucket=name)
        if versions:
            enabled = {"Status": "Enabled"}
            self.direct.put_bucket_versioning(Bucket=name, VersioningConfiguration=enabled)
        self.client.put_object(Bucket=name, Key="known", Body=b"known")
        self.drained()
        return name

    def drained(self) -> None:
        """Returns when nothing is left."""
        wait_until(lambda: not self.counts(), seconds=60)

    def pushed(self) -> None:
        """Returns when nothing waits; what failed may be left."""
        wait_until(lambda: not self.status()["waiting"], seconds=60)


def state(answer: Any) -> str | None:
    """x-s3d-state of an answer."""
    found: str | None = answer["ResponseMetadata"]["HTTPHeaders"].get("x-s3d-state")
    return found


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, int, dict[str, str]]:
    """Code, status and headers of what must fail."""
    try:
        call(**arguments)
    except ClientError as error:
        answer = error.response["ResponseMetadata"]
        return error.response["Error"]["Code"], answer["HTTPStatusCode"], answer["HTTPHeaders"]
    raise AssertionError("it was not refused")


@contextlib.contextmanager
def queued(
    remote: peers.Server, directory: Path, proxy: FaultProxy, *, warnings: Collection[str] = (), **settings: str
) -> Iterator[Queued]:
    """Starts it, also again on the same directory. ``warnings``: what else its log may say."""
    settings = {"S3D_WRITE_QUEUE": "on", "S3D_WRITE_QUEUE_FREE_SPACE": "0", "S3D_SHUTDOWN_GRACE": "0", **settings}
    directory.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(peers.s3d(proxy.url, directory, warnings=(*WARNINGS, *warnings), **settings))
        client = stack.enter_context(contextlib.closing(s3_client(server.url, read_timeout=60)))
        direct = stack.enter_context(contextlib.closing(s3_client(remote.url, REMOTE_KEYS, attempts=5)))
        yield Queued(server, client, proxy, direct)


@contextlib.contextmanager
def linked(remote: peers.Server, directory: Path, **settings: str) -> Iterator[Queued]:
    """The same behind a link of its own."""
    with FaultProxy(remote.url).running() as proxy, queued(remote, directory, proxy, **settings) as found:
        yield found
