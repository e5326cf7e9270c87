"""The same requests to a remote directly and through s3d: same status, same headers, same body.

The scenarios are data under `differential/`; where s3d answers otherwise on purpose is in `differential/deviations.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase

import peers
import pytest
from e2e.differential.catalogue import SCENARIOS
from e2e.differential.compare import summary
from e2e.differential.deviations import DEVIATIONS, expected
from e2e.differential.library import build_library
from e2e.differential.runner import Compared, Pair
from e2e.differential.scenario import Scenario
from e2e.differential.sender import Address

pytestmark = pytest.mark.peer

MINIMUM_OF_REQUESTS = 300


@dataclass
class Remote:
    name: str
    pair: Pair
    gateway: peers.Server
    log_start: int
    """Characters of the gateway's log before the first request of this file."""


def _pair(remote: peers.Server, gateway: peers.Server) -> Pair:
    direct = Address(remote.url, peers.ACCESS_KEY, peers.SECRET_KEY)
    names = {"library": "s3d-library", "versions": "s3d-versions"}
    build_library(direct, names)
    return Pair(direct, Address(gateway.url, "ANYACCESSKEY", "any secret: s3d takes every client on loopback"), names)


GATEWAYS = {"seaweedfs": "gateway", "moto": "gateway_to_moto", "standalone": "gateway_to_standalone"}
"""Fixtures: the remote, and s3d in front of it."""


@pytest.fixture(scope="module", params=list(GATEWAYS))
def remote(request: pytest.FixtureRequest) -> Remote:
    server = request.getfixturevalue(request.param)
    gateway = request.getfixturevalue(GATEWAYS[request.param])
    return Remote(request.param, _pair(server, gateway), gateway, len(gateway.output()))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_same_answer(remote: Remote, scenario: Scenario) -> None:
    wrong = [
        text for compared in remote.pair.run(scenario) if (text := _judge(remote.name, scenario, compared)) is not None
    ]
    assert not wrong, "\n\n".join(wrong)


def test_nothing_unexpected_is_in_the_log(remote: Remote) -> None:
    """Runs after all scenarios of the remote: whatever a client asks and a remote refuses, s3d has nothing to warn of."""
    lines = remote.gateway.output()[remote.log_start :].splitlines()
    assert [
        line for line in lines if not line.startswith("{") or json.loads(line)["level"] not in ("info", "debug")
    ] == []
    assert len(lines) > 1


def test_there_are_enough_requests_and_no_name_is_used_twice() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
    assert sum(not step.arrange for scenario in SCENARIOS for step in scenario.steps) >= MINIMUM_OF_REQUESTS


def test_every_deviation_names_a_step_and_a_reason() -> None:
    for entry in DEVIATIONS:
        assert entry.reason
        for pattern in entry.scenarios.split():
            scenarios = [scenario for scenario in SCENARIOS if fnmatchcase(scenario.name, pattern)]
            assert scenarios, pattern
            assert all(max(entry.steps) < len(scenario.steps) for scenario in scenarios), pattern


def _judge(remote: str, scenario: Scenario, compared: Compared) -> str | None:
    """What is wrong with this step, or None."""
    recorded = expected(remote, scenario.name, compared.index)
    found = compared.found
    if recorded is None:
        right = not found
    elif isinstance(recorded[0], str):
        right = found.keys() == set(recorded[0].split())
    else:
        right = bool(found) and (summary(compared.direct), summary(compared.forwarded)) == recorded[0]
    if right:
        return None
    lines = [f"step {compared.index}: {compared.step.method} {compared.step.target} {dict(compared.step.headers)}"]
    lines.append(f"  direct {summary(compared.direct)} | through s3d {summary(compared.forwarded)}")
    lines += [f"  {part}: direct {_short(a)} | through s3d {_short(b)}" for part, (a, b) in found.items()]
    if recorded:
        lines.append(f"  recorded: {recorded}")
    return "\n".join(lines)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 500 else f"{text[:500]}… ({len(text)} characters)"
