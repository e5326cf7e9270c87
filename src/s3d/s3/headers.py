"""Header fields that belong to a connection or to one hop's signature, not to the request or the object.

Sources: RFC 9110 section 7.6.1 (hop-by-hop fields); "Common Request Headers" in the Amazon S3 API Reference.
"""

from __future__ import annotations

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

NOT_FORWARDED = HOP_BY_HOP | {
    "authorization",
    "content-length",
    "date",
    "expect",
    "host",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-security-token",
    "x-amz-trailer",
}
"""What of a client's request is written anew by whoever sends it on."""
