"""The media type that a name suggests. The same on every machine: the system's own tables are not asked."""

from __future__ import annotations

_COMPRESSED = {
    "br": "application/x-brotli",
    "bzip2": "application/x-bzip2",
    "compress": "application/x-compress",
    "gzip": "application/gzip",
    "xz": "application/x-xz",
}
"""A compressed file is that and nothing else: named after its content, clients would take the bytes for it."""


def guess(name: str) -> str | None:
    """``text/html`` for ``a/b.html``, ``application/gzip`` for ``a.tar.gz``, None where the name says nothing."""
    import mimetypes

    types = mimetypes.MimeTypes()
    # The rest of the path must not look like a URL to the library.
    content_type, encoding = types.guess_type("/" + name.rpartition("/")[2])
    if encoding is not None:
        return _COMPRESSED.get(encoding, "application/octet-stream")
    return content_type
