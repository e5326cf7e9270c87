"""What the differential test sends: scenarios of steps, written as data with ``{names}`` filled in for each side.

A *shared* scenario only reads: both sides ask for the same objects and the answers must be the same to the byte. A *twin*
scenario changes things: each side has buckets of its own with names of equal length, prepared alike, and what
differs for that reason (names, upload ids, version ids, times) is replaced by its name before the answers are compared.

    {library} {versions}   buckets that everybody reads, see `library`
    {bucket}               the side's own bucket                      {fresh}   a bucket name of this scenario alone
    {key}                  a key of this scenario alone               others    saved from an answer by ``save``
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from e2e.differential.sender import Outgoing


@dataclass(frozen=True)
class Step:
    """One request. ``save`` maps a name to a regular expression (one group) searched in ``name: value`` header lines and
    the body of the answer. An ``arrange`` step goes to the remote directly on both sides and is not compared."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    auth: str = "v4"
    payload: str | None = None
    chunked: bool = False
    virtual_host: bool = False
    """The gateway is asked at ``BUCKET.localhost``, the remote by path: the answer must be the same."""
    save: Mapping[str, str] = field(default_factory=dict)
    arrange: bool = False
    form: Mapping[str, str] | None = None
    """Form fields of a browser's POST, to which policy and signature are added; ``body`` is the file."""

    def filled(self, names: Mapping[str, str]) -> Outgoing:
        return Outgoing(
            self.method,
            fill(self.target, {name: quote(value, safe="") for name, value in names.items()}),
            tuple((name, fill(value, names)) for name, value in self.headers.items()),
            fill(self.body.decode("utf-8", "surrogateescape"), names).encode("utf-8", "surrogateescape"),
            self.auth,
            self.payload,
            self.chunked,
        )


@dataclass(frozen=True)
class Scenario:
    name: str
    steps: tuple[Step, ...]
    shared: bool = False


def fill(text: str, names: Mapping[str, str]) -> str:
    """Replaces ``{name}`` for the given names; other braces (JSON policies) stay."""
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def read(
    name: str, target: str, headers: Mapping[str, str] | None = None, *, method: str = "GET", auth: str = "v4"
) -> Scenario:
    """A scenario of one request that changes nothing."""
    return Scenario(name, (Step(method, target, headers or {}, auth=auth),), shared=True)


def change(name: str, *steps: Step) -> Scenario:
    """A scenario with side effects, run on twin buckets."""
    return Scenario(name, steps)


def arrange(method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"", **save: str) -> Step:
    """A step that prepares something on both sides."""
    return Step(method, target, headers or {}, body, save=save, arrange=True)
