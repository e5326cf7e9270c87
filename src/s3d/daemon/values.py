"""Readers of setting values: text in, value out.

Each raises `ValueError` whose text says what is accepted; the caller adds the name of the setting, the value and where
it came from. Cheap to import: ``s3d --help`` gets here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from s3d.filters.match import Filters
from s3d.filters.parse import FilterError
from s3d.filters.units import BYTES, LONGEST, SECONDS, number_and_unit
from s3d.write_queue.bandwidth import Schedule, Window

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


class Secret:
    """Text that does not print itself: not in logs, tracebacks, ``repr`` or formatted strings; `reveal` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written to files")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Scheme, host (name, IPv4, or IPv6 without brackets; lower case) and port of a URL."""

    scheme: str
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"


def bracketed(host: str) -> str:
    """The host as it stands in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host. Names other than ``localhost`` can mean anything: no."""
    if host == "localhost":
        return True
    address = _address(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.is_loopback
    return address is not None and address.is_loopback


def duration(text: str) -> float:
    """Seconds, more than none: ``90s``, ``1.5h``, ``500ms``; a plain number is seconds."""
    seconds = duration_or_zero(text)
    if not seconds:
        raise ValueError("must be longer than 0")
    return seconds


def duration_or_zero(text: str) -> float:
    """Seconds, as `duration`, or 0."""
    number, unit = number_and_unit(text)
    if number is None or unit not in SECONDS:
        raise ValueError("accepted are seconds or a number with ms, s, m, h or d, such as 90s, 1.5h or 500ms")
    seconds = number * SECONDS[unit]
    if seconds > LONGEST:
        raise ValueError("must be at most 365d")
    return seconds


def size(text: str) -> int:
    """Bytes: ``64MB`` (powers of 1000), ``1GiB`` (powers of 1024); a plain number is bytes."""
    number, unit = number_and_unit(text)
    if number is None or unit not in BYTES:
        raise ValueError(
            "accepted are bytes or a number with kB, MB, GB, TB, KiB, MiB, GiB or TiB, such as 64MB or 1GiB"
        )
    return round(number * BYTES[unit])


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()) or not int(text):
        raise ValueError("accepted is a whole number from 1 on")
    return int(text)


def switch(text: str) -> bool:
    """``on`` or ``off``, in one of the usual spellings."""
    found = {"on": True, "true": True, "1": True, "yes": True, "off": False, "false": False, "0": False, "no": False}
    if (value := found.get(text.strip().lower())) is None:
        raise ValueError("write on or off")
    return value


def policy_url(text: str) -> str:
    """Of a document of an OPA server."""
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.startswith("/v1/data/"):
        raise ValueError("accepted is the URL of a document, such as http://127.0.0.1:8181/v1/data/s3d")
    return text.strip()


def filters(text: str) -> Filters:
    """See docs/filters.md."""
    try:
        return Filters.of(text)
    except FilterError as error:
        raise ValueError(f"accepted are filters (docs/filters.md): {error}") from error


def size_or_zero(text: str) -> int:
    """As `size`; 0 switches off what it is for."""
    return 0 if text.strip() == "0" else size(text)


def bandwidth(text: str) -> Schedule:
    """Bytes per second, also by time of day: ``1MB 08:00-18:00, 10MB``. Of several the first that holds counts."""
    windows = []
    for part in text.split(","):
        rate, _, hours = part.strip().partition(" ")
        try:
            start, end = (_minute(time) for time in hours.split("-")) if hours.strip() else (None, None)
            windows.append(Window(float(size(rate.removesuffix("/s"))), start, end))
        except ValueError as error:
            message = "write bytes per second such as 10MB, with hours if it is not for all day: 1MB 08:00-18:00, 10MB"
            raise ValueError(message) from error
    return Schedule(tuple(windows))


def _minute(text: str) -> int:
    """Of a day. ValueError."""
    hour, _, minute = text.strip().partition(":")
    found = int(hour) * 60 + int(minute)
    if not (len(minute) == 2 and 0 <= int(minute) < 60 and 0 <= found <= 24 * 60):
        raise ValueError(text)
    return found


def choice(*accepted: str) -> Callable[[str], str]:
    """A reader of one of these words, upper or lower case."""

    def read(text: str) -> str:
        word = text.strip().lower()
        if word not in accepted:
            raise ValueError(f"accepted are {', '.join(accepted[:-1])} and {accepted[-1]}")
        return word

    return read


def path(text: str) -> Path:
    """An absolute path; ``~`` is the home directory, a relative path counts from the working directory."""
    if not text or "\0" in text:
        raise ValueError("accepted is the path of a file or directory")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:  # how pathlib says that there is no home directory
        raise ValueError("there is no home directory for '~' here: give an absolute path") from error


def readable_file(text: str) -> Path:
    """The path of a file that exists and can be read now, so that a wrong one is found at the start."""
    file = path(text)
    if not file.is_file():
        raise ValueError("there is no such file")
    if not os.access(file, os.R_OK):
        raise ValueError("the file cannot be read: check its owner and permissions")
    return file


def secret(text: str) -> Secret:
    """A token as an HTTP header can carry it: visible ASCII characters (RFC 6750 section 2.1)."""
    token = text.strip()
    if not token or not re.fullmatch(r"[!-~]+", token):
        raise ValueError("accepted are visible ASCII characters without spaces, at least one")
    return Secret(token)


def domains(text: str) -> tuple[str, ...]:
    """Domain names, separated by commas or spaces; lower case, each once."""
    names = [name.removesuffix(".") for name in text.lower().replace(",", " ").split()]
    for name in names:
        if not _HOST_NAME.fullmatch(name) or _address(name):
            raise ValueError(f"accepted are domain names, separated by commas or spaces; {name!r} is not one")
    if not names:
        raise ValueError("accepted are domain names, separated by commas or spaces")
    return tuple(dict.fromkeys(names))


def listen(default_port: int) -> Callable[[str], Endpoint]:
    """A reader of the URL of a listener. Port 0 is any free port."""

    def read(text: str) -> Endpoint:
        url, host, port = _url(text, f"http://localhost:{default_port}")
        return Endpoint(url.scheme, host, default_port if port is None else port)

    return read


def remote_endpoint(text: str) -> str:
    """The URL of a remote, in normal form."""
    url, host, port = _url(text, "https://s3.example.com")
    if port == 0:
        raise ValueError("port 0 is no port of a remote")
    return f"{url.scheme}://{bracketed(host)}" + (f":{port}" if port else "")


@dataclass(frozen=True, slots=True)
class Local:
    """The embedded store: ``directory``, or None for the one below the local storage directory."""

    directory: Path | None


def store(text: str) -> str | Local:
    """Where objects are kept: the URL of a remote, in normal form, or ``local:`` or ``local:PATH``."""
    if text.strip().lower().startswith("local:"):
        place = text.strip()[len("local:") :].strip()
        if place.startswith("//"):  # as in a URL, where a host would follow
            raise ValueError("accepted is local: or local:PATH with no or one slash in front, such as local:/srv/s3")
        return Local(path(place) if place else None)
    if "://" not in text:
        raise ValueError(
            "accepted is a URL with http:// or https:// in front, such as https://s3.example.com, or local: or "
            "local:PATH for the embedded store"
        )
    return remote_endpoint(text)


def bucket_names(text: str) -> tuple[str, ...]:
    """Names of buckets, separated by commas or spaces, each once."""
    from s3d.s3.errors import S3Error  # nothing that the help should import
    from s3d.standalone.bucket_name import check

    names = text.replace(",", " ").split()
    for name in names:
        try:
            check(name)
        except S3Error as error:
            raise ValueError(
                "accepted are names of buckets, separated by commas or spaces, each of 3 to 63 lower-case letters, "
                f"digits, hyphens and dots, by the naming rules of S3; {name!r} is not one"
            ) from error
    if not names:
        raise ValueError("accepted are names of buckets, separated by commas or spaces")
    return tuple(dict.fromkeys(names))


def _url(text: str, example: str) -> tuple[SplitResult, str, int | None]:
    """The parts of a URL that is a scheme, a host and perhaps a port, and nothing else."""
    try:
        url = urlsplit(text.strip())
        host, port = url.hostname or "", url.port
    except ValueError as error:  # a port that is no port, brackets that do not close
        raise ValueError(f"accepted is http(s)://HOST[:PORT] such as {example}, with a port up to 65535") from error
    if "://" not in text:
        raise ValueError(f"accepted is a URL with http:// or https:// in front, such as {example}")
    if url.scheme not in ("http", "https"):
        raise ValueError(f"accepted are the schemes http and https, such as {example}")
    if url.username is not None or url.password is not None:
        raise ValueError(f"a user name or password cannot be part of it: accepted is {url.scheme}://HOST[:PORT]")
    if url.path not in ("", "/") or url.query or url.fragment or text.rstrip().endswith(("?", "#")):
        raise ValueError(f"a path or query cannot be part of it: accepted is {url.scheme}://{url.netloc}")
    if not _HOST_NAME.fullmatch(host.removesuffix(".")) and not _address(host):
        raise ValueError(f"accepted as host are a name, an IPv4 address or an [IPv6] address, such as {example}")
    return url, host, port


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
