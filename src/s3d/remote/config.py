"""Settings of the connection to the remote S3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RemoteConfig:
    """Where the remote is and how long to wait for it. Times are seconds; credentials come from the AWS chain."""

    endpoint: str | None = None
    """``http(s)://host[:port]`` without a path; None: AWS, or whatever endpoint the SDK's own chain names."""
    region: str | None = None
    """None: the SDK's chain decides (``AWS_REGION``, profile)."""
    addressing: str = "auto"
    """``path``, ``virtual``, or ``auto``: virtual where the remote is AWS, else path."""
    connect_timeout: float = 3.0
    idle_timeout: float = 60.0
    """The longest silence in the middle of a body."""
    response_timeout: float = 300.0
    """From the last byte of the request to the head of the answer: CompleteMultipartUpload takes minutes."""
    max_connections: int = 256
    ca_bundle: Path | None = None
    """PEM file of trusted certificates; None: the system's."""
    keep_s3d_headers: bool = False
    """The endpoint is an s3d whose ``x-s3d-*`` answers are wanted (the command line). A gateway's own answers say what
    *it* knows, so what an s3d behind it says is taken off."""
