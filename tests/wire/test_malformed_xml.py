"""XML that is wrong, sent to a Backend that reads it: S3's error, and the connection goes on."""

from __future__ import annotations

import pytest
from model.memory import Memory
from wire.malformed import put
from wire.rig import Client, RawAnswer, connected, head, serving

_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<Delete><Object><Key>&b;</Key></Object></Delete>"
)
_EXTERNAL = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    b"<Delete><Object><Key>&a;</Key></Object></Delete>"
)


def post(target: str, body: bytes) -> bytes:
    return head(f"POST {target}", f"Content-Length: {len(body)}") + body


def delete(body: bytes) -> bytes:
    return post("/bucket?delete", body)


CASES = {
    "no XML": delete(b"hello"),
    "nothing": delete(b""),
    "cut off": delete(b"<Delete><Object><Key>a</Key>"),
    "crossed elements": delete(b"<Delete><Object><Key>a</Object></Key></Delete>"),
    "another root": delete(b"<Remove><Object><Key>a</Key></Object></Remove>"),
    "two roots": delete(b"<Delete/><Delete/>"),
    "an unknown entity": delete(b"<Delete><Object><Key>&x;</Key></Object></Delete>"),
    "an entity that grows": delete(_BOMB),
    "an external entity": delete(_EXTERNAL),
    "bytes that are no UTF-8": delete(b"<Delete><Object><Key>\xff</Key></Object></Delete>"),
    "a control character": delete(b"<Delete><Object><Key>\x01</Key></Object></Delete>"),
    "an unknown encoding": delete(b'<?xml version="1.0" encoding="x"?><Delete/>'),
    "a boolean that is none": delete(b"<Delete><Quiet>maybe</Quiet><Object><Key>a</Key></Object></Delete>"),
    "a number that is none": post(
        "/bucket/key?uploadId=u",
        b"<CompleteMultipartUpload><Part><ETag>e</ETag><PartNumber>one</PartNumber></Part></CompleteMultipartUpload>",
    ),
    "deeply nested": delete(b"<Delete>" + b"<Object>" * 20_000),
    "tags": put(body=b"<Tagging><TagSet><Tag><Key>a</Key>", target="/bucket/key?tagging"),
}


async def ask(client: Client, request: bytes) -> RawAnswer:
    client.send(request)
    return await client.answer()


@pytest.mark.parametrize("request_", CASES.values(), ids=CASES.keys())
async def test_malformed_xml(request_: bytes) -> None:
    async with serving(Memory()) as server, connected(server.port) as client:
        assert (await ask(client, put(body=b"", target="/bucket"))).status == 200
        assert (await ask(client, put(target="/bucket/key"))).status == 200
        answer = await ask(client, request_)
        assert answer.status == 400, answer.body
        assert b"<Code>MalformedXML</Code>" in answer.body or b"<Code>InvalidRequest</Code>" in answer.body
        assert b"root:" not in answer.body
        assert (await ask(client, head("GET /bucket/key"))).body == b"hello world"
