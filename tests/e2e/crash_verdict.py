"""Compares a store that was killed with what its clients know, and goes on from what is found."""

from __future__ import annotations

import aiohttp
from e2e.crash_load import BUCKETS, GONE, Client, Found, Key, State, Upload, elements, md5


class Verdict:
    """One comparison, while nobody writes."""

    def __init__(self, http: aiohttp.ClientSession, found: Found) -> None:
        self._http = http
        self._found = found

    async def check(self, clients: list[Client]) -> None:
        """Fills ``lost`` and ``torn`` of what was found."""
        keys = {(key.bucket, key.name): key for client in clients for key in client.keys}
        before = {at: key.maybe for at, key in keys.items()}
        for key in keys.values():
            if BUCKETS[key.bucket]:
                await self._versions(key)
            else:
                await self._object(key)
        for client in clients:
            client.uploads = [upload for upload in client.uploads if await self._goes_on(upload)]
        for bucket in BUCKETS:
            listed = await self._listed(bucket)
            there = {name: key.current for (where, name), key in keys.items() if where == bucket and key.current}
            if listed != {name: state.partition("/")[0] for name, state in there.items()}:
                self._found.torn.append(f"the list of {bucket} is {listed}, but what is there {there}, maybe {before}")

    async def _object(self, key: Key) -> None:
        state = await self._state(key.path)
        if state not in (key.current, *key.maybe):
            self._found.lost.append(f"{key.path} is {state}, not {key.current} nor one of {key.maybe}")
        key.current, key.maybe = state, []

    async def _versions(self, key: Key) -> None:
        """All versions, oldest first, each with its body; the latest is what a plain GET gives."""
        _, text, _ = await self._get(f"/{key.bucket}?versions&prefix={key.name}")
        listed: dict[str, State] = {}
        for entry in [*elements(text, "Version"), *elements(text, "DeleteMarker")]:
            members = {member.tag.rpartition("}")[2]: member.text or "" for member in entry}
            if members["Key"] == key.name:
                version = members["VersionId"]
                marker = entry.tag.endswith("DeleteMarker")
                listed[version] = GONE if marker else await self._state(f"{key.path}?versionId={version}")
        for version, state in key.versions.items():
            if version != key.maybe_removed and (version not in listed or listed[version] != state):
                self._found.lost.append(
                    f"version {version} of {key.path} is {listed.get(version, 'not there')}, not {state}"
                )
        new = [version for version in listed if version not in key.versions]
        if len(new) > len(key.maybe) or any(listed[version] not in key.maybe for version in new):
            self._found.torn.append(
                f"{key.path} has versions that nobody wrote: {[listed[version] for version in new]}"
            )
        key.versions = {version: listed[version] for version in [*key.versions, *new] if version in listed}
        latest = list(key.versions.values())[-1] if key.versions else GONE
        key.current, key.maybe, key.maybe_removed = latest, [], None
        state = await self._state(key.path)
        if state != latest:
            self._found.torn.append(f"{key.path} is {state}, but its latest version {latest}")

    async def _goes_on(self, upload: Upload) -> bool:
        """Whether the upload is still there; with its parts."""
        path = f"{upload.key.path}?uploadId={upload.upload_id}"
        status, text, _ = await self._get(path)
        if status == 404:
            if not upload.ending:
                self._found.lost.append(f"the upload {path}")
            elif upload.completing is not None and upload.completing not in (
                upload.key.current,
                *upload.key.versions.values(),
            ):
                self._found.torn.append(f"the upload {path} is gone, and its object is not there")
            return False
        parts = {}
        for part in elements(text, "Part"):
            members = {member.tag.rpartition("}")[2]: member.text or "" for member in part}
            parts[int(members["PartNumber"])] = members["ETag"].strip('"')
        expected = {number: etag for number, (etag, _) in upload.parts.items()}
        if parts not in (expected, expected | dict([upload.maybe] if upload.maybe else [])):
            self._found.lost.append(f"parts of {path}: {parts}, not {expected}, maybe {upload.maybe}")
        if upload.completing is not None and upload.completing == upload.key.current:
            self._found.torn.append(f"the upload {path} is there, and so is its object")
        if parts != expected:
            return False  # the bytes of the part without an answer are no longer at hand
        upload.ending, upload.completing, upload.maybe = False, None, None
        return True

    async def _listed(self, bucket: str) -> dict[str, str]:
        """ETags by key, page by page."""
        listed: dict[str, str] = {}
        after = ""
        while True:
            _, text, _ = await self._get(f"/{bucket}?list-type=2&max-keys=20&start-after={after}")
            for entry in elements(text, "Contents"):
                members = {member.tag.rpartition("}")[2]: member.text or "" for member in entry}
                after = members["Key"]
                listed[after] = members["ETag"].strip('"')
            if b"<IsTruncated>true" not in text:
                return listed

    async def _state(self, path: str) -> State:
        status, body, etag = await self._get(path)
        if status == 404:
            return GONE
        if "-" in etag:
            return f"{etag}/{md5(body)}"
        if status != 200 or etag != md5(body):
            self._found.torn.append(f"{path}: {status}, {len(body)} bytes, ETag {etag}, MD5 {md5(body)}")
        return md5(body)

    async def _get(self, path: str) -> tuple[int, bytes, str]:
        """Status, body, ETag."""
        async with self._http.get(path) as response:
            try:
                return response.status, await response.read(), response.headers.get("ETag", "").strip('"')
            except aiohttp.ClientPayloadError as error:
                self._found.torn.append(f"{path}: {error}")
                return response.status, b"", response.headers.get("ETag", "").strip('"')
