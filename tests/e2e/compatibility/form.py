"""Browser forms: the multipart/form-data that a page sends."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from e2e.compatibility.raw import Answer, Raw

BOUNDARY = "s3d-form-boundary"
Fields = list[tuple[str, str]]


def policy(wanted: list[Any], *, expires: timedelta = timedelta(minutes=10), **replaced: Any) -> str:
    """Base64 of a policy. ``replaced``: members in the place of the usual ones; None leaves one out."""
    moment = (datetime.now(UTC) + expires).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {"expiration": moment, "conditions": wanted, **replaced}
    text = json.dumps({name: value for name, value in document.items() if value is not None})
    return base64.b64encode(text.encode()).decode()


def send(
    raw: Raw, bucket: str, fields: Fields, file: bytes | None = b"bar", *, name: str = "file.txt", last: str = "file"
) -> Answer:
    """Posts the form; ``name`` is that of the file, ``last`` that of the field that carries it."""
    pieces = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
        for field, value in fields
    ]
    if file is not None:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{last}"; filename="{name}"\r\n'
        pieces.append(head.encode() + b"Content-Type: text/plain\r\n\r\n" + file + b"\r\n")
    body = b"".join(pieces) + f"--{BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return raw("POST", f"/{bucket}", headers, body, signed=False)
