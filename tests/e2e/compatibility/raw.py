"""Requests as they stand on the wire: any header, any body, signed or not, by path."""

from __future__ import annotations

import http.client
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import peers
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from multidict import CIMultiDict

_KEYS = Credentials(peers.ACCESS_KEY, peers.SECRET_KEY)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    def text(self, name: str) -> str | None:
        """The text of the first element of that name, whatever its namespace; None: there is none."""
        for element in ET.fromstring(self.body).iter():
            if element.tag.rpartition("}")[2] == name:
                return element.text or ""
        return None

    @property
    def code(self) -> str | None:
        """Of an error."""
        return self.text("Code")


class Raw:
    """Sends requests to one server; each gets a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._netloc = urlsplit(url).netloc

    def __call__(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        signed: bool = True,
        length: bool = True,
    ) -> Answer:
        """``target`` goes out as it is. ``headers`` go on top of those of the signature; ``length``: whether
        Content-Length is added where a body or the method wants one."""
        fields = self._signature(method, target, body) if signed else CIMultiDict[str]()
        fields.update(headers or {})
        if length and "Content-Length" not in fields and (body or method in ("PUT", "POST")):
            fields["Content-Length"] = str(len(body))
        connection = http.client.HTTPConnection(self._netloc, timeout=30)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in fields.items():
                connection.putheader(name, value.encode("utf-8", "surrogateescape"))
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, CIMultiDict(response.getheaders()), response.read())
        finally:
            connection.close()

    def _signature(self, method: str, target: str, body: bytes) -> CIMultiDict[str]:
        request = AWSRequest(method, self.url + target, data=body)
        SigV4Auth(_KEYS, "s3", peers.REGION).add_auth(request)
        return CIMultiDict({name: request.headers[name] for name in ("Authorization", "X-Amz-Date")})
