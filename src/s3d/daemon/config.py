"""The configuration of the daemon: from flags, environment and file to one frozen value, checked as a whole.

Flags win over the environment, the environment over the file, the file over the defaults. Every mistake is reported,
not only the first, each in a sentence that says what to change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from s3d.daemon import environment, toml_file
from s3d.daemon.settings import SETTINGS, Setting
from s3d.daemon.values import Endpoint, Local, Secret, is_loopback
from s3d.filters.rules import Rules
from s3d.policy.config import OnError, PolicyConfig
from s3d.read_cache.config import ReadCacheConfig
from s3d.remote.config import RemoteConfig
from s3d.server.config import ServerConfig
from s3d.standalone.config import StandaloneConfig
from s3d.write_queue.config import WriteQueueConfig


class ConfigError(Exception):
    """The configuration cannot be used. ``problems`` has one sentence per mistake; the text is one a line."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class AdminConfig:
    """Where the admin listener is, and the bearer token that it asks for."""

    host: str
    port: int
    """0: any free port."""
    token: Secret | None = None


@dataclass(frozen=True, slots=True)
class LogConfig:
    """``level``: debug, info, warning, error. ``format``: text, json, or auto: text on a terminal, else json."""

    level: str = "info"
    format: str = "auto"


@dataclass(frozen=True, slots=True)
class InForce:
    """One setting as it applies: its text (None: unset; secrets are hidden) and where that came from."""

    value: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Config:
    """All settings, each in the part of the daemon that it belongs to."""

    local_dir: Path
    server: ServerConfig
    admin: AdminConfig
    store: RemoteConfig | StandaloneConfig
    """Where the objects are: at the remote, or in the embedded store."""
    write_queue: WriteQueueConfig | None
    """None: changes go to the remote before they are answered."""
    read_cache: ReadCacheConfig | None
    """None: reads go to the remote."""
    rules: Rules
    """Which objects are pushed and cached."""
    policy: PolicyConfig | None
    """None: there is no policy."""
    log: LogConfig
    shutdown_grace: float
    """Seconds that requests in flight may take to finish after SIGTERM, and that the write queue may go on pushing."""
    settings: Mapping[str, InForce]
    """By environment variable, for people to look at; the program reads the parts."""


def load(flags: Mapping[str, str | None], environ: Mapping[str, str]) -> Config:
    """The configuration, or `ConfigError`.

    ``flags`` are those of ``s3d run`` by `Setting.key` (``local_dir``), None where a flag was not given.
    """
    problems: list[str] = []
    layers = _layers(flags, environ, problems)
    values: dict[str, Any] = {}
    in_force: dict[str, InForce] = {}
    for setting in SETTINGS.values():
        text, source = next(
            ((found[setting.name], source.format(setting)) for found, source in layers if setting.name in found),
            (setting.default, "default"),
        )
        in_force[setting.name] = InForce(_shown(setting, text), source)
        try:
            values[setting.name] = None if text is None else setting.read(text)
        except ValueError as error:
            problems.append(f"{setting.name} is {_shown(setting, text)!r} (from {source}): {error}")
    problems = problems or list(_contradictions(values))
    if problems:
        raise ConfigError(problems)
    return _config(values, in_force)


def embedded_store(environ: Mapping[str, str]) -> StandaloneConfig:
    """That of the settings; where they name another remote, the one that ``local:`` would be. Raises `ConfigError`."""
    store = load({}, environ).store
    if not isinstance(store, StandaloneConfig):
        store = load({"s3_endpoint": "local:"}, environ).store
    assert isinstance(store, StandaloneConfig)  # noqa: S101  # what local: gives
    return store


def _layers(
    flags: Mapping[str, str | None], environ: Mapping[str, str], problems: list[str]
) -> list[tuple[dict[str, str], str]]:
    """The texts of settings by name with the words for their source, the strongest first."""
    by_key = {setting.key: setting.name for setting in SETTINGS.values()}
    from_flags = {by_key[key]: text for key, text in flags.items() if text is not None}
    from_environment = environment.read(environ, problems)
    layers = [(from_flags, "the flag {0.flag}"), (from_environment, "the environment")]
    if file := from_flags.get("S3D_CONFIG") or from_environment.get("S3D_CONFIG"):
        try:
            path = SETTINGS["S3D_CONFIG"].read(file)
        except ValueError:
            return layers  # the caller reads it once more and reports it
        assert isinstance(path, Path)  # noqa: S101  # what the row's reader gives
        name = str(path).replace("{", "{{").replace("}", "}}")
        layers.append((toml_file.read(path, problems), f"{name}, key {{0.key}}"))
    return layers


def _shown(setting: Setting, text: str | None) -> str | None:
    """The text with what must not be seen taken out: secrets, and a password that someone put into a URL."""
    if text is None:
        return None
    return "***" if setting.secret else re.sub(r"//.*@", "//***@", text)


def _contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with settings that are right one by one."""
    server: Endpoint = values["S3D_ENDPOINT"]
    admin: Endpoint = values["S3D_ADMIN_ENDPOINT"]
    yield from _tls(server, values)
    if admin.scheme == "https":
        yield (
            "S3D_ADMIN_ENDPOINT: the admin listener speaks http only: write http://, and put a TLS proxy in front if "
            "it must be reached from elsewhere"
        )
    if not is_loopback(admin.host) and values["S3D_ADMIN_TOKEN"] is None:
        yield (
            f"S3D_ADMIN_ENDPOINT: others than this machine can reach {admin.host}: set S3D_ADMIN_TOKEN, or use "
            f"http://localhost:{admin.port}"
        )
    if _overlap(server, admin):
        yield f"S3D_ENDPOINT and S3D_ADMIN_ENDPOINT both use port {server.port}: give one of them another port"
    yield from _store(values["S3_ENDPOINT"], server, admin, values["S3D_CREATE_BUCKETS"])
    yield from _directories(values)
    if values["S3D_OPA_POLICY"] is not None and values["S3D_OPA_URL"] is not None:
        yield "S3D_OPA_POLICY and S3D_OPA_URL are both set, and only one of them can decide: unset the other"


def _directories(values: Mapping[str, Any]) -> Iterator[str]:
    """Each store has a directory of its own."""
    queue, cache, store = _write_queue_config(values), _read_cache_config(values), _store_config(values)
    used: dict[Path, str] = {}
    if isinstance(store, StandaloneConfig):
        used[store.directory.resolve()] = "the embedded store"
    for name, what, config in (
        ("S3D_WRITE_QUEUE_DIR", "the write queue", queue),
        ("S3D_READ_CACHE_DIR", "the read cache", cache),
    ):
        if config is not None and used.setdefault(config.directory.resolve(), what) != what:
            other = used[config.directory.resolve()]
            yield f"{name} is {other}'s own directory {config.directory}: choose another one"


def _store(store: str | Local | None, server: Endpoint, admin: Endpoint, buckets: object) -> Iterator[str]:
    if isinstance(store, Local):
        return
    if buckets is not None:
        yield (
            "S3D_CREATE_BUCKETS is for the embedded store, but S3_ENDPOINT is not local: or local:PATH: unset "
            "S3D_CREATE_BUCKETS, and make buckets of a remote by its own means"
        )
    for name, listener in (("S3D_ENDPOINT", server), ("S3D_ADMIN_ENDPOINT", admin)):
        if store is not None and is_same(store, listener.host, listener.port):
            yield f"S3_ENDPOINT is the address of {name}, s3d itself: set it to the remote, or change the port"


def _tls(server: Endpoint, values: Mapping[str, Any]) -> Iterator[str]:
    for name in ("S3D_TLS_CERT", "S3D_TLS_KEY"):
        if server.scheme == "https" and values[name] is None:
            yield f"{name} is not set, but S3D_ENDPOINT is https: set it to a PEM file, or use http:// in S3D_ENDPOINT"
        if server.scheme == "http" and values[name] is not None:
            yield f"{name} is set, but S3D_ENDPOINT is http: use https:// in S3D_ENDPOINT, or unset {name}"


def is_same(url: str, host: str, port: int) -> bool:
    """Whether an endpoint's URL is, or can be, the address of a listener of this machine."""
    parts = urlsplit(url)
    remote = Endpoint(parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    return _overlap(Endpoint("http", host, port), remote)


def _overlap(one: Endpoint, other: Endpoint) -> bool:
    """Whether both are, or can be, the same address of this machine."""
    if one.port != other.port or not one.port:
        return False
    hosts = {one.host, other.host}
    if len(hosts) == 1:
        return True
    if hosts & {"0.0.0.0", "::"}:  # noqa: S104  # compared with, not bound
        return all(host in ("0.0.0.0", "::") or is_loopback(host) for host in hosts)  # noqa: S104
    return "localhost" in hosts and bool(hosts & {"127.0.0.1", "::1"})


def _config(values: Mapping[str, Any], in_force: Mapping[str, InForce]) -> Config:
    server: Endpoint = values["S3D_ENDPOINT"]
    admin: Endpoint = values["S3D_ADMIN_ENDPOINT"]
    return Config(
        local_dir=values["S3D_LOCAL_DIR"],
        server=ServerConfig(
            host=server.host,
            port=server.port,
            domains=values["S3D_DOMAIN"],
            tls_cert=values["S3D_TLS_CERT"],
            tls_key=values["S3D_TLS_KEY"],
            idle_timeout=values["S3D_CLIENT_IDLE_TIMEOUT"],
            spool_dir=values["S3D_LOCAL_DIR"] / "spool",
        ),
        admin=AdminConfig(host=admin.host, port=admin.port, token=values["S3D_ADMIN_TOKEN"]),
        store=_store_config(values),
        write_queue=_write_queue_config(values),
        read_cache=_read_cache_config(values),
        rules=Rules(values["S3D_WRITE_QUEUE_FILTER"], values["S3D_READ_CACHE_FILTER"]),
        policy=_policy_config(values),
        log=LogConfig(level=values["S3D_LOG_LEVEL"], format=values["S3D_LOG_FORMAT"]),
        shutdown_grace=values["S3D_SHUTDOWN_GRACE"],
        settings=in_force,
    )


def _policy_config(values: Mapping[str, Any]) -> PolicyConfig | None:
    path, url = values["S3D_OPA_POLICY"], values["S3D_OPA_URL"]
    if path is None and url is None:
        return None
    on_error = OnError(values["S3D_OPA_ON_ERROR"])
    return PolicyConfig(path, url, on_error, values["S3D_OPA_TIMEOUT"], values["S3D_OPA_MAX_AGE"])


def _store_config(values: Mapping[str, Any]) -> RemoteConfig | StandaloneConfig:
    if isinstance(values["S3_ENDPOINT"], Local):
        directory = values["S3_ENDPOINT"].directory or values["S3D_LOCAL_DIR"] / "standalone"
        return StandaloneConfig(directory, values["S3D_CREATE_BUCKETS"] or ())
    return RemoteConfig(
        endpoint=values["S3_ENDPOINT"],
        addressing=values["S3D_REMOTE_ADDRESSING"],
        connect_timeout=values["S3D_REMOTE_CONNECT_TIMEOUT"],
        idle_timeout=values["S3D_REMOTE_IDLE_TIMEOUT"],
        response_timeout=values["S3D_REMOTE_RESPONSE_TIMEOUT"],
        max_connections=values["S3D_REMOTE_CONNECTIONS"],
        ca_bundle=values["S3D_REMOTE_CA_BUNDLE"],
    )


def _read_cache_config(values: Mapping[str, Any]) -> ReadCacheConfig | None:
    if not values["S3D_READ_CACHE"]:
        return None
    return ReadCacheConfig(
        directory=values["S3D_READ_CACHE_DIR"] or values["S3D_LOCAL_DIR"] / "read_cache",
        max_size=values["S3D_READ_CACHE_MAX_SIZE"],
        max_files=values["S3D_READ_CACHE_MAX_FILES"],
        max_object=values["S3D_READ_CACHE_MAX_OBJECT"],
        max_age=values["S3D_READ_CACHE_MAX_AGE"],
        stale=values["S3D_READ_CACHE_STALE"],
        negative_age=values["S3D_READ_CACHE_NEGATIVE_AGE"],
        deadline=values["S3D_READ_CACHE_DEADLINE"],
        tags=values["S3D_READ_CACHE_TAGS"],
        inactive=values["S3D_READ_CACHE_INACTIVE"],
        free_space=values["S3D_READ_CACHE_FREE_SPACE"],
    )


def _write_queue_config(values: Mapping[str, Any]) -> WriteQueueConfig | None:
    if not values["S3D_WRITE_QUEUE"]:
        return None
    return WriteQueueConfig(
        directory=values["S3D_WRITE_QUEUE_DIR"] or values["S3D_LOCAL_DIR"] / "write_queue",
        max_size=values["S3D_WRITE_QUEUE_MAX_SIZE"],
        max_files=values["S3D_WRITE_QUEUE_MAX_FILES"],
        max_age=values["S3D_WRITE_QUEUE_MAX_AGE"],
        max_wait=values["S3D_WRITE_QUEUE_MAX_WAIT"],
        free_space=values["S3D_WRITE_QUEUE_FREE_SPACE"],
        workers=values["S3D_WRITE_QUEUE_WORKERS"],
        max_bandwidth=values["S3D_WRITE_QUEUE_MAX_BANDWIDTH"],
        offline_list=values["S3D_OFFLINE_LIST"],
        unknown_buckets=values["S3D_WRITE_QUEUE_UNKNOWN_BUCKETS"],
        ledger_age=values["S3D_WRITE_QUEUE_LEDGER_AGE"],
        held_size=values["S3D_WRITE_QUEUE_HELD_MAX_SIZE"],
        held_files=values["S3D_WRITE_QUEUE_HELD_MAX_FILES"],
    )
