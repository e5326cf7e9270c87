"""Resident memory of a gateway: idle, under load, and while 5 GiB pass through it."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peers
import procfs
from contender import Contender, request
from gateways.launches import running
from gateways.plan import Plan
from gateways.upload import Uploaded, upload_chunked, upload_multipart, upload_plain
from memory import entry, settled, under_load
from rounds import generator
from row import GIB


def measure_memory(chosen: argparse.Namespace, remote: peers.Server, plan: Plan, root: Path) -> list[dict[str, Any]]:
    """Entries as `memory.entry` makes them, several for each gateway.

    Each gateway is started anew for it. rclone is measured too, but without the large upload.
    """
    entries: list[dict[str, Any]] = []
    for name in (name for name in chosen.only if name in ("s3d", "rclone")):
        with running(name, remote.url, root / f"memory-{name}") as (contender, _), generator() as load:
            entries.append(settled(name, "idle", contender))
            entries += under_load(contender, plan, load, scale=0.3 if chosen.quick else 1.0)
            if name == "s3d":
                entries += _uploads(chosen, contender, remote, root)
            entries.append(settled(name, "afterwards", contender))
    return entries


def _uploads(
    chosen: argparse.Namespace, contender: Contender, remote: peers.Server, root: Path
) -> list[dict[str, Any]]:
    size = int(chosen.upload_gib * GIB)
    forms: list[tuple[str, Callable[[str, str, int], Uploaded]]] = []
    if chosen.upload in ("plain", "both"):
        forms.append(("plain", upload_plain))
    if chosen.upload in ("chunked", "both"):
        forms.append(("aws-chunked, crc32 trailer", upload_chunked))
    entries = []
    for label, send in forms:
        stage = f"PUT {chosen.upload_gib:g} GiB, {label}"
        # Once at the remote and, for aws-chunked, once in the spool; twice that so that nobody's disk is filled.
        if shutil.disk_usage(root).free < 4 * size:
            entries.append({"contender": contender.name, "stage": stage, "note": "left out: the disk is too full"})
            continue
        entries.append(_upload(stage, send, contender, remote, size))
    return entries


def _upload(
    stage: str, send: Callable[[str, str, int], Uploaded], contender: Contender, remote: peers.Server, size: int
) -> dict[str, Any]:
    path = f"/{contender.write_bucket}/huge"
    with procfs.PeakSampler(contender.pid) as sampler:
        cpu = procfs.cpu_seconds(contender.pid)
        wrong, seconds = send(contender.url, path, size)
        if wrong.startswith("400"):  # EntityTooLarge: the remote's limit of a single PUT is lower
            stage += " (as multipart: the remote refuses a single PUT)"
            wrong, seconds = upload_multipart(contender.url, path, size)
        cpu = procfs.cpu_seconds(contender.pid) - cpu
    status, _ = request(remote.url, "DELETE", path)
    if not wrong and status != 204:
        wrong = f"the remote answered {status} to the DELETE of the object"
    note = wrong or f"{size / seconds / 1e6:,.0f} MB/s, {cpu:.1f} s of CPU"
    return entry(contender.name, stage, sampler.peak, note)
