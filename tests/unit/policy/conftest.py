"""The real OPA engine behind a server, and policies in files."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import peers
import pytest

from s3d.policy.config import PolicyConfig
from s3d.policy.open import open_policy
from s3d.policy.policy import Policy

SERVER = Path(peers.__file__).with_name("opa_server.py")


class Opa:
    """A running server; the policies of a test are gone with the next one."""

    def __init__(self, url: str) -> None:
        self.server = url
        self.url = f"{url}/v1/data/s3d"

    def put(self, text: str, name: str = "test.rego") -> None:
        self._send(f"/v1/policies/{name}", text, "PUT")

    def behave(self, **how: Any) -> None:
        self._send("/behave", json.dumps(how), "PUT")

    def asked(self) -> dict[str, int]:
        found: dict[str, int] = json.loads(self._send("/asked"))
        return {"data": 0, "query": 0} | found

    def asked_since(self, before: dict[str, int]) -> dict[str, int]:
        return {kind: number - before.get(kind, 0) for kind, number in self.asked().items()}

    def _send(self, path: str, text: str | None = None, method: str = "GET") -> bytes:
        data = None if text is None else text.encode()
        with urllib.request.urlopen(
            urllib.request.Request(self.server + path, data, method=method), timeout=20
        ) as answer:
            body: bytes = answer.read()
        return body


@pytest.fixture(scope="session")
def opa_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory, port = tmp_path_factory.mktemp("opa"), peers.free_port()
    command = [sys.executable, str(SERVER), "--port", str(port)]
    with peers._spawn(command, directory / "opa.log", peers.clean_env()) as process:
        url = f"http://127.0.0.1:{port}"
        peers.wait_for(f"{url}/asked", process, directory / "opa.log")
        yield url


@pytest.fixture
def opa(opa_server: str) -> Opa:
    opa = Opa(opa_server)
    opa.behave()
    opa.put("")
    return opa


Open = Callable[[PolicyConfig], Policy]


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., Policy]]:
    """Opens policies that are closed after the test."""
    policies: list[Policy] = []

    def open_one(config: PolicyConfig, changed: Callable[[], None] = lambda: None) -> Policy:
        policies.append(open_policy(config, changed))
        return policies[-1]

    yield open_one
    for policy in policies:
        await policy.close()


@pytest.fixture(params=["own engine", "server"])
def policy_of(
    request: pytest.FixtureRequest, opa_server: str, tmp_path: Path, opened: Callable[..., Policy]
) -> Callable[..., Policy]:
    """Opens a policy that is given as text, with each engine."""

    def open_text(text: str, **config: Any) -> Policy:
        if request.param == "own engine":
            (tmp_path / "policy.rego").write_text(text)
            return opened(PolicyConfig(policy=tmp_path / "policy.rego", **config))
        opa = Opa(opa_server)
        opa.behave()
        opa.put(text)
        return opened(PolicyConfig(url=opa.url, **({"timeout": 20.0} | config)))

    return open_text


async def until(true: Callable[[], bool], wait: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Returns when it is; the test's own time limit ends it otherwise."""
    async with asyncio.timeout(60):
        while not true():
            await wait(0.01)
