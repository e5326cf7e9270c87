"""The conditions of the cases as a policy, decided by s3d's own engine and by an OPA server (the real engine, behind the
test server), each question asked anew. The figures include 30 us for running the event loop to one answer."""

from __future__ import annotations

import asyncio
import atexit
import functools
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

import peers
from decisions.cases import Case

from s3d.filters.facts import Facts
from s3d.policy.config import PolicyConfig
from s3d.policy.open import open_policy
from s3d.policy.policy import Policy
from s3d.policy.question import Question

_CONDITIONS = (  # those of cases.py, in their order
    'startswith(input.headers["content-type"], "video/")',
    'input.metadata.taken >= "2026-01-01"',
    'input.tags.release == "yes"',
    "input.size < 64000000",
    "to_number(input.metadata.quality) > 50",
    'object.get(input.tags, "camera", "") != "test"',
    'input.headers["cache-control"]',
    "regex.match(`^hq-[0-9]$`, input.metadata.model)",
    'object.get(input.tags, "draft", "") != "yes"',
    'input.tags.site == "hamburg"',
)
Decide = Callable[[Facts], bool | None]


def own_engine(case: Case) -> Decide | None:
    """Of a file."""
    text = _policy(case)
    if text is None:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".rego") as file:
        file.write(text)
        file.flush()
        return _asked(PolicyConfig(policy=Path(file.name), timeout=30.0))


def server(case: Case) -> Decide | None:
    """Over HTTP, on one connection."""
    text = _policy(case)
    if text is None:
        return None
    name = f"n{abs(hash(case.name))}"
    text = text.replace("package s3d", f"package {name}")
    put = urllib.request.Request(f"{_server()}/v1/policies/{name}.rego", text.encode(), method="PUT")
    urllib.request.urlopen(put, timeout=20).close()
    return _asked(PolicyConfig(url=f"{_server()}/v1/data/{name}", timeout=30.0, max_age=0.0))


def _policy(case: Case) -> str | None:
    """None: this case has no policy."""
    found = re.match(r"(\d+) conditions?, (?:fits|does)", case.name)
    if found is None:
        return None
    conditions = ['input.bucket == "videos"', 'startswith(input.key, "2026/")', *_CONDITIONS[: int(found[1])]]
    return "package s3d\n\ndefault upload := false\n\nupload if {\n\t" + "\n\t".join(conditions) + "\n}\n"


def _asked(config: PolicyConfig) -> Decide:
    loop = _loop()
    policy = loop.run_until_complete(_opened(config))
    if config.url is not None:  # an engine of s3d's own ends with this process
        atexit.register(lambda: loop.run_until_complete(policy.close()))

    def decide(facts: Facts) -> bool | None:
        question = Question(
            "PutObject",
            facts.bucket,
            facts.key,
            facts.size,
            facts.tags,
            facts.bucket_tags,
            facts.headers,
            facts.metadata,
        )
        answer = loop.run_until_complete(policy.ask(question))
        if answer.failed:
            raise ValueError(answer.why)
        return answer.upload

    return decide


async def _opened(config: PolicyConfig) -> Policy:
    """In the loop that it is asked in."""
    return open_policy(config)


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@functools.cache
def _server() -> str:
    port = peers.free_port()
    log = Path(tempfile.mkdtemp(prefix="s3d-bench-opa-")) / "opa.log"
    command = [sys.executable, str(Path(peers.__file__).with_name("opa_server.py")), "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    atexit.register(process.kill)
    peers.wait_for(f"http://127.0.0.1:{port}/asked", process, log)
    return f"http://127.0.0.1:{port}"
