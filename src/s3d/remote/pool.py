"""Connections to the remote: aiohttp's connector dials (DNS, TLS, proxies) and keeps them for the next request."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yarl
from aiohttp.connector import Connection

from s3d.remote.config import RemoteConfig
from s3d.remote.raw_body import ReadAhead

_QUEUE = 10.0  # seconds for a name to be resolved, or for one of the connections to become free
_POOL_IDLE = 10.0  # seconds: below what S3 servers keep idle connections for, so that few are found closed


class Pool:
    """Open connections by origin (``scheme://host:port``)."""

    def __init__(self, config: RemoteConfig) -> None:
        self._connector = aiohttp.TCPConnector(
            limit=config.max_connections, keepalive_timeout=_POOL_IDLE, ttl_dns_cache=30
        )
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=config.connect_timeout + _QUEUE, sock_connect=config.connect_timeout
        )
        self._ca_bundle = config.ca_bundle
        self.read_ahead = ReadAhead()
        self._tls: ssl.SSLContext | None = None
        self._destinations: dict[str, aiohttp.ClientRequest] = {}

    async def connect(self, origin: str) -> Connection:
        """A connection that nobody else uses. Whoever gets it releases or closes it. Raises aiohttp.ClientError."""
        while True:
            connection = await self._connector.connect(self._destination(origin), [], self._timeout)
            handler = connection.protocol
            if handler is not None and not handler.should_close:
                return connection
            # Something came while it was idle (a proxy's 408, a surplus answer): the next request would take it for its
            # answer, and each one after it the answer to the one before.
            connection.close()

    def proxied(self, origin: str) -> dict[str, str] | None:
        """None if requests to the origin carry a path; for a plain-text proxy, which wants the whole URL, the headers
        that it wants with each request. (To https origins a proxy is a tunnel: nothing differs.)"""
        destination = self._destination(origin)
        if destination.proxy is None or destination.is_ssl():
            return None
        return {name: value for name, value in destination.headers.items() if name == "Proxy-Authorization"}

    async def close(self) -> None:
        """Closes all connections."""
        await self._connector.close()

    def _destination(self, origin: str) -> aiohttp.ClientRequest:
        """What the connector needs to know of a request: where it goes. The same for all requests to an origin."""
        found = self._destinations.get(origin)
        if found is None:
            if len(self._destinations) > 10_000:  # virtual-host addressing has one for each bucket
                self._destinations.clear()
            proxy = _proxy(origin)
            found = self._destinations[origin] = aiohttp.ClientRequest(
                "GET",
                yarl.URL(origin),
                loop=asyncio.get_running_loop(),
                proxy=yarl.URL(proxy) if proxy else None,
                ssl=self._context() if origin.startswith("https:") else True,
            )
        return found

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = _tls(self._ca_bundle)
        return self._tls


def _tls(ca_bundle: Path | None) -> ssl.SSLContext:
    """Trusts the given file, else AWS_CA_BUNDLE, else the system, else (a bare container) what botocore brings."""
    named = ca_bundle or os.environ.get("AWS_CA_BUNDLE")
    context = ssl.create_default_context(cafile=named)
    if not named and not context.cert_store_stats()["x509_ca"] and not ssl.get_default_verify_paths().capath:
        from botocore.httpsession import where

        context.load_verify_locations(where())
    return context


def _proxy(origin: str) -> str | None:
    """The proxy that the environment names for an origin (HTTPS_PROXY, HTTP_PROXY, NO_PROXY)."""
    parts = urlsplit(origin)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)
