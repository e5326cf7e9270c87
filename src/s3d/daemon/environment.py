"""Settings in the environment: which variables are settings, and which with our prefix are somebody else's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from s3d.daemon.settings import SETTINGS, closest

_PREFIX = "S3D_"

# Kubernetes sets these in every container for a service that is named s3d or s3d-...: "Discovering services" in its
# documentation. The value tells S3D_PORT=tcp://10.0.0.1:80 from a person's S3D_PORT=8080, which is a mistake.
_SERVICE = re.compile(r"S3D_(?:\w+_)?SERVICE_(?:HOST|PORT(?:_\w+)?)", re.ASCII)
_SERVICE_PORT = re.compile(r"S3D_(?:\w+_)?PORT(?:_\d+_(?:TCP|UDP|SCTP))?", re.ASCII)
_SERVICE_PORT_PART = re.compile(r"S3D_(?:\w+_)?PORT_\d+_(?:TCP|UDP|SCTP)_(?:PROTO|PORT|ADDR)", re.ASCII)
_SERVICE_URL = re.compile(r"(?:tcp|udp|sctp)://")


def read(environ: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """The settings in the environment by name. An empty variable is an unset one, as deployment tools write it.

    Unknown variables with the prefix ``S3D_`` are appended to ``problems``.
    """
    for name, value in environ.items():
        if name.startswith(_PREFIX) and name not in SETTINGS and not _is_kubernetes(name, value):
            known = closest(name, list(SETTINGS))
            hint = f"did you mean {known}?" if known else "unset it; `s3d run --help` lists the settings"
            problems.append(f"the environment variable {name} is not a setting of s3d: {hint}")
    return {name: environ[name] for name in SETTINGS if environ.get(name)}


def _is_kubernetes(name: str, value: str) -> bool:
    if _SERVICE.fullmatch(name) or _SERVICE_PORT_PART.fullmatch(name):
        return True
    return bool(_SERVICE_PORT.fullmatch(name) and _SERVICE_URL.match(value))
