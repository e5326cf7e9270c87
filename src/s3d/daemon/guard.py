"""Who may use the admin listener: a pure decision.

With a token, whoever shows it; the health checks are open, since orchestrators probe them without. Without a token,
this machine only; and a web page that its user visits must not get in by a name that it resolves to loopback (DNS
rebinding), so the Host field has to name this machine too.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from s3d.daemon.config import AdminConfig
from s3d.daemon.values import is_loopback


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused: HTTP status and a sentence."""

    status: int
    message: str


def refuse(
    config: AdminConfig, *, path: str, peer: str | None, host: str | None, authorization: str | None
) -> Refusal | None:
    """None if the request may pass. ``peer`` is the client's IP address; ``host`` and ``authorization`` the fields."""
    if config.token is not None:
        if path.startswith("/health/") or _has_token(authorization, config.token.reveal()):
            return None
        return Refusal(401, "send the token of S3D_ADMIN_TOKEN in the field Authorization: Bearer TOKEN")
    if peer is None or not is_loopback(peer):
        return Refusal(403, "without S3D_ADMIN_TOKEN this listener answers its own machine only")
    if host is not None and not _names_this_machine(host, config):
        return Refusal(403, "the Host field names another machine: use localhost")
    return None


def _has_token(authorization: str | None, token: str) -> bool:
    scheme, _, given = (authorization or "").partition(" ")
    equal = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())
    return equal and scheme.lower() == "bearer"


def _names_this_machine(host: str, config: AdminConfig) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:  # brackets that do not close
        return False
    return is_loopback(name) or name == config.host
