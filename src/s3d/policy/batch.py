"""Several questions in one request: OPA's query API.

The data API answers one input. A query can ask for the document once for each of a list of inputs (``with input as``); a
comprehension around each keeps the place of those for which it is undefined.
"""

from __future__ import annotations

import json
from urllib.parse import unquote

from yarl import URL

from s3d.policy.answer import NoAnswer

_DATA, _QUERY = "/v1/data/", "/v1/query"


class Batch:
    """How to ask for a document many times at once. ``of`` is None for a URL that is not one of OPA's data API."""

    def __init__(self, url: URL, query: str) -> None:
        self.url = url
        self._query = json.dumps(query)

    @staticmethod
    def of(url: URL) -> Batch | None:
        before, found, path = url.raw_path.rpartition(_DATA)
        names = [unquote(name) for name in path.split("/") if name]
        if not found or not names:
            return None
        document = "data" + "".join(f"[{json.dumps(name)}]" for name in names)
        query = f"answers = [a | r := input.requests[_]; a := [v | v := {document} with input as r]]"
        return Batch(url.with_path(before + _QUERY, encoded=True).with_query(None), query)

    def request(self, inputs: list[str]) -> bytes:
        """The body for input documents that are JSON already."""
        return f'{{"query":{self._query},"input":{{"requests":[{",".join(inputs)}]}}}}'.encode()

    def documents(self, body: object, number: int) -> list[list[object]]:
        """For each input one document, or none if it is undefined. Raises NoAnswer."""
        match body:
            case {"result": [{"answers": list() as answers}]} if len(answers) == number and all(
                isinstance(answer, list) and len(answer) < 2 for answer in answers
            ):
                return answers
        raise NoAnswer("the query has another result than it must have")
