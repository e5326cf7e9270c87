"""Resident memory of a gateway: idle, under load, and while 5 GiB pass through it."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peers
import procfs
from contenders import Contender, request, running
from plan import KIB, MIB, Material, Row
from rounds import Generator, generator
from upload import Uploaded, upload_chunked, upload_multipart, upload_plain

_GIB = 1 << 30
_LOAD = (
    ("16 x 4 KiB", Row("GET", 4 * KIB, 16), Row("PUT", 4 * KIB, 16)),
    ("16 x 1 MiB", Row("GET", MIB, 16), Row("PUT", MIB, 16)),
    ("4 x 100 MiB", Row("GET", 100 * MIB, 4), Row("PUT", 100 * MIB, 4)),
    ("16 x LIST", Row("LIST", 0, 16)),
)


def measure_memory(
    chosen: argparse.Namespace, remote: peers.Server, material: Material, root: Path
) -> list[dict[str, Any]]:
    """One entry per gateway and stage: ``contender``, ``stage``, ``resident_mb`` (10**6 bytes), ``note``.

    Each gateway is started anew for it. rclone is measured too, but without the large upload.
    """
    entries: list[dict[str, Any]] = []
    for name in (name for name in chosen.only if name in ("s3d", "rclone")):
        with running(name, remote.url, root / f"memory-{name}") as (contender, _), generator() as load:
            time.sleep(2)
            entries.append(_entry(name, "idle", procfs.resident_bytes(contender.pid)))
            for stage, *rows in _LOAD:
                entries.append(_load(stage, rows, contender, material, load, scale=0.3 if chosen.quick else 1.0))
            if name == "s3d":
                entries += _uploads(chosen, contender, remote, root)
            time.sleep(2)
            size = procfs.resident_bytes(contender.pid)
            entries.append(_entry(name, "afterwards", size, "not a peak: 2 s after the last request"))
    return entries


def _entry(name: str, stage: str, size: int, note: str = "") -> dict[str, Any]:
    print(f"memory: {name}, {stage}: {size / 1e6:.1f} MB {note}", file=sys.stderr, flush=True)
    return {"contender": name, "stage": stage, "resident_mb": size / 1e6, "note": note}


def _load(
    stage: str, rows: list[Row], contender: Contender, material: Material, load: Generator, *, scale: float
) -> dict[str, Any]:
    wrong = []
    with procfs.PeakSampler(contender.pid) as sampler:
        for row in rows:
            job, _ = material.job(row, contender, {}, scale)
            if (outcome := load.run(job)).wrong:
                wrong.append(f"{row.name}: {outcome.wrong}")
    return _entry(contender.name, stage, sampler.peak, "; ".join(wrong))


def _uploads(
    chosen: argparse.Namespace, contender: Contender, remote: peers.Server, root: Path
) -> list[dict[str, Any]]:
    size = int(chosen.upload_gib * _GIB)
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
    return _entry(contender.name, stage, sampler.peak, note)
