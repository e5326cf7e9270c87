"""The policy of an OPA server: the real engine, and servers that misbehave."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable

import peers
import pytest
from aiohttp import web
from unit.policy.conftest import Opa, until

from s3d.policy.answer import Answer
from s3d.policy.config import OnError, PolicyConfig
from s3d.policy.policy import Policy
from s3d.policy.question import Question

Opened = Callable[..., Policy]
SIZES = "package s3d\nupload if input.size < 100\nupload := false if input.size >= 1000\npriority := input.size % 10\n"
PUT = Question("PutObject", "b", "k", 10, {}, {}, time=1.7e9)
LONG = 30.0  # seconds that no test waits for


def sized(size: int) -> Question:
    return dataclasses.replace(PUT, size=size)


async def ask_all(policy: Policy, questions: list[Question]) -> list[Answer]:
    return await asyncio.gather(*(policy.ask(question) for question in questions))


async def test_it_answers(opa: Opa, opened: Opened) -> None:
    opa.put(SIZES)
    policy = opened(PolicyConfig(url=opa.url, timeout=LONG))
    answer = await policy.ask(PUT)
    assert (answer.upload, answer.priority, answer.failed, answer.why) == (True, 0, False, f"policy at {opa.url}")
    assert (await policy.ask(sized(1009))).upload is False
    document = policy.document()
    assert document == {
        "engine": "server",
        "policy": opa.url,
        "away": None,
        "requests": 2,
        "questions": 2,
        "failures": 0,
        "last_error": None,
    }
    json.dumps(document)


async def test_a_document_that_is_not_there_says_nothing(opa: Opa, opened: Opened) -> None:
    policy = opened(PolicyConfig(url=f"{opa.server}/v1/data/nothing/here", timeout=LONG, on_error=OnError.DENY))
    expected = Answer(f"policy at {opa.server}/v1/data/nothing/here: it is not defined there")
    assert await policy.ask(PUT) == expected
    assert await ask_all(policy, [sized(number) for number in range(5)]) == [expected] * 5


async def test_names_in_the_path_are_taken_literally(opa: Opa, opened: Opened) -> None:
    opa.put('package a["b-c"]["ü\\"x"]\nupload if input.size < 100\n')
    policy = opened(PolicyConfig(url=f"{opa.server}/v1/data/a/b-c/%C3%BC%22x/", timeout=LONG))
    answers = await ask_all(policy, [sized(99), sized(100)])
    assert [(answer.failed, answer.upload) for answer in answers] == [(False, True), (False, None)]
    assert opa.asked()["query"]


async def test_many_questions_at_once_are_few_requests(opa: Opa, opened: Opened) -> None:
    opa.put(SIZES + "cache := false if input.size == 999\n")
    policy = opened(PolicyConfig(url=opa.url, timeout=LONG))
    before = opa.asked()
    answers = await ask_all(policy, [sized(size) for size in range(0, 2000, 10)])
    asked = opa.asked_since(before)
    assert asked == {"data": 0, "query": 2, "questions in queries": 200}
    for size, answer in zip(range(0, 2000, 10), answers, strict=True):
        assert not answer.failed
        assert answer.upload is (True if size < 100 else False if size >= 1000 else None), size


async def test_undefined_documents_stay_in_their_place(opa: Opa, opened: Opened) -> None:
    opa.put('package s3d.rules\nupload if input.size == 1\n\npackage_of := "this"\n')
    opa.put('package s3d\nanswer := {} if input.size < 3\nanswer := {"priority": input.size} if input.size >= 5\n')
    policy = opened(PolicyConfig(url=f"{opa.server}/v1/data/s3d/answer", timeout=LONG))
    before = opa.asked()
    answers = await ask_all(policy, [sized(size) for size in range(8)])
    assert opa.asked_since(before)["query"] == 1
    assert [answer.priority for answer in answers] == [None] * 5 + [5, 6, 7]
    assert ["not defined" in answer.why for answer in answers] == [False] * 3 + [True] * 2 + [False] * 3


async def test_equal_questions_are_one(opa: Opa, opened: Opened) -> None:
    opa.put(SIZES)
    policy = opened(PolicyConfig(url=opa.url, timeout=LONG, max_age=0.0))
    before = opa.asked()
    questions = [dataclasses.replace(PUT, time=1.7e9 + number) for number in range(50)]
    answers = await ask_all(policy, questions)
    assert {(answer.upload, answer.failed) for answer in answers} == {(True, False)}
    assert opa.asked_since(before)["data"] == 1
    await policy.ask(PUT)
    assert opa.asked_since(before)["data"] == 2, "with an age of 0 no answer is kept"


async def test_answers_are_kept_for_a_while(opa: Opa, opened: Opened) -> None:
    opa.put(SIZES)
    policy = opened(PolicyConfig(url=opa.url, timeout=LONG, max_age=LONG))
    before = opa.asked()
    for number in range(5):
        assert (await policy.ask(dataclasses.replace(PUT, time=number))).upload is True
    assert opa.asked_since(before)["data"] == 1
    opa.put("package s3d\nupload := false\n")
    assert (await policy.ask(PUT)).upload is True
    await policy.reload()
    assert (await policy.ask(PUT)).upload is False, "a reload forgets them"
    short = opened(PolicyConfig(url=opa.url, timeout=LONG, max_age=0.000_001))
    before = opa.asked()
    for _ in range(3):
        await short.ask(PUT)
    assert opa.asked_since(before)["data"] == 3


async def test_not_all_answers_are_kept(opa: Opa, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3d.policy.server._REMEMBERED", 3)
    opa.put(SIZES)
    policy = opened(PolicyConfig(url=opa.url, timeout=LONG, max_age=LONG))
    for size in range(5):
        await policy.ask(sized(size))
    before = opa.asked()
    for size in (4, 3, 2):
        await policy.ask(sized(size))
    assert opa.asked_since(before)["data"] == 0
    await policy.ask(sized(0))
    assert opa.asked_since(before)["data"] == 1


@pytest.mark.parametrize("status", [403, 404, 405])
async def test_a_server_that_takes_one_at_a_time(
    opa: Opa, opened: Opened, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    opa.put(SIZES)
    opa.behave(query=status)
    policy = opened(PolicyConfig(url=opa.url, timeout=LONG, max_age=0.0))
    for _ in range(2):
        before = opa.asked()
        answers = await ask_all(policy, [sized(size) for size in range(20)])
        assert [(answer.priority, answer.failed) for answer in answers] == [(size % 10, False) for size in range(20)]
    assert opa.asked_since(before) == {"data": 20, "query": 0, "questions in queries": 0}
    assert [record.message for record in caplog.records] == ["the policy server takes one question at a time"]


async def test_a_url_of_another_kind_of_server_is_asked_one_by_one(opened: Opened, misbehaving: Misbehaving) -> None:
    bodies: list[dict[str, object]] = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.json_response({"result": {"priority": len(bodies)}})

    policy = opened(PolicyConfig(url=await misbehaving(answer) + "/decide", timeout=LONG))
    answers = await ask_all(policy, [sized(size) for size in range(10)])
    assert sorted(answer.priority or 0 for answer in answers[:9]) == list(range(1, 10))
    assert answers[9].failed, "a priority of 10"
    assert bodies[0] == {"input": sized(0).document()}


async def test_one_that_fails_takes_no_others_with_it(
    opa: Opa, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    opa.put(SIZES + 'upload := false if input.size == 7\ncache := "no" if input.size == 8\n')
    policy = opened(PolicyConfig(url=opa.url, timeout=LONG))
    for _ in range(2):
        answers = await ask_all(policy, [sized(size) for size in range(10)])
        assert [answer.failed for answer in answers] == [size in (7, 8) for size in range(10)]
        assert "eval_conflict_error" in answers[7].why
        assert "cache is a string" in answers[8].why
    assert sorted(record.levelname for record in caplog.records) == ["ERROR", "ERROR"], "each error once"
    asked = opa.asked()
    assert (await ask_all(policy, [sized(21), sized(22)]))[1].priority == 2
    assert opa.asked_since(asked)["query"] == 1, "they are still asked together"


Misbehaving = Callable[..., "asyncio.Future[str]"]


@pytest.fixture
async def misbehaving() -> AsyncIterator[Callable[..., object]]:
    """Starts a server in the loop of the test whose answer to everything is that of a handler; gives its URL."""
    runners: list[web.AppRunner] = []

    async def start(handler: Callable[..., object], port: int = 0) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("response", "says"),
    [
        ({"text": "<html>"}, "the server answers no JSON"),
        ({"body": b"\xff\xfe\x00"}, "the server answers no JSON"),
        ({"text": "[1]"}, "the server answers no JSON object"),
        ({"text": "[" * 100_000 + "]" * 100_000}, "the server answers no JSON"),
        ({"status": 500, "text": "[" * 100_000 + "]" * 100_000}, "the server answers 500"),
        ({"text": '{"result": []}'}, "the policy is an array, not an object"),
        ({"text": '{"result": true}'}, "the policy is true, not an object"),
        ({"text": '{"result": {"allow": "yes"}}'}, "allow is a string, not true or false"),
        ({"status": 500, "text": "oh"}, "the server answers 500"),
        ({"status": 401, "text": '{"code": "unauthorized", "message": "no token"}'}, r"answers 401 \(no token\)"),
        ({"status": 302, "headers": {"Location": "/elsewhere"}}, "the server answers 302"),
        ({"status": 204}, "the server answers 204"),
    ],
)
async def test_answers_that_are_none(
    opened: Opened, misbehaving: Misbehaving, response: dict[str, object], says: str
) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(**response)  # type: ignore[arg-type]

    policy = opened(PolicyConfig(url=await misbehaving(answer) + "/v1/data/s3d", timeout=LONG, on_error=OnError.DENY))
    for _ in range(2):
        found = await policy.ask(PUT)
        assert (found.failed, found.allow, found.upload, found.cache) == (True, False, False, False)
        with pytest.raises(AssertionError, match=says):
            raise AssertionError(found.why)
    assert asked == ["/v1/data/s3d"] * 2, "it is not taken to be away"
    both = await ask_all(policy, [sized(1), sized(2)])
    assert [answer.failed for answer in both] == [True, True]


async def test_a_server_that_never_answers(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    """It accepts connections and says nothing."""
    connections: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    try:
        port = silent.sockets[0].getsockname()[1]
        policy = opened(PolicyConfig(url=f"http://127.0.0.1:{port}/v1/data/s3d", timeout=0.2))
        for number in range(2):
            answer = await policy.ask(sized(number))
            assert (answer.failed, answer.upload, answer.allow) == (True, False, None)
            assert "no answer within 0.2 s" in answer.why
        await until(lambda: policy.document()["away"] is not None)
        requests = policy.document()["requests"]
        answers = await ask_all(policy, [sized(size) for size in range(500)])
        assert all(answer.failed for answer in answers)
        assert policy.document()["requests"] <= requests + 9, (
            "requests do not wait for it; it is asked in the background"
        )
        assert policy.document()["failures"] >= 502
        assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
            "the policy server does not answer"
        ]
    finally:
        silent.close()
        for writer in connections:
            writer.close()


async def test_a_question_that_takes_long_does_not_stop_others(opened: Opened, misbehaving: Misbehaving) -> None:
    async def answer(request: web.Request) -> web.Response:
        if (await request.json())["input"]["size"] == 1:
            await asyncio.sleep(LONG)
        return web.json_response({"result": {"upload": True}})

    policy = opened(PolicyConfig(url=await misbehaving(answer) + "/v1/data/s3d", timeout=1.0, max_age=0.0))
    for _ in range(2):
        assert (await policy.ask(sized(1))).failed
        assert (await policy.ask(sized(2))).upload is True


async def test_down_then_up(
    opa: Opa, opened: Opened, caplog: pytest.LogCaptureFixture, misbehaving: Misbehaving
) -> None:
    caplog.set_level("INFO", "s3d.policy")
    changes: list[int] = []
    port = peers.free_port()
    config = PolicyConfig(url=f"http://127.0.0.1:{port}/v1/data/s3d", timeout=LONG, on_error=OnError.ALLOW)
    policy = opened(config, lambda: changes.append(1))
    for size in range(3):
        answer = await policy.ask(sized(size))
        assert (answer.failed, answer.upload, answer.allow) == (True, None, None)
        assert "the server cannot be reached: " in answer.why
    assert not changes

    async def say(request: web.Request) -> web.Response:
        return web.json_response({"result": {"upload": True}})

    await misbehaving(say, port)
    await until(lambda: bool(changes))
    answer = await policy.ask(PUT)
    assert (answer.upload, answer.failed) == (True, False)
    assert changes == [1]
    assert [record.message for record in caplog.records if record.name == "s3d.policy"] == [
        "the policy server does not answer",
        "the policy server answers again",
    ]
    assert policy.document()["away"] is None


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_server_that_says_that_it_is_away(opa: Opa, opened: Opened, status: int) -> None:
    opa.put(SIZES)
    changes: list[int] = []
    policy = opened(PolicyConfig(url=opa.url, timeout=LONG), lambda: changes.append(1))
    opa.behave(status=status)
    assert f"the server answers {status}" in (await policy.ask(PUT)).why
    assert f"the server answers {status}" in (await policy.ask(sized(1))).why
    opa.behave()
    await until(lambda: bool(changes))
    assert (await policy.ask(PUT)).upload is True


async def test_a_defect_does_not_make_it_away_for_ever(
    opa: Opa, opened: Opened, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opa.put(SIZES)
    policy = opened(PolicyConfig(url=opa.url, timeout=LONG))
    opa.behave(status=503)
    assert (await policy.ask(PUT)).failed

    async def broken(*_: object) -> None:
        raise RecursionError

    with monkeypatch.context() as patch:
        patch.setattr("s3d.policy.client.Client.post", broken)
        await until(lambda: "whether the policy server answers met a defect" in caplog.text)
    opa.behave()
    await until(lambda: policy.document()["away"] is None)
    assert (await policy.ask(PUT)).upload is True
    caplog.clear()


async def test_answers_from_before_a_reload_are_not_kept(opened: Opened, misbehaving: Misbehaving) -> None:
    """Nor is a question joined to one that was asked before."""
    values, go_on = [True, False], asyncio.Event()
    asked: list[bool] = []

    async def answer(_request: web.Request) -> web.Response:
        asked.append(values[len(asked)])
        value = asked[-1]
        await go_on.wait()
        return web.json_response({"result": {"upload": value}})

    policy = opened(PolicyConfig(url=await misbehaving(answer) + "/v1/data/s3d", timeout=LONG, max_age=LONG))
    before = asyncio.get_running_loop().create_task(policy.ask(PUT))
    await until(lambda: len(asked) == 1)
    await policy.reload()
    after = asyncio.get_running_loop().create_task(policy.ask(PUT))
    await until(lambda: len(asked) == 2)
    go_on.set()
    assert [(await before).upload, (await after).upload] == [True, False]
    assert (await policy.ask(PUT)).upload is False
    assert len(asked) == 2


async def test_a_connection_that_was_closed_meanwhile_is_no_failure(opened: Opened) -> None:
    """Each answer says that the connection stays, and each second request finds it closed."""
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        body = b'{"result": {"upload": true}}'
        await reader.readuntil(b"}}")
        requests += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await reader.readuntil(b"}}")  # the next request, to which there is no answer
        requests += 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        policy = opened(PolicyConfig(url=f"http://127.0.0.1:{port}/v1/data/s3d", timeout=LONG, max_age=0.0))
        for size in range(4):
            answer = await policy.ask(Question("PutObject", size=size, tags={}, time=1.0, bucket_tags={}))
            assert (answer.upload, answer.failed) == (True, False), answer.why
        assert requests == 7
        await policy.close()


async def test_who_gives_up_takes_no_answer_from_others(opa: Opa, opened: Opened) -> None:
    opa.put(SIZES)
    opa.behave(hang=True)
    policy = opened(PolicyConfig(url=opa.url, timeout=LONG))
    async with asyncio.TaskGroup() as group:
        first, *others = [group.create_task(policy.ask(PUT)) for _ in range(3)]
        another = group.create_task(policy.ask(sized(5)))
        await until(lambda: policy.document()["requests"] > 0)
        first.cancel()
        another.cancel()
        await asyncio.wait([first, another])
        await asyncio.to_thread(opa.behave)
    assert first.cancelled()
    assert another.cancelled()
    assert [(task.result().upload, task.result().failed) for task in others] == [(True, False)] * 2
    assert (await policy.ask(sized(5))).upload is True


async def test_close_ends_what_is_under_way(opa: Opa, opened: Opened) -> None:
    opa.behave(hang=True)
    policy = opened(PolicyConfig(url=opa.url, timeout=LONG))
    asked = asyncio.gather(*(policy.ask(sized(size)) for size in range(3)))
    await until(lambda: policy.document()["requests"] > 0)
    await policy.close()
    assert all(answer.failed for answer in await asked)
    await asyncio.to_thread(opa.behave)


async def test_questions_that_wait_go_with_the_next_request(opa: Opa, opened: Opened) -> None:
    """While all senders are busy, what comes meanwhile is gathered."""
    opa.put(SIZES)
    opa.behave(hang=True)
    policy = opened(PolicyConfig(url=opa.url, timeout=LONG))
    before = await asyncio.to_thread(opa.asked)
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number in range(4):
            tasks.append(group.create_task(policy.ask(sized(number))))
            await until(lambda: policy.document()["requests"] == number + 1)  # noqa: B023  called at once
        tasks += [group.create_task(policy.ask(sized(number))) for number in range(4, 64)]
        await asyncio.sleep(0)
        await asyncio.to_thread(opa.behave)
    assert [task.result().priority for task in tasks] == [number % 10 for number in range(64)]
    assert opa.asked_since(before) == {"data": 4, "query": 1, "questions in queries": 60}


async def test_credentials_in_the_url_are_sent_and_not_shown(opened: Opened, misbehaving: Misbehaving) -> None:
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.json_response({"result": {}})

    url = (await misbehaving(answer)).replace("http://", "http://me:hidden@") + "/v1/data/s3d"
    policy = opened(PolicyConfig(url=url, timeout=LONG))
    assert "hidden" not in (await policy.ask(PUT)).why
    assert "hidden" not in json.dumps(policy.document())
    assert seen == ["Basic bWU6aGlkZGVu"]
