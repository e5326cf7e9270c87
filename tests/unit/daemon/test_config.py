"""Loading the configuration: every setting's way into it, precedence, and contradictions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from s3d.daemon.config import AdminConfig, Config, ConfigError, InForce, LogConfig, embedded_store, load
from s3d.daemon.settings import SETTINGS
from s3d.daemon.values import Secret
from s3d.policy.config import PolicyConfig
from s3d.read_cache.config import ReadCacheConfig
from s3d.remote.config import RemoteConfig
from s3d.server.config import ServerConfig
from s3d.standalone.config import StandaloneConfig
from s3d.write_queue.bandwidth import Schedule, Window
from s3d.write_queue.config import WriteQueueConfig


def problems(flags: dict[str, str | None] | None = None, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(flags or {}, environ)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    config = load({}, {})
    home = Path("/home/someone/.s3d")
    assert config.local_dir == home
    assert config.server == ServerConfig("localhost", 33333, spool_dir=home / "spool")
    assert config.admin == AdminConfig("localhost", 33334)
    assert config.store == RemoteConfig()
    assert config.log == LogConfig()
    assert config.shutdown_grace == 30


def test_the_whole_is_frozen() -> None:
    config = load({}, {})
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.shutdown_grace = 1  # type: ignore[misc]  # that it is refused is the point


def in_config(config: Config, name: str) -> object:
    if isinstance(config.store, StandaloneConfig):
        return {"S3_ENDPOINT": config.store.directory, "S3D_CREATE_BUCKETS": config.store.buckets}[name]
    queue = config.write_queue or WriteQueueConfig(Path("/none"), max_age=0)
    cache = config.read_cache or ReadCacheConfig(Path("/none"), max_age=-1)
    policy = config.policy or PolicyConfig()
    where = {
        "S3D_LOCAL_DIR": config.local_dir,
        "S3D_ENDPOINT": (config.server.host, config.server.port),
        "S3D_ADMIN_ENDPOINT": (config.admin.host, config.admin.port),
        "S3D_ADMIN_TOKEN": config.admin.token,
        "S3_ENDPOINT": config.store.endpoint,
        "S3D_CREATE_BUCKETS": (),
        "S3D_DOMAIN": config.server.domains,
        "S3D_REMOTE_ADDRESSING": config.store.addressing,
        "S3D_REMOTE_CONNECT_TIMEOUT": config.store.connect_timeout,
        "S3D_REMOTE_IDLE_TIMEOUT": config.store.idle_timeout,
        "S3D_REMOTE_RESPONSE_TIMEOUT": config.store.response_timeout,
        "S3D_REMOTE_CONNECTIONS": config.store.max_connections,
        "S3D_REMOTE_CA_BUNDLE": config.store.ca_bundle,
        "S3D_WRITE_QUEUE": config.write_queue is not None,
        "S3D_WRITE_QUEUE_DIR": queue.directory,
        "S3D_WRITE_QUEUE_MAX_SIZE": queue.max_size,
        "S3D_WRITE_QUEUE_MAX_FILES": queue.max_files,
        "S3D_WRITE_QUEUE_FILTER": str(config.rules.upload),
        "S3D_WRITE_QUEUE_HELD_MAX_SIZE": queue.held_size,
        "S3D_WRITE_QUEUE_HELD_MAX_FILES": queue.held_files,
        "S3D_WRITE_QUEUE_MAX_AGE": queue.max_age,
        "S3D_WRITE_QUEUE_MAX_WAIT": queue.max_wait,
        "S3D_WRITE_QUEUE_FREE_SPACE": queue.free_space,
        "S3D_WRITE_QUEUE_WORKERS": queue.workers,
        "S3D_WRITE_QUEUE_MAX_BANDWIDTH": queue.max_bandwidth,
        "S3D_WRITE_QUEUE_UNKNOWN_BUCKETS": queue.unknown_buckets,
        "S3D_WRITE_QUEUE_LEDGER_AGE": queue.ledger_age,
        "S3D_READ_CACHE": config.read_cache is not None,
        "S3D_READ_CACHE_DIR": cache.directory,
        "S3D_READ_CACHE_FILTER": str(config.rules.cache),
        "S3D_READ_CACHE_MAX_SIZE": cache.max_size,
        "S3D_READ_CACHE_MAX_FILES": cache.max_files,
        "S3D_READ_CACHE_MAX_OBJECT": cache.max_object,
        "S3D_READ_CACHE_MAX_AGE": cache.max_age,
        "S3D_READ_CACHE_STALE": cache.stale,
        "S3D_READ_CACHE_NEGATIVE_AGE": cache.negative_age,
        "S3D_READ_CACHE_DEADLINE": cache.deadline,
        "S3D_READ_CACHE_INACTIVE": cache.inactive,
        "S3D_READ_CACHE_TAGS": cache.tags,
        "S3D_READ_CACHE_FREE_SPACE": cache.free_space,
        "S3D_OPA_POLICY": policy.policy,
        "S3D_OPA_URL": policy.url,
        "S3D_OPA_ON_ERROR": str(policy.on_error),
        "S3D_OPA_TIMEOUT": policy.timeout,
        "S3D_OPA_MAX_AGE": policy.max_age,
        "S3D_OFFLINE_LIST": queue.offline_list,
        "S3D_TLS_CERT": config.server.tls_cert,
        "S3D_TLS_KEY": config.server.tls_key,
        "S3D_LOG_LEVEL": config.log.level,
        "S3D_LOG_FORMAT": config.log.format,
        "S3D_SHUTDOWN_GRACE": config.shutdown_grace,
        "S3D_CLIENT_IDLE_TIMEOUT": config.server.idle_timeout,
    }
    return where[name]


GOOD: dict[str, tuple[str, object]] = {
    "S3D_LOCAL_DIR": ("/data", Path("/data")),
    "S3D_ENDPOINT": ("http://127.0.0.2:1", ("127.0.0.2", 1)),
    "S3D_ADMIN_ENDPOINT": ("http://[::1]:2", ("::1", 2)),
    "S3D_ADMIN_TOKEN": ("token", Secret("token")),
    "S3_ENDPOINT": ("https://remote.test", "https://remote.test"),
    "S3D_CREATE_BUCKETS": ("one,two", ("one", "two")),
    "S3D_DOMAIN": ("a.test b.test", ("a.test", "b.test")),
    "S3D_REMOTE_ADDRESSING": ("virtual", "virtual"),
    "S3D_REMOTE_CONNECT_TIMEOUT": ("1s", 1.0),
    "S3D_REMOTE_IDLE_TIMEOUT": ("2m", 120.0),
    "S3D_REMOTE_RESPONSE_TIMEOUT": ("1h", 3600.0),
    "S3D_REMOTE_CONNECTIONS": ("7", 7),
    "S3D_WRITE_QUEUE": ("yes", True),
    "S3D_WRITE_QUEUE_DIR": ("/queue", Path("/queue")),
    "S3D_WRITE_QUEUE_MAX_SIZE": ("5MB", 5_000_000),
    "S3D_WRITE_QUEUE_MAX_FILES": ("7", 7),
    "S3D_WRITE_QUEUE_FILTER": (" b/*  !b/tmp/* ", "b/* !b/tmp/*"),
    "S3D_WRITE_QUEUE_HELD_MAX_SIZE": ("8MB", 8_000_000),
    "S3D_WRITE_QUEUE_HELD_MAX_FILES": ("9", 9),
    "S3D_WRITE_QUEUE_MAX_AGE": ("1d", 86400.0),
    "S3D_WRITE_QUEUE_MAX_WAIT": ("1m", 60.0),
    "S3D_WRITE_QUEUE_FREE_SPACE": ("0", 0),
    "S3D_WRITE_QUEUE_WORKERS": ("3", 3),
    "S3D_WRITE_QUEUE_MAX_BANDWIDTH": ("1MB 08:00-18:00", Schedule((Window(1e6, 480, 1080),))),
    "S3D_WRITE_QUEUE_UNKNOWN_BUCKETS": ("accept", "accept"),
    "S3D_WRITE_QUEUE_LEDGER_AGE": ("1h", 3600.0),
    "S3D_READ_CACHE": ("on", True),
    "S3D_READ_CACHE_DIR": ("/cache", Path("/cache")),
    "S3D_READ_CACHE_FILTER": ("b[tag:a=b]/*", "b[tag:a=b]/*"),
    "S3D_READ_CACHE_MAX_SIZE": ("6MB", 6_000_000),
    "S3D_READ_CACHE_MAX_FILES": ("8", 8),
    "S3D_READ_CACHE_MAX_OBJECT": ("7MB", 7_000_000),
    "S3D_READ_CACHE_MAX_AGE": ("0", 0.0),
    "S3D_READ_CACHE_STALE": ("2d", 172800.0),
    "S3D_READ_CACHE_NEGATIVE_AGE": ("1m", 60.0),
    "S3D_READ_CACHE_DEADLINE": ("3s", 3.0),
    "S3D_READ_CACHE_INACTIVE": ("2d", 172800.0),
    "S3D_READ_CACHE_TAGS": ("off", False),
    "S3D_READ_CACHE_FREE_SPACE": ("0", 0),
    "S3D_OPA_POLICY": ("/policy.rego", Path("/policy.rego")),
    "S3D_OPA_URL": ("http://opa.test:8181/v1/data/s3d", "http://opa.test:8181/v1/data/s3d"),
    "S3D_OPA_ON_ERROR": ("deny", "deny"),
    "S3D_OPA_TIMEOUT": ("3s", 3.0),
    "S3D_OPA_MAX_AGE": ("0", 0.0),
    "S3D_OFFLINE_LIST": ("local", "local"),
    "S3D_LOG_LEVEL": ("debug", "debug"),
    "S3D_LOG_FORMAT": ("json", "json"),
    "S3D_SHUTDOWN_GRACE": ("0", 0.0),
    "S3D_CLIENT_IDLE_TIMEOUT": ("5", 5.0),
}
OF_THE_CACHE = {name for name in GOOD if name.startswith("S3D_READ_CACHE_")}
OF_THE_POLICY = {"S3D_OPA_ON_ERROR", "S3D_OPA_TIMEOUT", "S3D_OPA_MAX_AGE"}
OF_THE_QUEUE = {name for name in GOOD if name.startswith("S3D_WRITE_QUEUE_")} | {"S3D_OFFLINE_LIST"}
FILES = {"S3D_REMOTE_CA_BUNDLE", "S3D_TLS_CERT", "S3D_TLS_KEY"}


def test_every_setting_is_tested() -> None:
    assert set(SETTINGS) == GOOD.keys() | FILES | {"S3D_CONFIG"}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("by", ["flag", "environment", "file"])
def test_each_setting_by_each_way(name: str, by: str, tmp_path: Path) -> None:
    text, value = GOOD[name]
    key = SETTINGS[name].key
    file = tmp_path / "s3d.toml"
    file.write_text(f'{key} = "{text}"\n')
    others = {"S3_ENDPOINT": "local:"} if name == "S3D_CREATE_BUCKETS" else {}
    others |= {"S3D_WRITE_QUEUE": "on"} if name in OF_THE_QUEUE else {}
    others |= {"S3D_READ_CACHE": "on"} if name in OF_THE_CACHE else {}
    others |= {"S3D_OPA_POLICY": "/policy.rego"} if name in OF_THE_POLICY else {}
    if by == "flag":
        config, source = load({key: text}, others), f"the flag {SETTINGS[name].flag}"
    elif by == "environment":
        config, source = load({}, others | {name: text}), "the environment"
    else:
        config, source = load({}, others | {"S3D_CONFIG": str(file)}), f"{file}, key {key}"
    assert in_config(config, name) == value
    assert in_config(load({}, {}), name) != value, "the test's value must not be the default"
    assert config.settings[name] == InForce("***" if name == "S3D_ADMIN_TOKEN" else text, source)


def test_the_embedded_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert load({}, {"S3_ENDPOINT": "local:"}).store == StandaloneConfig(Path("/home/someone/.s3d/standalone"))
    config = load({}, {"S3_ENDPOINT": "local:", "S3D_LOCAL_DIR": "/data", "S3D_CREATE_BUCKETS": "one two"})
    assert config.store == StandaloneConfig(Path("/data/standalone"), ("one", "two"))
    assert config.server.spool_dir == Path("/data/spool")
    assert load({}, {"S3_ENDPOINT": "local:~/x"}).store == StandaloneConfig(Path("/home/someone/x"))
    assert config.settings["S3_ENDPOINT"].value == "local:"


@pytest.mark.parametrize("endpoint", [{}, {"S3_ENDPOINT": ""}, {"S3_ENDPOINT": "https://remote.test"}])
def test_nothing_but_local_leads_to_the_embedded_store(endpoint: dict[str, str]) -> None:
    environ = {"S3D_LOCAL_DIR": "/data", "AWS_ENDPOINT_URL": "local:", "AWS_ENDPOINT_URL_S3": "local:"}
    assert isinstance(load({}, environ | endpoint).store, RemoteConfig)


def test_one_policy_only() -> None:
    (found,) = problems(S3D_OPA_POLICY="/policy.rego", S3D_OPA_URL="http://opa.test/v1/data/s3d")
    assert found.startswith("S3D_OPA_POLICY and S3D_OPA_URL are both set")


@pytest.mark.parametrize("endpoint", [{}, {"S3_ENDPOINT": "https://remote.test"}])
def test_buckets_of_a_remote_are_not_made(endpoint: dict[str, str]) -> None:
    (found,) = problems(S3D_CREATE_BUCKETS="one", **endpoint)
    assert found.startswith("S3D_CREATE_BUCKETS is for the embedded store, but S3_ENDPOINT is not local:")


def test_a_bucket_that_cannot_be_is_named() -> None:
    (found,) = problems(S3_ENDPOINT="local:", S3D_CREATE_BUCKETS="one No")
    assert found.startswith("S3D_CREATE_BUCKETS is 'one No' (from the environment): accepted are names of buckets")
    assert found.endswith("'No' is not one")


def test_the_embedded_store_to_check(tmp_path: Path) -> None:
    default = StandaloneConfig(Path("/data/standalone"))
    for endpoint in ({}, {"S3_ENDPOINT": "https://remote.test"}, {"S3_ENDPOINT": "local:"}):
        assert embedded_store({"S3D_LOCAL_DIR": "/data"} | endpoint) == default
    assert embedded_store({"S3_ENDPOINT": "local:/x"}) == StandaloneConfig(Path("/x"))
    (tmp_path / "s3d.toml").write_text('s3_endpoint = "local:/y"\n')
    assert embedded_store({"S3D_CONFIG": str(tmp_path / "s3d.toml")}) == StandaloneConfig(Path("/y"))


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    file.write_text("pem")
    environ = dict.fromkeys(FILES, str(file)) | {"S3D_ENDPOINT": "https://localhost"}
    config = load({}, environ)
    assert {name: in_config(config, name) for name in FILES} == dict.fromkeys(FILES, file)
    for name in FILES:
        found = problems(**(environ | {name: str(tmp_path / "none")}))
        assert found == [f"{name} is {str(tmp_path / 'none')!r} (from the environment): there is no such file"]


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    file = tmp_path / "{s3d}.toml"  # braces: the name is no format
    file.write_text('log_level = "error"\nlog_format = "text"\ndomain = ["file.test"]\n')
    environ = {"S3D_CONFIG": str(file), "S3D_LOG_LEVEL": "warning", "S3D_LOG_FORMAT": "json"}
    config = load({"log_level": "debug", "log_format": None}, environ)
    assert (config.log, config.server.domains) == (LogConfig("debug", "json"), ("file.test",))
    assert config.settings["S3D_DOMAIN"].source == f"{file}, key domain"


def test_the_flag_for_the_file_wins_too(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f'domain = "{name}.test"')
    config = load({"config": str(tmp_path / "two")}, {"S3D_CONFIG": str(tmp_path / "one")})
    assert config.server.domains == ("two.test",)


def test_a_bad_value_says_what_where_and_what_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "s3d.toml"
    file.write_text('remote_connections = "many"\n')
    found = problems({"log_level": "loud"}, S3D_CONFIG=str(file), S3D_SHUTDOWN_GRACE="soon")
    assert found == [
        f"S3D_REMOTE_CONNECTIONS is 'many' (from {file}, key remote_connections): accepted is a whole number from 1 on",
        "S3D_LOG_LEVEL is 'loud' (from the flag --log-level): accepted are debug, info, warning and error",
        "S3D_SHUTDOWN_GRACE is 'soon' (from the environment): accepted are seconds or a number with ms, s, m, h or d, "
        "such as 90s, 1.5h or 500ms",
    ]


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "S3D_CONFIG"])
def test_each_setting_refuses_nonsense(name: str) -> None:
    found = problems(**{name: "\0"})
    assert len(found) == 1
    assert found[0].startswith(f"{name} is ")
    assert "(from the environment): " in found[0]


def test_unknown_keys_of_all_sources_are_told_together(tmp_path: Path) -> None:
    file = tmp_path / "s3d.toml"
    file.write_text("sync_folder = true\n")
    found = problems(S3D_CONFIG=str(file), S3D_SYNC_FOLDER="1")
    assert len(found) == 2
    assert "S3D_SYNC_FOLDER" in found[0]
    assert "sync_folder" in found[1]


def test_a_config_file_that_cannot_be(tmp_path: Path) -> None:
    assert "cannot read" in problems(S3D_CONFIG=str(tmp_path / "none"))[0]
    assert problems(S3D_CONFIG="\0") == [
        "S3D_CONFIG is '\\x00' (from the environment): accepted is the path of a file or directory"
    ]


def test_secrets_are_in_no_text() -> None:
    config = load({}, {"S3D_ADMIN_TOKEN": "hunter2"})
    assert "hunter2" not in repr(config)
    assert "hunter2" not in "".join(problems(S3D_ADMIN_TOKEN="hunter2 with spaces"))
    assert "hunter2" not in "".join(problems(S3_ENDPOINT="http://me:hunter2@remote.test/"))


def test_admin_beyond_loopback_needs_a_token() -> None:
    found = problems(S3D_ADMIN_ENDPOINT="http://0.0.0.0:9000")
    assert found == [
        "S3D_ADMIN_ENDPOINT: others than this machine can reach 0.0.0.0: set S3D_ADMIN_TOKEN, or use "
        "http://localhost:9000"
    ]
    config = load({}, {"S3D_ADMIN_ENDPOINT": "http://0.0.0.0:9000", "S3D_ADMIN_TOKEN": "t"})
    assert config.admin == AdminConfig("0.0.0.0", 9000, Secret("t"))


def test_admin_speaks_http_only() -> None:
    assert "write http://" in problems(S3D_ADMIN_ENDPOINT="https://localhost")[0]


def test_tls_settings_go_together(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    file.write_text("pem")
    found = problems(S3D_ENDPOINT="https://localhost", S3D_TLS_CERT=str(file))
    assert found == [
        "S3D_TLS_KEY is not set, but S3D_ENDPOINT is https: set it to a PEM file, or use http:// in S3D_ENDPOINT"
    ]
    assert len(problems(S3D_ENDPOINT="https://localhost")) == 2
    found = problems(S3D_TLS_CERT=str(file), S3D_TLS_KEY=str(file))
    assert (
        found[0] == "S3D_TLS_CERT is set, but S3D_ENDPOINT is http: use https:// in S3D_ENDPOINT, or unset S3D_TLS_CERT"
    )


@pytest.mark.parametrize(
    "remote", ["http://localhost:33333", "http://127.0.0.1:33333", "http://[::1]:33333", "http://localhost:33334"]
)
def test_s3d_is_not_its_own_remote(remote: str) -> None:
    assert "s3d itself" in problems(S3_ENDPOINT=remote)[0]


def test_the_same_port_elsewhere_is_another_address() -> None:
    load({}, {"S3_ENDPOINT": "http://remote.test:33333"})
    load({}, {"S3D_ENDPOINT": "http://0.0.0.0:80", "S3_ENDPOINT": "http://remote.test"})
    load({}, {"S3D_ENDPOINT": "http://127.0.0.2:33333", "S3_ENDPOINT": "http://127.0.0.1:33333"})


def test_a_wildcard_listener_covers_loopback() -> None:
    assert "s3d itself" in problems(S3D_ENDPOINT="http://0.0.0.0:80", S3_ENDPOINT="http://localhost")[0]


def test_listeners_need_two_ports() -> None:
    assert "give one of them another port" in problems(S3D_ENDPOINT="http://localhost:33334")[0]
    config = load({}, {"S3D_ENDPOINT": "http://localhost:0", "S3D_ADMIN_ENDPOINT": "http://localhost:0"})
    assert (config.server.port, config.admin.port) == (0, 0)
