"""An OPA server for tests: the real engine (OPA's Go library), behind those parts of OPA's REST API that s3d asks.

PUT /v1/policies/NAME, POST /v1/data/PATH and POST /v1/query are OPA's. What only tests need: GET /asked gives how often
each was asked, and PUT /behave what to do instead of answering: {"status": 503}, {"text": "no JSON"}, {"hang": true},
{"wait": seconds} before it answers, {"query": 403} for the queries only; {}: it answers.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
from typing import Any

from aiohttp import web
from opa_bindings import OpaEngine, OpaError, OpaUndefinedError


class OpaServer:
    """The handlers, and what they know."""

    def __init__(self) -> None:
        self.policies: dict[str, str] = {}
        self.engine = OpaEngine()
        self.asked: collections.Counter[str] = collections.Counter()
        self.behave: dict[str, Any] = {}

    async def put_policy(self, request: web.Request) -> web.Response:
        policies = self.policies | {request.match_info["name"]: await request.text()}
        engine = OpaEngine()
        try:
            for name, text in policies.items():
                if text:
                    engine.add_policy(name, text)
            engine.eval_query("true")
        except OpaError as error:
            return web.json_response({"code": "invalid_parameter", "message": error.message}, status=400)
        self.engine, self.policies = engine, policies
        return web.json_response({})

    async def data(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.asked["data"] += 1
        if (other := await self._instead("data")) is not None:
            return other
        try:
            path = request.match_info["path"].strip("/").replace("/", ".")
            return web.json_response({"result": self.engine.eval_document(path, asked.get("input"))})
        except OpaUndefinedError:
            return web.json_response({})
        except OpaError as error:
            return _internal_error(error)

    async def query(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.asked["query"] += 1
        self.asked["questions in queries"] += len(asked.get("input", {}).get("requests", ()))
        if (other := await self._instead("query")) is not None:
            return other
        try:
            result = self.engine.eval_query(asked["query"], asked.get("input"))
        except OpaError as error:
            return _internal_error(error)
        return web.json_response({"result": result} if result else {})

    async def put_behave(self, request: web.Request) -> web.Response:
        self.behave = await request.json()
        return web.json_response({})

    async def get_asked(self, request: web.Request) -> web.Response:
        return web.json_response(self.asked)

    async def _instead(self, kind: str) -> web.Response | None:
        while self.behave.get("hang"):
            await asyncio.sleep(0.01)
        if wait := self.behave.get("wait"):
            await asyncio.sleep(wait)
        if "text" in self.behave:
            return web.Response(text=self.behave["text"])
        status = self.behave.get("status") or self.behave.get(kind)
        return None if status is None else web.json_response({"code": "made_up", "message": "a test"}, status=status)


def _internal_error(error: OpaError) -> web.Response:
    """As OPA answers, shortened."""
    body = {
        "code": "internal_error",
        "message": "error(s) occurred while evaluating query",
        "errors": [{"message": error.message}],
    }
    return web.json_response(body, status=500)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    server = OpaServer()
    app = web.Application(client_max_size=1 << 26)
    app.add_routes(
        [
            web.put("/v1/policies/{name}", server.put_policy),
            web.post("/v1/data/{path:.*}", server.data),
            web.post("/v1/query", server.query),
            web.put("/behave", server.put_behave),
            web.get("/asked", server.get_asked),
        ]
    )
    web.run_app(app, host="127.0.0.1", port=parser.parse_args().port, print=None)


if __name__ == "__main__":
    main()
