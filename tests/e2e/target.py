"""What the tests with real clients run against."""

from __future__ import annotations

from dataclasses import dataclass

import peers


@dataclass(frozen=True)
class Target:
    """What clients are pointed at, and where what is really stored can be seen: there, or at the remote behind it."""

    name: str
    server: peers.Server
    store: peers.Server


TARGETS = {
    "gateway": ("gateway", "seaweedfs"),
    "standalone": ("standalone", "standalone"),
    "control": ("seaweedfs", "seaweedfs"),
}
"""The fixtures of server and store: s3d in front of SeaweedFS, s3d on the embedded store, SeaweedFS itself."""
