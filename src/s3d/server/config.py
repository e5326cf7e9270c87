"""Settings of the listener that serves the S3 API."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Where to listen and for whom. TLS is on when both the certificate and its key are set (PEM files)."""

    host: str
    port: int
    """0: any free port; the listener knows which after its start."""
    domains: tuple[str, ...] = ("localhost",)
    """Base domains of virtual-host addressing: ``bucket.localhost`` is the bucket ``bucket``. Lower case."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    idle_timeout: float = 60.0
    """Seconds of silence after which a client's connection is closed."""
    spool_dir: Path | None = None
    """Directory for bodies that must be whole before they go on; None: the system's directory for temporary files."""
