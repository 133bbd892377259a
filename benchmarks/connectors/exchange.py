"""The Dataspace Protocol on loopback: from asking for an agreement to the first byte, and a fetch against a bare HTTP stream.

Provider and consumer are processes of their own, as in use. The bare stream is httpx writing the same bytes, from the same server under the
same kind of token, to a file: no hash, no read-back, nothing made durable. A fetch does all three. Both are wall clock: measure them on a
machine that does nothing else.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.compare import figure
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (
    Goal(
        "first-byte", "Milliseconds from asking for an agreement to the first byte of data, median", "lower", floor=50, goal=15
    ),
    Goal("fetch-stream", "Bytes a second of a fetch, against those of a bare HTTP stream", "higher", floor=0.9, goal=0.97),
)
PACKAGES = ("httpx", "httpcore", "starlette", "uvicorn")
_HOLDING = """
id = "a"
title = "A"
description = "A"
holder = "H"
personal_data = false
[[distribution]]
id = "bin"
file = "a.bin"
format = "text"
media_type = "application/octet-stream"
"""


def measure(scale: Scale) -> Iterator[Row]:
    """Negotiate and fetch against a sandbox of its own."""
    from datalab_connectors.dsp.connector import DspConnector
    from datalab_connectors.sandbox import start, stop

    root = Path(tempfile.mkdtemp(prefix="datalab-bench-"))
    mebibytes = 16 if scale.quick else 1024
    try:
        _holding(root / "holdings" / "a", mebibytes)
        running = start(root / "provider", holdings=[root / "holdings"])
        connector = DspConnector("space", {"url": running.url}, root / "consumer")
        scale.say("negotiations")
        yield _first_byte(connector, root, 5 if scale.quick else 40)
        scale.say("fetches")
        yield _fetch(connector, root, mebibytes, 1 if scale.quick else 25)
    finally:
        stop(root / "provider")
        shutil.rmtree(root)


class _Enough(Exception):
    """The first byte is here."""


def _first_byte(connector: Any, root: Path, rounds: int) -> Row:
    from datalab.ports.landing import Landing

    times: list[float] = []

    def arrived(*_: object) -> None:
        times.append(time.perf_counter())
        raise _Enough

    whole, agreed = [], []
    for number in range(rounds + 1):
        offer, intent, decision = _granted(connector, number)
        began = time.perf_counter()
        agreement = connector.negotiate(offer, intent, decision)
        agreed.append(time.perf_counter() - began)
        try:
            connector.fetch(agreement, offer, "bin", Landing(root / f"landing-{number}"), decision, arrived)
        except _Enough:
            whole.append(times[-1] - began)
    median = statistics.median(whole[1:]) * 1000
    return figure(
        GOALS[0],
        ours=median,
        theirs=GOALS[0].floor or 0,
        ratio=median,
        unit="ms",
        data={"rounds": rounds, "what": "negotiation, transfer, first block; provider in its own process"},
        packages=PACKAGES,
        note="theirs is the floor: there is nothing to compare with",
        more={
            "agreed_ms": round(statistics.median(agreed[1:]) * 1000, 1),
            "p95_ms": round(sorted(whole)[int(rounds * 0.95)] * 1000, 1),
        },
    )


def _fetch(connector: Any, root: Path, mebibytes: int, pairs: int) -> Row:
    import httpx

    from datalab.ports.landing import Landing

    offer, intent, decision = _granted(connector, -1)
    agreement = connector.negotiate(offer, intent, decision)
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []

    def fetched() -> None:
        began, worked = time.perf_counter(), time.process_time()
        [found] = connector.fetch(agreement, offer, "bin", Landing(root / "landing"), decision, lambda *_: None)
        ours.append((time.perf_counter() - began, time.process_time() - worked))
        found.path.unlink()

    def streamed() -> None:
        with connector._consumer(intent).transfer(agreement.id, "bin") as source:  # noqa: SLF001 - the same address and kind of token
            began, worked = time.perf_counter(), time.process_time()
            with httpx.Client(trust_env=False) as client, (root / "bare").open("wb") as file:
                headers = {"authorization": f"Bearer {source.token}"}
                with client.stream("GET", source.url, headers=headers) as answer:
                    for block in answer.iter_raw():
                        file.write(block)
            theirs.append((time.perf_counter() - began, time.process_time() - worked))
        (root / "bare").unlink()

    fetched()
    streamed()
    ours.clear()  # the first pair also meets memory that a virtual machine has yet to get
    theirs.clear()
    for number in range(pairs):
        for run in (fetched, streamed) if number % 2 else (streamed, fetched):
            os.sync()  # nobody pays for what another wrote
            run()
    ratios = sorted(bare / own for (own, _), (bare, _) in zip(ours, theirs, strict=True))
    ratio = statistics.median(ratios)
    return figure(
        GOALS[1],
        ours=mebibytes / statistics.median(wall for wall, _ in ours),
        theirs=mebibytes / statistics.median(wall for wall, _ in theirs),
        ratio=ratio,
        unit="MiB/s",
        data={"bytes": mebibytes << 20, "pairs": pairs},
        packages=PACKAGES,
        note="a fetch also asks for the transfer, hashes, reads back and makes durable; the bare stream does not",
        more={
            "ratios": [round(one, 3) for one in ratios],
            "cpu_s": round(statistics.median(cpu for _, cpu in ours), 2),
            "cpu_s_theirs": round(statistics.median(cpu for _, cpu in theirs), 2),
        },
    )


def _granted(connector: Any, number: int) -> tuple[Any, Any, Any]:
    from datalab.model.agreement import Intent
    from datalab.policy import decide_acquisition

    offer = connector.offer("a")
    intent = Intent("https://w3id.org/dpv#ScientificResearch", f"round {number}")
    return offer, intent, decide_acquisition(offer, intent, moment=dt.datetime.now(dt.UTC), actor="benchmark")


def _holding(folder: Path, mebibytes: int) -> None:
    folder.mkdir(parents=True)
    (folder / "holding.toml").write_text(_HOLDING, encoding="utf-8")
    (folder / "policy.json").write_text('{"permission":[{"action":"use"}]}', encoding="utf-8")
    block = bytes(range(256)) * 4096
    with (folder / "a.bin").open("wb") as file:
        for number in range(mebibytes):
            file.write(number.to_bytes(8, "big") + block[8:])
