"""The connection pool to the remote: TLS, proxies, and what the HTTP client must not do on its own."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from s3d.remote.config import RemoteConfig

_POOL_IDLE = 10.0  # seconds: below what S3 servers keep idle connections for, so that few are found closed
_READ_BUFFER = 1 << 18  # bytes read ahead from a connection, twice: large objects move in fewer, larger pieces
_HEAD_LIMIT = 1 << 15  # bytes of one header line of an answer
_ADDED_BY_CLIENT = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


def open_session(config: RemoteConfig, endpoint: str) -> aiohttp.ClientSession:
    """A client that adds no header, follows no redirect, keeps no cookie and decompresses nothing."""
    connector = aiohttp.TCPConnector(
        limit=config.max_connections,
        keepalive_timeout=_POOL_IDLE,
        ttl_dns_cache=30,
        ssl=_tls(config.ca_bundle) if endpoint.startswith("https") else True,
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_ADDED_BY_CLIENT,
        auto_decompress=False,
        read_bufsize=_READ_BUFFER,
        max_line_size=_HEAD_LIMIT,
        max_field_size=_HEAD_LIMIT,
        max_headers=512,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=config.connect_timeout),
        proxy=_proxy(endpoint),
    )
    # The client repeats every PUT and DELETE on a connection that closed. Whether that is safe is our decision: a
    # conditional write repeated after its own success fails (see `s3d.remote.backend.may_repeat`).
    session._retry_connection = False
    return session


def _tls(ca_bundle: Path | None) -> ssl.SSLContext:
    """Trusts the given file, else AWS_CA_BUNDLE, else the system, else (a bare container) what botocore brings."""
    named = ca_bundle or os.environ.get("AWS_CA_BUNDLE")
    context = ssl.create_default_context(cafile=named)
    if not named and not context.cert_store_stats()["x509_ca"] and not ssl.get_default_verify_paths().capath:
        from botocore.httpsession import where

        context.load_verify_locations(where())
    return context


def _proxy(endpoint: str) -> str | None:
    """The proxy that the environment names for the endpoint (HTTPS_PROXY, HTTP_PROXY, NO_PROXY)."""
    parts = urlsplit(endpoint)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
