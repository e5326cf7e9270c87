"""The table of settings: everything that names, reads, documents or checks a setting derives from it.

One row carries the environment variable; the key in the TOML file and the flag of ``s3d run`` follow from its name.
Cheap to import: neither aiohttp nor botocore are behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from s3d.daemon import values


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of the daemon."""

    name: str
    """The environment variable."""
    metavar: str
    read: Callable[[str], object]
    """Raises `ValueError` that says what is accepted."""
    default: str | None
    """As text, read like any other value; None: unset."""
    help: str
    """One sentence, without the default."""
    secret: bool = False
    toml: tuple[type, ...] = (str,)
    """Types that the TOML file may use. Numbers are read as their text, a list as its items with commas."""
    in_file: bool = True

    @property
    def key(self) -> str:
        """The key in the TOML file, and the name of the flag's value: ``S3D_LOCAL_DIR`` is ``local_dir``."""
        return self.name.removeprefix("S3D_").lower()

    @property
    def flag(self) -> str:
        """The flag of ``s3d run``: ``S3D_LOCAL_DIR`` is ``--local-dir``."""
        return "--" + self.key.replace("_", "-")


_NUMBERS = (str, int, float)

_ROWS = (
    Setting("S3D_CONFIG", "FILE", values.path, None, "TOML file with settings.", in_file=False),
    Setting("S3D_LOCAL_DIR", "DIR", values.path, "~/.s3d", "Local storage directory."),
    Setting("S3D_ENDPOINT", "URL", values.listen(33333), "http://localhost:33333", "Address to serve the S3 API on."),
    Setting(
        "S3D_ADMIN_ENDPOINT",
        "URL",
        values.listen(33334),
        "http://localhost:33334",
        "Address of the admin listener: health and status; loopback unless a token is set.",
    ),
    Setting(
        "S3D_ADMIN_TOKEN",
        "TOKEN",
        values.secret,
        None,
        "Bearer token of the admin listener; set it in the environment, since flags show in process lists.",
        secret=True,
    ),
    Setting(
        "S3_ENDPOINT",
        "URL",
        values.store,
        None,
        "Remote S3; unset, it is AWS or what the AWS configuration names; `local:` or `local:PATH` is the embedded store.",
    ),
    Setting(
        "S3D_CREATE_BUCKETS",
        "NAMES",
        values.bucket_names,
        None,
        "Buckets that the embedded store makes at its start, separated by commas or spaces.",
        toml=(str, list),
    ),
    Setting(
        "S3D_DOMAIN",
        "NAMES",
        values.domains,
        "localhost",
        "Base domains of virtual-host addressing, separated by commas or spaces.",
        toml=(str, list),
    ),
    Setting(
        "S3D_REMOTE_ADDRESSING",
        "STYLE",
        values.choice("auto", "path", "virtual"),
        "auto",
        "How the remote is told the bucket: in the path, in the host name (virtual), or by what it is (auto).",
    ),
    Setting(
        "S3D_REMOTE_CONNECT_TIMEOUT",
        "AGE",
        values.duration,
        "3s",
        "How long to wait for a connection to the remote.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_REMOTE_IDLE_TIMEOUT",
        "AGE",
        values.duration,
        "60s",
        "How long the remote may be silent in the middle of a body.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_REMOTE_RESPONSE_TIMEOUT",
        "AGE",
        values.duration,
        "300s",
        "How long to wait for the remote's answer after the last byte of a request.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_REMOTE_CONNECTIONS",
        "COUNT",
        values.count,
        "256",
        "How many connections to the remote may be open at a time.",
        toml=(str, int),
    ),
    Setting(
        "S3D_REMOTE_CA_BUNDLE",
        "FILE",
        values.readable_file,
        None,
        "PEM file of the certificates to trust in the remote; unset, the system's.",
    ),
    Setting(
        "S3D_WRITE_QUEUE",
        "SWITCH",
        values.switch,
        "off",
        "Whether changes of objects are accepted on this machine and pushed to the remote in the background.",
        toml=(str, bool),
    ),
    Setting(
        "S3D_WRITE_QUEUE_DIR",
        "DIR",
        values.path,
        None,
        "Directory of the write queue; unset, `write_queue` in the local storage directory.",
    ),
    Setting(
        "S3D_WRITE_QUEUE_MAX_SIZE",
        "SIZE",
        values.size,
        "1GB",
        "How many bytes may wait in the write queue.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_WRITE_QUEUE_MAX_FILES",
        "COUNT",
        values.count,
        "100",
        "How many objects may wait in the write queue.",
        toml=(str, int),
    ),
    Setting(
        "S3D_WRITE_QUEUE_FILTER",
        "FILTER",
        values.filters,
        None,
        "Which objects are pushed (docs/filters.md), the others are held; unset, all.",
    ),
    Setting(
        "S3D_WRITE_QUEUE_HELD_MAX_SIZE",
        "SIZE",
        values.size,
        "10GB",
        "How many bytes of objects may be held back by the filter.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_WRITE_QUEUE_HELD_MAX_FILES",
        "COUNT",
        values.count,
        "10000",
        "How many objects may be held back by the filter.",
        toml=(str, int),
    ),
    Setting(
        "S3D_WRITE_QUEUE_MAX_AGE",
        "AGE",
        values.duration,
        "3600",
        "How long an operation may wait in the write queue before that is warned of.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_WRITE_QUEUE_MAX_WAIT",
        "AGE",
        values.duration,
        "10s",
        "How long a request waits for room in the write queue, or for its key to be pushed.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_WRITE_QUEUE_FREE_SPACE",
        "SIZE",
        values.size_or_zero,
        "1GB",
        "What the write queue leaves free on its disk; 0: it does not look.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_WRITE_QUEUE_WORKERS",
        "COUNT",
        values.count,
        "8",
        "How many operations are pushed at a time.",
        toml=(str, int),
    ),
    Setting(
        "S3D_WRITE_QUEUE_MAX_BANDWIDTH",
        "RATE",
        values.bandwidth,
        None,
        "Bytes per second that are pushed at most, also by time of day: `1MB 08:00-18:00, 10MB`; unset, all that there is.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_WRITE_QUEUE_UNKNOWN_BUCKETS",
        "HOW",
        values.choice("refuse", "accept"),
        "refuse",
        "What becomes of a write to a bucket that the remote was never asked for, while the remote is away.",
    ),
    Setting(
        "S3D_WRITE_QUEUE_LEDGER_AGE",
        "AGE",
        values.duration,
        "7d",
        "How long the write queue remembers what it has pushed.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_READ_CACHE",
        "SWITCH",
        values.switch,
        "off",
        "Whether objects that are read are kept on this machine and answered from there.",
        toml=(str, bool),
    ),
    Setting(
        "S3D_READ_CACHE_DIR",
        "DIR",
        values.path,
        None,
        "Directory of the read cache; unset, `read_cache` in the local storage directory.",
    ),
    Setting(
        "S3D_READ_CACHE_FILTER",
        "FILTER",
        values.filters,
        None,
        "Which objects are kept in the read cache (docs/filters.md); unset, all.",
    ),
    Setting(
        "S3D_READ_CACHE_MAX_SIZE",
        "SIZE",
        values.size,
        "1GB",
        "How many bytes of objects may be in the read cache.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_READ_CACHE_MAX_FILES",
        "COUNT",
        values.count,
        "100000",
        "Of how many objects there may be bytes in the read cache.",
        toml=(str, int),
    ),
    Setting(
        "S3D_READ_CACHE_MAX_OBJECT",
        "SIZE",
        values.size,
        None,
        "How large an object in the read cache may be; unset, as large as the cache.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_READ_CACHE_MAX_AGE",
        "AGE",
        values.duration_or_zero,
        "3600",
        "How long after the remote has confirmed a version it is not asked again; 0: it is asked each time.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_READ_CACHE_STALE",
        "AGE",
        values.duration_or_zero,
        "1d",
        "How much longer a version is served while the remote is away.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_READ_CACHE_NEGATIVE_AGE",
        "AGE",
        values.duration_or_zero,
        "5s",
        "How long it is remembered that there is no such object.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_READ_CACHE_DEADLINE",
        "AGE",
        values.duration,
        "5s",
        "How long the remote may take to confirm a version before it is served stale.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_READ_CACHE_INACTIVE",
        "AGE",
        values.duration,
        "30d",
        "How long an object that nobody reads stays in the read cache.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_READ_CACHE_TAGS",
        "SWITCH",
        values.switch,
        "on",
        "Whether the remote is asked for the tags of buckets and objects that are read: `s3d.cache=pin` pins them.",
        toml=(str, bool),
    ),
    Setting(
        "S3D_READ_CACHE_FREE_SPACE",
        "SIZE",
        values.size_or_zero,
        "1GB",
        "What the read cache leaves free on its disk; 0: it does not look.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_OPA_POLICY",
        "PATH",
        values.path,
        None,
        "Rego file or directory of the policy that s3d evaluates itself (docs/policy.md); unset, there is none.",
    ),
    Setting(
        "S3D_OPA_URL",
        "URL",
        values.policy_url,
        None,
        "Document of an Open Policy Agent server that is asked instead, such as `http://127.0.0.1:8181/v1/data/s3d`.",
    ),
    Setting(
        "S3D_OPA_ON_ERROR",
        "HOW",
        values.choice("hold", "allow", "deny"),
        "hold",
        "What is decided when the policy gives no answer: objects are held, or it counts as silent, or all is refused.",
    ),
    Setting(
        "S3D_OPA_TIMEOUT",
        "AGE",
        values.duration,
        "1s",
        "How long an evaluation of the policy may take, or an answer of the policy server.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_OPA_MAX_AGE",
        "AGE",
        values.duration_or_zero,
        "1s",
        "How long an answer of the policy server counts for equal questions.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_OFFLINE_LIST",
        "HOW",
        values.choice("refuse", "local"),
        "refuse",
        "What a list is while the remote is away: refused, or what is in the write queue, marked as partial.",
    ),
    Setting(
        "S3D_TLS_CERT", "FILE", values.readable_file, None, "PEM file of the certificate chain for an https endpoint."
    ),
    Setting("S3D_TLS_KEY", "FILE", values.readable_file, None, "PEM file of the private key for an https endpoint."),
    Setting(
        "S3D_LOG_LEVEL",
        "LEVEL",
        values.choice("debug", "info", "warning", "error"),
        "info",
        "What to log: debug, info, warning or error and everything more severe.",
    ),
    Setting(
        "S3D_LOG_FORMAT",
        "FORMAT",
        values.choice("auto", "text", "json"),
        "auto",
        "Form of the log: text, json (one object a line), or auto: text on a terminal, else json.",
    ),
    Setting(
        "S3D_SHUTDOWN_GRACE",
        "AGE",
        values.duration_or_zero,
        "30s",
        "How long requests in flight may take to finish after SIGTERM.",
        toml=_NUMBERS,
    ),
    Setting(
        "S3D_CLIENT_IDLE_TIMEOUT",
        "AGE",
        values.duration,
        "60s",
        "How long a client's connection may be silent before it is closed.",
        toml=_NUMBERS,
    ),
)

SETTINGS: dict[str, Setting] = {row.name: row for row in _ROWS}
"""Every setting of this version by its environment variable, in the order of the documentation."""


def closest(name: str, known: list[str]) -> str | None:
    """The known name that a person most probably meant, or None."""
    import difflib  # a millisecond that only a mistake costs

    return next(iter(difflib.get_close_matches(name, known, 1, 0.7)), None)
