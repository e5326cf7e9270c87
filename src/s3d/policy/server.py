"""The policy of an OPA server, asked over its REST API.

Whoever asks puts the question on a list and waits for its future. Senders take from the list: as many as there are when
one of them has time, in one request. So equal questions at a time are one, different ones are few requests, and nobody
who gives up takes the answer from others.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from yarl import URL

from s3d.policy.answer import Answer, NoAnswer, read
from s3d.policy.batch import Batch
from s3d.policy.circuit import Circuit
from s3d.policy.client import Away, Client, Refused, Silent
from s3d.policy.config import PolicyConfig
from s3d.policy.question import Question
from s3d.policy.record import Record

log = logging.getLogger("s3d.policy")

_SENDERS = 4  # requests at a time: OPA evaluates in parallel, and more of them would make smaller batches
_MOST = 100  # questions in one of them: some 50 kB
_REMEMBERED = 4096  # answers, of about 1 kB with their questions
_NOT_ALLOWED = frozenset({400, 401, 403, 404, 405, 501})
_SAMPLE = Question("HeadBucket")


@dataclass(slots=True)
class _Asked:
    """A question on its way."""

    key: str
    input: str
    """Its document, as JSON."""
    answer: asyncio.Future[Answer]


class PolicyServer:
    """A `Policy`."""

    def __init__(self, url: str, config: PolicyConfig, changed: Callable[[], None]) -> None:
        self._url = URL(url)
        self._config = config
        self._changed = changed
        self._where = str(self._url.with_user(None))
        self._why = f"policy at {self._where}"
        self._batch = Batch.of(self._url)
        self._record = Record(config.on_error)
        self._client = Client(config.timeout, _SENDERS + 1)
        self._circuit = Circuit(self._where, self._answers, changed)
        self._waiting: list[_Asked] = []
        self._on_its_way: dict[str, _Asked] = {}
        self._senders: set[asyncio.Task[None]] = set()
        self._sending = 0
        self._remembered: dict[str, tuple[float, Answer]] = {}

    async def ask(self, question: Question) -> Answer:
        self._record.questions += 1
        key = question.lasting()
        found = self._remembered.get(key)
        if found is not None and found[0] > time.monotonic():
            return found[1]
        if self._circuit.why is not None:
            return self._failed(Away(self._circuit.why))
        asked = self._on_its_way.get(key) or self._send(key, question)
        try:
            async with asyncio.timeout(self._config.timeout):
                return await asyncio.shield(asked.answer)
        except TimeoutError:
            return self._failed(Silent(f"no answer within {self._config.timeout:g} s"))

    async def reload(self) -> None:
        """Forgets the answers, also those that are on their way: they may be of what the policy was."""
        self._remembered.clear()
        self._on_its_way.clear()
        self._record.forget()
        self._changed()

    async def close(self) -> None:
        await self._circuit.close()
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        await self._client.close()

    def document(self) -> dict[str, Any]:
        return {
            "engine": "server",
            "policy": self._where,
            "away": self._circuit.why,
            "requests": self._client.requests,
        } | self._record.document()

    def _send(self, key: str, question: Question) -> _Asked:
        loop = asyncio.get_running_loop()
        asked = self._on_its_way[key] = _Asked(key, json.dumps(question.document()), loop.create_future())
        self._waiting.append(asked)
        if self._sending < _SENDERS:
            self._sending += 1
            sender = loop.create_task(self._send_all())
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        return asked

    async def _send_all(self) -> None:
        """Until nothing waits."""
        try:
            while self._waiting:
                number = 1 if self._batch is None else _MOST
                taken, self._waiting = self._waiting[:number], self._waiting[number:]
                await self._settle_all(taken)
        finally:
            self._sending -= 1

    async def _settle_all(self, taken: list[_Asked]) -> None:
        try:
            if len(taken) == 1 or not await self._ask_together(taken):
                for asked in taken:
                    await self._ask_alone(asked)
        except Exception:
            log.exception("asking the policy server met a defect")
        finally:
            for asked in taken:  # after a defect, and at the end
                if not asked.answer.done():
                    self._settle(asked, self._failed(NoAnswer("it was not asked to the end")))

    async def _ask_alone(self, asked: _Asked) -> None:
        try:
            body = await self._post(self._url, f'{{"input":{asked.input}}}'.encode())
            if not isinstance(body, dict):
                raise NoAnswer("the server answers no JSON object")
            documents = [body["result"]] if "result" in body else []
        except NoAnswer as error:
            self._settle(asked, self._failed(error))
        else:
            self._settle(asked, self._read(documents))

    async def _ask_together(self, taken: list[_Asked]) -> bool:
        """Whether they are settled. If not, each has to be asked alone."""
        batch = self._batch
        if batch is None:
            return False
        try:
            body = await self._post(batch.url, batch.request([asked.input for asked in taken]))
            answers = batch.documents(body, len(taken))
        except Away as error:
            for asked in taken:
                self._settle(asked, self._failed(error))
            return True
        except Refused as error:  # 500 if the policy fails for one of them
            if error.status in _NOT_ALLOWED:
                self._never_together(error)
            return False
        except NoAnswer as error:
            self._never_together(error)
            return False
        for asked, documents in zip(taken, answers, strict=True):
            self._settle(asked, self._read(documents))
        return True

    def _never_together(self, error: NoAnswer) -> None:
        if self._batch is not None:
            self._batch = None
            log.warning("the policy server takes one question at a time", extra={"error": str(error)})

    async def _post(self, url: URL, body: bytes) -> object:
        """Raises NoAnswer; at once if the server is away."""
        if self._circuit.why is not None:
            raise Away(self._circuit.why)
        try:
            document = await self._client.post(url, body)
        except Silent as error:
            self._circuit.timed_out(str(error))
            raise
        except Away as error:
            self._circuit.lost(str(error))
            raise
        except NoAnswer:
            self._circuit.answered()
            raise
        self._circuit.answered()
        return document

    def _read(self, documents: list[object]) -> Answer:
        """The answer in the document, if there is one: without it the policy says nothing."""
        if not documents:
            return Answer(f"{self._why}: it is not defined there")
        try:
            return read(documents[0], self._why)
        except NoAnswer as error:
            return self._failed(error)

    def _settle(self, asked: _Asked, answer: Answer) -> None:
        is_current = self._on_its_way.get(asked.key) is asked
        if is_current:
            del self._on_its_way[asked.key]
        if is_current and not answer.failed and self._config.max_age > 0:
            self._remembered.pop(asked.key, None)  # so that the oldest is the first
            if len(self._remembered) >= _REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[asked.key] = (time.monotonic() + self._config.max_age, answer)
        asked.answer.set_result(answer)

    def _failed(self, error: NoAnswer) -> Answer:
        """That the server is away is logged when it goes and when it comes."""
        return self._record.failed(error, quiet=isinstance(error, Away) and self._circuit.why is not None)

    async def _answers(self) -> bool:
        try:
            await self._client.post(self._url, json.dumps({"input": _SAMPLE.document()}).encode())
        except Away:
            return False
        except NoAnswer:
            pass  # but an answer
        return True
