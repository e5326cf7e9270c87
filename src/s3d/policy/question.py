"""What a policy is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """One operation on one object, or on what else it is about. None: it has none, or it is not known."""

    operation: str
    """S3's name: ``PutObject``."""
    bucket: str | None = None
    key: str | None = None
    size: int | None = None
    """Bytes of the object."""
    tags: Mapping[str, str] | None = None
    """Of the object."""
    bucket_tags: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those that are kept with the object; names in lower case."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Of the user; names without ``x-amz-meta-``."""
    identity: str = ""
    """Of the client; empty: anonymous."""
    source_address: str = ""
    """Of the client, an IPv4 or IPv6 address; empty: it is not known, or there is none."""
    time: float = 0.0
    """Unix seconds."""

    def document(self) -> dict[str, Any]:
        """The input document of the policy, see docs/policy.md. ``time_ns`` is what Rego's functions of time take."""
        return self._lasting() | {"time": self.time, "time_ns": round(self.time * 1e6) * 1000}

    def lasting(self) -> str:
        """The document without the time, as JSON: the same text for equal questions."""
        return json.dumps(self._lasting(), separators=(",", ":"), sort_keys=True)

    def _lasting(self) -> dict[str, Any]:
        """Without what is not known: Rego calls that undefined, and what depends on it says nothing. (null would be less
        than any number in OPA, and more than some in rego-cpp.)"""
        found = {
            "operation": self.operation,
            "bucket": _text(self.bucket),
            "key": _text(self.key),
            "size": self.size,
            "tags": _texts(self.tags),
            "bucket_tags": _texts(self.bucket_tags),
            "headers": _texts(self.headers),
            "metadata": _texts(self.metadata),
            "identity": _text(self.identity),
            "source_address": self.source_address or None,
        }
        return {name: value for name, value in found.items() if value is not None}


def _texts(texts: Mapping[str, str] | None) -> dict[str, str | None] | None:
    return None if texts is None else {str(_text(name)): _text(value) for name, value in texts.items()}


def _text(text: str | None) -> str | None:
    """What is no UTF-8 (headers are bytes) has no place in JSON: engines refuse it or each make something else of it."""
    return text if text is None or text.isascii() else text.encode("utf-8", "replace").decode()
