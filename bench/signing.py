"""Requests as an AWS SDK puts them on the wire, signed beforehand, so that the load generator only sends bytes.

Signature Version 4 is written out here because a bench signs a million requests: this takes a tenth of botocore's time.
SeaweedFS verifies the signatures in the bench of the gateway.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import time
from urllib.parse import quote, urlencode, urlsplit

import peers

UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

_SDK_HEADERS = {
    # What boto3 sends besides, so that a server has as many header fields to read as in real use.
    "User-Agent": "Boto3/1.43.0 md/Botocore#1.43.0 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11 cfg/retry#legacy",
    "Accept-Encoding": "identity",
    "amz-sdk-invocation-id": "5f5ad9ce-6a4e-4a3b-9a3e-0d1c9cf6e0a7",
    "amz-sdk-request": "attempt=1",
}
_NOT_SIGNED = {"user-agent", "accept-encoding"}  # what intermediaries may change; botocore leaves it out, too


def signed_head(
    endpoint: str,
    method: str,
    path: str,
    *,
    query: dict[str, str] | None = None,
    length: int = 0,
    payload_hash: str = EMPTY_SHA256,
    headers: dict[str, str] | None = None,
) -> bytes:
    """Request line and header of a request with a body of ``length`` bytes. The signature holds for 15 minutes."""
    host = urlsplit(endpoint).netloc
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    fields = {"Host": host} | _SDK_HEADERS | (headers or {}) | {"X-Amz-Date": now, "X-Amz-Content-SHA256": payload_hash}
    escaped = quote(path, safe="/-._~")
    asked = urlencode(sorted((query or {}).items()), quote_via=quote, safe="-._~")
    signed = sorted((name.lower(), value) for name, value in fields.items() if name.lower() not in _NOT_SIGNED)
    names = ";".join(name for name, _ in signed)
    canonical = "\n".join(
        [method, escaped, asked, *(f"{name}:{value}" for name, value in signed), "", names, payload_hash]
    )
    scope = f"{now[:8]}/{peers.REGION}/s3/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(_signing_key(now[:8]), to_sign.encode(), "sha256").hex()
    fields["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={peers.ACCESS_KEY}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    if method in ("PUT", "POST"):
        fields["Content-Length"] = str(length)
    lines = [f"{method} {escaped}{'?' + asked if asked else ''} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@functools.cache
def _signing_key(date: str) -> bytes:
    key = f"AWS4{peers.SECRET_KEY}".encode()
    for part in (date, peers.REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
