"""Requests as an AWS SDK puts them on the wire, signed beforehand, so that the load generator only sends bytes."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

import peers
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

_SDK_HEADERS = {
    # What boto3 sends besides, so that a server has as many header fields to read as in real use.
    "User-Agent": "Boto3/1.43.0 md/Botocore#1.43.0 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11 cfg/retry#legacy",
    "Accept-Encoding": "identity",
    "amz-sdk-invocation-id": "5f5ad9ce-6a4e-4a3b-9a3e-0d1c9cf6e0a7",
    "amz-sdk-request": "attempt=1",
}


class _Auth(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """Signature Version 4 with the payload hash given by the caller."""

    def __init__(self, payload_hash: str) -> None:
        super().__init__(Credentials(peers.ACCESS_KEY, peers.SECRET_KEY), "s3", peers.REGION)
        self._payload_hash = payload_hash

    def payload(self, request: AWSRequest) -> str:  # the name and the parameter are botocore's
        return self._payload_hash


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
    target = quote(path, safe="/-._~") + (f"?{urlencode(query, quote_via=quote)}" if query else "")
    fields = dict(_SDK_HEADERS) | (headers or {})
    request = AWSRequest(method, endpoint + target, headers=fields)
    _Auth(payload_hash).add_auth(request)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {urlsplit(endpoint).netloc}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    if method in ("PUT", "POST"):
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
