"""Runs a scenario on both sides at once: each step to the remote directly, then through the gateway."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from e2e.differential.compare import Differences, differences, framing_error
from e2e.differential.scenario import Scenario, Step, fill
from e2e.differential.sender import Address, Incoming, Outgoing, form_fields, send

Names = dict[str, str]
BOUNDARY = "s3d-differential-boundary"


@dataclass(frozen=True)
class Compared:
    """One step of a scenario that was sent on both sides."""

    index: int
    step: Step
    direct: Incoming
    forwarded: Incoming
    found: Differences


@dataclass
class Pair:
    """The two ways to one remote, and the names that its scenarios may use."""

    remote: Address
    gateway: Address
    shared: Names

    def __post_init__(self) -> None:
        for names in self._sides("prepare"):
            send(self.remote, Outgoing("PUT", f"/{names['bucket']}"))

    def run(self, scenario: Scenario) -> Iterator[Compared]:
        """Yields every compared step, in order."""
        left, right = self._sides(scenario.name)
        for index, step in enumerate(scenario.steps):
            direct = _ask(self.remote, step, left)
            forwarded = _ask(self.remote if step.arrange else self.gateway, step, right, gateway=not step.arrange)
            _remember(step, direct, left)
            _remember(step, forwarded, right)
            if step.arrange:
                continue
            head = step.method == "HEAD"
            found = differences((direct, left), (forwarded, right), shared=scenario.shared, head=head)
            broken = framing_error(forwarded, head=head)
            if broken:
                found["framing"] = ("", broken)
            yield Compared(index, step, direct, forwarded, found)

    def _sides(self, scenario: str) -> tuple[Names, Names]:
        number = zlib.crc32(scenario.encode())
        both = {**self.shared, "key": scenario}
        return tuple(  # type: ignore[return-value]  # two sides, two names
            {**both, "bucket": f"s3d-twin-{side}", "fresh": f"s3d-fresh-{side}-{number:08x}"} for side in "ab"
        )


def _ask(address: Address, step: Step, names: Names, *, gateway: bool = False) -> Incoming:
    outgoing = step.filled(names)
    if step.form is not None:
        outgoing = _as_form(address, outgoing, {name: fill(value, names) for name, value in step.form.items()})
    if step.virtual_host and gateway:
        bucket, _, rest = outgoing.target.removeprefix("/").partition("/")
        host = f"{bucket}.localhost:{urlsplit(address.url).port}"
        outgoing = replace(outgoing, target=f"/{rest}", headers=(*outgoing.headers, ("Host", host)))
    return send(address, outgoing)


def _as_form(address: Address, outgoing: Outgoing, fields: Names) -> Outgoing:
    """Adds policy and signature for this address, and writes the fields as multipart/form-data (RFC 7578)."""
    bucket = outgoing.target.removeprefix("/")
    conditions = [{"bucket": bucket}, *({name: value} for name, value in fields.items())]
    signed = {**fields, **form_fields(address, conditions)}
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in signed.items()
    ]
    file = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'.encode()
    body = b"".join(parts) + file + outgoing.body + f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = (*outgoing.headers, ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}"))
    return replace(outgoing, headers=headers, body=body)


def _remember(step: Step, answer: Incoming, names: Names) -> None:
    """Saves what later steps name. What the answer does not have stays as the text ``none-NAME``."""
    if not step.save:
        return
    lines = "".join(f"{name}: {value}\n" for name, value in answer.headers) + "\n"
    text = lines + answer.body.decode("utf-8", "replace")
    for name, pattern in step.save.items():
        match = re.search(pattern, text)
        groups = [group for group in match.groups() if group] if match else []
        names[name] = groups[0] if groups else f"none-{name}"
