"""Credentials, region and endpoint of the remote: the standard AWS chain, by botocore, which is imported on first use.

The chain is environment, profile, SSO, web identity, container and instance metadata, in the SDK's own order. What
expires is refreshed ahead of time. All of it may read files and ask servers, so it runs in a worker thread.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Protocol

from s3d.s3.sigv4 import Credentials

_ASK_AGAIN = 5.0  # seconds between two looks for credentials that were not there (instance metadata may come late)

HINT = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, "
    "or run where the AWS SDK finds credentials by itself"
)


class NoCredentials(Exception):
    """The chain found no credentials for the remote, or could not refresh them; the message names the fix."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where the chain says that the remote is. ``endpoint`` is a URL without a path."""

    endpoint: str
    region: str
    is_aws: bool
    """The endpoint follows from the region by AWS's own rule; otherwise somebody named it."""


class CredentialsProvider(Protocol):
    """Gives the credentials of the moment, None to send requests unsigned; and the place where the remote is."""

    async def get(self) -> Credentials | None: ...

    async def locate(self, endpoint: str | None, region: str | None) -> Location: ...


class Anonymous:
    """Sends requests unsigned to a named endpoint: how the command line speaks to the daemon on loopback."""

    async def get(self) -> Credentials | None:
        return None

    async def locate(self, endpoint: str | None, region: str | None) -> Location:
        if endpoint is None:
            raise NoCredentials("without credentials there must be an endpoint")
        return Location(endpoint, region or "us-east-1", is_aws=False)


ANONYMOUS = Anonymous()


class Static:
    """The same credentials always."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def get(self) -> Credentials | None:
        return self._credentials

    async def locate(self, endpoint: str | None, region: str | None) -> Location:
        return await ANONYMOUS.locate(endpoint, region)


class Chain:
    """The standard AWS chain."""

    def __init__(self) -> None:
        self._session: Any = None
        self._source: Any = None
        self._frozen: Credentials | None = None
        self._looked_at = self._loaded_at = -_ASK_AGAIN
        self._lock = asyncio.Lock()

    async def get(self) -> Credentials | None:
        """The credentials of the moment. Raises NoCredentials."""
        if self._frozen is not None and not self._lock.locked() and not self._expires_soon():
            return self._frozen  # while they are refreshed, the old ones may be over: wait
        async with self._lock:
            if self._frozen is None or self._expires_soon():
                self._frozen = await asyncio.to_thread(self._load)
        return self._frozen

    async def locate(self, endpoint: str | None, region: str | None) -> Location:
        """The endpoint and region to use; each argument that is given wins over the chain."""
        return await asyncio.to_thread(self._locate, endpoint, region)

    def _expires_soon(self) -> bool:
        """Not asked again right after a refresh: one that failed while the old ones still hold leaves them "soon" over,
        and each request would try it anew."""
        if time.monotonic() - self._loaded_at < _ASK_AGAIN:
            return False
        refresh_needed = getattr(self._source, "refresh_needed", None)  # absent on credentials that never expire
        return refresh_needed is not None and bool(refresh_needed())

    def _load(self) -> Credentials:
        from botocore.exceptions import BotoCoreError, ClientError

        now = time.monotonic()
        try:
            if self._source is None:
                if now - self._looked_at < _ASK_AGAIN:
                    raise NoCredentials(f"no credentials for the remote: {HINT}")
                self._looked_at = now
                self._session = None  # its providers remember having found nothing
                self._source = self._botocore().get_credentials()
            if self._source is None:
                raise NoCredentials(f"no credentials for the remote: {HINT}")
            frozen = self._source.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise NoCredentials(f"the credentials for the remote cannot be had: {error}; {HINT}") from error
        self._loaded_at = time.monotonic()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    def _botocore(self) -> Any:
        if self._session is None:
            from botocore.session import Session

            self._session = Session()
        return self._session

    def _locate(self, endpoint: str | None, region: str | None) -> Location:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            session = self._botocore()
            region = region or session.get_config_variable("region") or "us-east-1"
            endpoint = endpoint or _configured_endpoint(session)
            if endpoint:
                return Location(endpoint.rstrip("/"), region, is_aws=False)
            return Location(self._aws_endpoint(region), region, is_aws=True)
        except (BotoCoreError, ClientError) as error:
            raise NoCredentials(f"the AWS configuration cannot be used: {error}") from error

    def _aws_endpoint(self, region: str) -> str:
        """AWS's endpoint of a region, in its partition (China, GovCloud), FIPS and dual-stack as configured."""
        session = self._botocore()
        resolver = session._get_internal_component("endpoint_resolver")
        found = resolver.construct_endpoint(
            "s3",
            region,
            use_dualstack_endpoint=bool(session.get_config_variable("use_dualstack_endpoint")),
            use_fips_endpoint=bool(session.get_config_variable("use_fips_endpoint")),
        )
        host = found["hostname"] if found else f"s3.{region}.amazonaws.com"
        # The resolver's data predates regional endpoints for us-east-1 and calls that region's host the global one.
        return f"https://{'s3.us-east-1.amazonaws.com' if host == 's3.amazonaws.com' else host}"


def _configured_endpoint(session: Any) -> str | None:
    """AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or the profile's endpoint, unless the chain says to ignore them."""
    from botocore.configprovider import ConfiguredEndpointProvider

    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    found = ConfiguredEndpointProvider(session.full_config, session.get_scoped_config(), "s3").provide()
    return str(found) if found else None
