"""Running the daemon: event loop, start, signals, stop, exit code."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import s3d
from s3d.daemon import hints
from s3d.daemon import log as logs
from s3d.daemon.config import Config, is_same
from s3d.daemon.notify import notify
from s3d.daemon.reload import Reloader
from s3d.daemon.values import Endpoint, is_loopback, remote_endpoint
from s3d.local.directory import CannotOpen
from s3d.remote.credentials import Chain, NoCredentials
from s3d.server.sockets import CannotListen
from s3d.standalone.config import StandaloneConfig

OK, FAILED, MISUSED, LEFT = 0, 1, 2, 75
"""Exit codes: stopped by a signal after it served; it could not start; the configuration cannot work; stopped with
operations left in the write queue (EX_TEMPFAIL)."""

log = logging.getLogger("s3d.daemon")


class Listener(Protocol):
    """Something that listens; the port is known after the start."""

    @property
    def port(self) -> int: ...


class Daemon(Protocol):
    """What `s3d.daemon.build.build` gives. ``start`` listens and returns. ``stop`` takes no new requests, lets those in
    flight finish for up to ``grace`` seconds, and closes everything; it also works after a ``start`` that failed. It
    gives the number of operations that are left in the write queue."""

    @property
    def server(self) -> Listener: ...

    @property
    def admin(self) -> Listener: ...

    async def start(self) -> None: ...

    async def apply(self, config: Config) -> None: ...

    async def stop(self, grace: float) -> int: ...


def run(
    config: Config, build: Callable[[Config], Daemon] | None = None, load: Callable[[], Config] | None = None
) -> int:
    """Serves until SIGTERM or SIGINT; the exit code. ``build`` puts the daemon together: `s3d.daemon.build.build`;
    ``load`` reads the configuration once more (ConfigError)."""
    logs.setup(config.log)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(config, build or _build, load or (lambda: config)))


def _build(config: Config) -> Daemon:
    from s3d.daemon import build  # the HTTP libraries: not before the log is set up

    return build.build(config)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not made for this platform: asyncio's own loop does the same, slower
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _serve(config: Config, build: Callable[[Config], Daemon], load: Callable[[], Config]) -> int:
    asyncio.get_running_loop().set_exception_handler(logs.log_asyncio)
    stopping = _stop_on_signals()
    if (problem := await missing_remote(config)) is not None:
        log.error(problem)
        return MISUSED
    daemon = build(with_local_directory(config))
    reloader = Reloader(config, load, daemon.apply)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloader.ask)
    try:
        await daemon.start()
    except (CannotListen, CannotOpen, OSError) as error:
        log.error(why_not_started(error, config))
        await daemon.stop(0)
        return FAILED
    _announce(config, daemon)
    _hint(config, daemon)
    notify("READY=1")
    async with _running(reloader):
        await stopping.wait()
    notify("STOPPING=1")
    log.info("stopping: finishing what is in flight", extra={"grace_seconds": config.shutdown_grace})
    left = await daemon.stop(config.shutdown_grace)
    if left:
        log.warning("stopped with operations left in the write queue: the next start pushes them", extra={"left": left})
        return LEFT
    log.info("stopped")
    return OK


@contextlib.asynccontextmanager
async def _running(reloader: Reloader) -> AsyncIterator[None]:
    """Inside, the configuration is read again when that is asked for, or it has changed."""
    task = asyncio.get_running_loop().create_task(reloader.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _stop_on_signals() -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; the second ends the process at once, as a shell would expect."""
    stopping = asyncio.Event()

    def received(number: int) -> None:
        if stopping.is_set():
            os._exit(128 + number)  # no clean-up: whoever asks twice wants out, and threads may hang
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, received, number)
    return stopping


async def missing_remote(config: Config) -> str | None:
    """The sentence for a daemon that has nothing to stand in front of, or None.

    Only where nothing names a remote is the absence of credentials certain to be a mistake; else they may come later.
    """
    if isinstance(config.store, StandaloneConfig) or config.store.endpoint is not None:
        return None
    chain = Chain()
    try:
        found = await chain.locate(None, config.store.region)
        if not found.is_aws:
            return wrong_endpoint(found.endpoint, config)
        await chain.get()
    except NoCredentials as error:
        return (
            "there is no remote to serve: set S3_ENDPOINT=https://HOST[:PORT] and "
            "AWS_ACCESS_KEY_ID/AWS_SECRET_ACCESS_KEY for an S3 store, only the credentials for AWS itself, or "
            f"S3_ENDPOINT=local: for the embedded store on this machine's disk ({error})"
        )
    return None


def wrong_endpoint(url: str, config: Config) -> str | None:
    """The sentence for an endpoint of the AWS configuration that cannot be the remote, or None. Clients on this machine
    find the daemon by the same variables: it must not find itself."""
    try:
        remote_endpoint(url)
    except ValueError as error:
        return f"the endpoint of the AWS configuration cannot be the remote ({error}): set S3_ENDPOINT"
    for listener in (config.server, config.admin):
        if is_same(url, listener.host, listener.port):
            return (
                f"the endpoint of the AWS configuration, {url}, is s3d itself: unset AWS_ENDPOINT_URL_S3 and "
                "AWS_ENDPOINT_URL for the daemon, or set S3_ENDPOINT to the remote"
            )
    return None


def with_local_directory(config: Config) -> Config:
    """The configuration with its local directory made, or without one: a gateway works without, only with less room."""
    spool = config.server.spool_dir
    if spool is None:
        return config
    try:
        config.local_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        spool.mkdir(mode=0o700, exist_ok=True)
        if not os.access(spool, os.W_OK | os.X_OK):
            raise PermissionError(None, "no permission to write in it")
    except OSError as error:
        log.warning(
            "the local directory cannot be used, going on without: check S3D_LOCAL_DIR",
            extra={"directory": str(spool), "error": error.strerror},
        )
        return dataclasses.replace(config, server=dataclasses.replace(config.server, spool_dir=None))
    return config


def why_not_started(error: Exception, config: Config) -> str:
    """A sentence with the setting to change."""
    if isinstance(error, CannotListen):
        is_admin = (error.host, error.port) == (config.admin.host, config.admin.port)
        return f"{error} in {'S3D_ADMIN_ENDPOINT' if is_admin else 'S3D_ENDPOINT'}"
    if isinstance(error, CannotOpen):
        return f"the local storage cannot be opened: {error}"
    if isinstance(error, ssl.SSLError):
        return f"the certificate cannot be used ({error}): check S3D_TLS_CERT and S3D_TLS_KEY"
    return f"s3d cannot start: {error}"


def _announce(config: Config, daemon: Daemon) -> None:
    scheme = "https" if config.server.tls_cert else "http"
    endpoint = Endpoint(scheme, config.server.host, daemon.server.port).url
    admin = Endpoint("http", config.admin.host, daemon.admin.port).url
    if isinstance(config.store, StandaloneConfig):
        source = f"the embedded store in {config.store.directory}"
    else:
        source = config.store.endpoint or "AWS or the endpoint of the AWS configuration"
    log.info(f"s3d {s3d.__version__} serves S3 on {endpoint} for {source}; admin on {admin}")
    if not is_loopback(config.server.host):
        log.warning(
            "clients on other machines are refused, since there are no client credentials: "
            "listen on localhost in S3D_ENDPOINT",
            extra={"endpoint": endpoint},
        )


def _hint(config: Config, daemon: Daemon) -> None:
    """Tells the person who started an embedded store how to use it. That nobody reads is no error."""
    if not isinstance(config.store, StandaloneConfig):
        return
    text = hints.text(config.server, daemon.server.port, config.store)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(text)
        sys.stdout.flush()
