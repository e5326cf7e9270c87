"""A daemon with a read cache in front of a remote whose link fails and counts as told."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peers
from e2e.boto import REMOTE_KEYS, s3_client
from fault_proxy import FaultProxy

WARNINGS = ("the remote does not answer", "an answer broke off")


@dataclass
class Cached:
    """The daemon, its client, and the remote behind it as it is without the daemon."""

    server: peers.Server
    client: Any
    proxy: FaultProxy
    direct: Any

    def status(self) -> dict[str, Any]:
        """What the status page says of the cache."""
        with urllib.request.urlopen(f"{self.server.extra['admin']}/status", timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)["read_cache"]
        return found

    def get(self, bucket: str, key: str, **members: Any) -> tuple[bytes, str]:
        """The bytes, and what the answer says of the cache."""
        answer = self.client.get_object(Bucket=bucket, Key=key, **members)
        return answer["Body"].read(), said(answer)

    def received(self) -> int:
        """Bytes that came from the remote."""
        return self.proxy.bytes["answer"]


def said(answer: Any) -> str:
    """x-s3d-cache of an answer."""
    found: str = answer["ResponseMetadata"]["HTTPHeaders"]["x-s3d-cache"]
    return found


@contextlib.contextmanager
def cached(
    remote: peers.Server, directory: Path, proxy: FaultProxy, *, warnings: Collection[str] = (), **settings: str
) -> Iterator[Cached]:
    """Starts it, also again on the same directory. ``warnings``: what else its log may say."""
    settings = {"S3D_READ_CACHE": "on", "S3D_READ_CACHE_FREE_SPACE": "0", "S3D_SHUTDOWN_GRACE": "0", **settings}
    directory.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(peers.s3d(proxy.url, directory, warnings=(*WARNINGS, *warnings), **settings))
        client = stack.enter_context(contextlib.closing(s3_client(server.url, read_timeout=60)))
        direct = stack.enter_context(contextlib.closing(s3_client(remote.url, REMOTE_KEYS, attempts=5)))
        yield Cached(server, client, proxy, direct)
