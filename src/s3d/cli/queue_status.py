"""What ``s3d status`` shows of the write queue beside what S3 tells of a bucket or an object."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from s3d.cli import admin, options, queue, render
from s3d.cli.errors import Failure
from s3d.cli.target import Target

_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_MEANING = {
    "pending": "accepted, not yet at the remote",
    "pushing": "being pushed to the remote",
    "failed": "refused by the remote for good, and kept",
    "held": "held back",
    "remote": "at the remote",
    "unknown": "nothing of it is in the queue",
}
_OF_DELETES = {
    "pending": "deleted here, not yet at the remote",
    "pushing": "deleted here, being deleted at the remote",
    "failed": "deleted here; the remote refused that for good",
    "remote": "deleted, also at the remote",
}


def ask(target: Target, admin_endpoint: str, endpoint: str) -> dict[str, Any] | None:
    """The daemon's document. None where there is no write queue, or nobody who could tell."""
    if admin_endpoint == options.ADMIN_ENDPOINT and urlsplit(endpoint).hostname not in _LOOPBACK:
        return None  # the daemon is on another machine, and whose admin listener is on this one is another daemon
    path = "/status/" + "/".join(quote(part.encode("utf-8", "surrogateescape"), safe="/") for part in _parts(target))
    try:
        return admin.ask(admin_endpoint, path, os.environ.get("S3D_ADMIN_TOKEN"))
    except Failure:
        return None


def _parts(target: Target) -> tuple[str, ...]:
    return (target.bucket, target.key) if target.key else (target.bucket,)


def knows_something(document: dict[str, Any] | None) -> bool:
    """Whether the queue has more to say than that it has nothing."""
    if document is None:
        return False
    if "operations" in document:
        return bool(document["operations"]) or document["state"] != "unknown"
    return bool(document["states"]) or bool(document["known"])


def readable(document: dict[str, Any]) -> dict[str, Any]:
    """The status of a bucket or an object for people: what is in ``queue`` in words."""
    found = document.get("queue")
    if found is None:
        return document
    return {**document, "queue": _of_key(found) if "operations" in found else _of_bucket(found)}


def _of_key(found: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"state": state(found)}
    if found["operations"]:
        shown["operations"] = [queue.line(operation).strip() for operation in found["operations"]]
    if found["count"] > len(found["operations"]):
        shown["further"] = found["count"] - len(found["operations"])
    if found["last_pushed"]:
        last = {name: value for name, value in found["last_pushed"].items() if value is not None}
        shown["last_pushed"] = {**last, "at": _time(last["at"])}
    return shown


def _of_bucket(found: dict[str, Any]) -> dict[str, Any]:
    states = {name: f"{entry['count']} ({render.size(entry['bytes'])})" for name, entry in found["states"].items()}
    return {
        "known": found["known"],
        "versioning": found["versioning"],
        "asked": _time(found["asked"]) if found["asked"] else None,
        "oldest_age": found["oldest_age"],
        "states": states,
    }


def state(found: dict[str, Any]) -> str:
    """The state of a key, and what it means."""
    name = found["state"]
    meaning = _OF_DELETES.get(name) if found["deleted"] else None
    return f"{name} ({meaning or _MEANING.get(name, name)})"


def _time(moment: float) -> str:
    return render.time(datetime.fromtimestamp(moment).astimezone())
