"""Serve: the lab as a provider of the Dataspace Protocol, offering what it has published.

Every request is decided by the policy door for who asks and what for, and the ledger says to whom what was granted.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from datalab.errors import SettingsError, UsageError
from datalab.governance.ledger import Entry, Ledger, open_ledger
from datalab.lab.lab import ENGINE, Lab
from datalab.lab.publish import WHOLE, Published, export_decision, published
from datalab.lab.release import evidence_of
from datalab.model.agreement import Intent
from datalab.staging.manifest import read_manifest

if TYPE_CHECKING:
    from datalab_connectors.dsp.callers import Caller
    from datalab_connectors.dsp.holdings import Holding
    from datalab_connectors.dsp.store import Process

    from datalab.model.settings import Settings
    from datalab.ports.http import Reach

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LOOK_AGAIN = 1.0
_EVENTS = {
    ("negotiation", "finalized"): "agreement.granted",
    ("negotiation", "termination"): "agreement.refused",
    ("transfer", "start"): "release.served",
}


def serve(lab: Lab, ready: Callable[[str, int], None]) -> None:
    """Serve until told to stop; ``ready`` hears the address and how many releases are on offer."""
    from datalab_connectors.dsp.callers import read_signed
    from datalab_connectors.dsp.exchange import Exchange, Unknown
    from datalab_connectors.dsp.messages import HTTP_ENDPOINT
    from datalab_connectors.dsp.post import Post
    from datalab_connectors.dsp.provider import Provider, push_by_http
    from datalab_connectors.dsp.service import provider_routes
    from datalab_connectors.dsp.store import Store
    from datalab_connectors.dsp.transitions import PROVIDER
    from starlette.applications import Starlette
    from starlette.requests import Request

    from datalab.ports import listening
    from datalab.ports.http import HttpClient, Limits

    keys = {name: lab.settings.secret(secret) for name, secret in lab.settings.publish_consumers.items()}
    if not keys:
        raise UsageError(
            "nobody may ask for what this lab publishes",
            where="datalab.toml, [publish]",
            next='name the participants and their secrets: consumers = { "did:web:other.example" = "other_lab" }',
        )
    listener, host = _listen(lab.settings.publish_listen)
    base = lab.settings.publish_address.rstrip("/") or f"http://{host}:{listener.getsockname()[1]}"
    shelf = Shelf(lab)
    store = Store(lab.home / "provider" / "provider.sqlite")
    reach = _reach(lab.settings, host)
    client = HttpClient(reach, Limits(connect=5, idle=10, seconds=20, attempts=1))
    provider = Provider(
        shelf,
        store,
        reach,
        f"{base}/2025-1",
        900.0,
        lab.settings.participant,
        judge=lambda holding, caller: objections(lab, shelf.item(holding.id), caller),
        pushers={HTTP_ENDPOINT: push_by_http(client)},
        witness=Witness(lab),
    )
    exchange = Exchange(PROVIDER, store, provider, f"{base}/2024-1")
    post = Post(store, client, exchange.act)
    exchange.wake = post.wake

    def caller(request: Request) -> Caller:
        found = read_signed(request.headers.get("authorization", ""), keys)
        if found is None:
            raise Unknown("nothing here for this caller")
        return found

    application = Starlette(routes=[*provider_routes(provider, exchange, caller, base=base)])
    server = listening.server(application, listening.MESSAGES, log_level="warning", timeout_graceful_shutdown=5)
    post.start()
    ready(base, len(shelf))
    try:
        server.run(sockets=[listener])
    finally:
        post.stop()
        client.close()
        store.close()


class Shelf(Mapping[str, "Holding"]):
    """What is published, as holdings; looked at again when something was published or withdrawn."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._looked = 0.0
        self._items: dict[str, Published] = {}
        self._holdings: dict[str, Holding] = {}

    def item(self, holding_id: str) -> Published:
        """Return the published release behind a holding."""
        return self._items[holding_id]

    def __getitem__(self, key: str) -> Holding:
        self._look()
        return self._holdings[key]

    def __iter__(self) -> Iterator[str]:
        self._look()
        return iter(dict(self._holdings))

    def __len__(self) -> int:
        self._look()
        return len(self._holdings)

    def _look(self) -> None:
        if time.monotonic() - self._looked < _LOOK_AGAIN and self._looked:
            return
        items = {item.id: item for item in published(self._lab)}
        self._holdings = {
            key: self._holdings[key] if self._items.get(key) == item else holding_of(self._lab, item)
            for key, item in items.items()
        }
        self._items = items
        self._looked = time.monotonic()


def holding_of(lab: Lab, item: Published) -> Holding:
    """Return a published release as a holding: the data by shard, and the whole release as one archive."""
    from datalab_connectors.dsp.holdings import File, Holding

    manifest = read_manifest(item.folder)
    archive = lab.home / "published" / f"{item.name}-{item.version}.tar"
    shards = tuple(
        File(
            id=shard.path.removeprefix("data/").replace("/", "."),
            path=item.folder / shard.path,
            format="parquet",
            media_type="application/vnd.apache.parquet",
            title=f"{shard.split}, {shard.rows} rows",
            bytes=shard.bytes,
            sha256=shard.sha256,
        )
        for shard in manifest.shards
    )
    whole = File(
        id=WHOLE,
        path=archive,
        format="tar",
        media_type="application/x-tar",
        title="the whole release with its manifest and evidence",
        bytes=archive.stat().st_size,
        sha256=str(item.body["archive_sha256"]),
    )
    return Holding(
        id=item.id,
        offer_id=f"offer:{item.id}:{item.digest[:16]}",
        title=str(item.body["title"]),
        description=str(item.body["description"]),
        holder=lab.settings.name,
        policy=dict(item.body["policy"]),
        files=(*shards, whole),
        licence=str(item.body["licence"]),
        personal_data=bool(item.body["personal_data"]),
        issued=str(item.body["issued"]),
        columns=tuple((name, kind) for name, kind in item.body["columns"]),
    )


def objections(lab: Lab, item: Published, caller: Caller) -> list[str]:
    """Ask the policy door whether a caller may have a release; the decision goes into the ledger. No claims, no grant."""
    intent = caller.intent or Intent(purpose="", purpose_text="", recipient=caller.participant)
    manifest = read_manifest(item.folder)
    decision = export_decision(lab, evidence_of(lab, manifest), manifest, intent, actor=caller.participant)
    with contextlib.closing(_ledger(lab)) as ledger:
        ledger.append([Entry("decision.made", ENGINE, item.id, {**decision.as_json(), "id": decision.id})])
    return [] if decision.permitted else list(decision.reasons)


class Witness:
    """Says in the ledger, once, what was granted to whom and what was handed out. It reads the ledger once, and then what is new."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._after = 0
        self._said: set[tuple[str, str]] = set()
        self._alone = threading.Lock()

    def __call__(self, process: Process, move: str) -> None:
        """Witness one move of a process, unless it was witnessed."""
        event = _EVENTS.get((process.kind, move))
        if event is None:
            return
        body = {"consumer": process.party, "agreement": process.subject, "process": process.pid}
        with self._alone, contextlib.closing(_ledger(self._lab)) as ledger:
            head = ledger.head()
            for kind in frozenset(_EVENTS.values()):
                self._said |= {(kind, str(one.body.get("process"))) for one in ledger.events(type=kind, after=self._after)}
            self._after = head.sequence if head else 0
            if (event, process.pid) not in self._said:
                ledger.append([Entry(event, process.party, str(process.data["holding"]), body)])


def _ledger(lab: Lab) -> Ledger:
    """Open the ledger for the thread that asks: an SQLite connection belongs to one."""
    return open_ledger(lab.settings.ledger_url, lab.home)


def _reach(settings: Settings, host: str) -> Reach:
    """Return where answers and files may go from a lab that listens at ``host``."""
    from datalab.ports.http import Reach
    from datalab.ports.tls import Tls

    said = settings.publish_reach
    hosts = frozenset(map(str, said.get("hosts", ())))
    tls = Tls.read(said, (f"https://{name}" for name in hosts), "datalab.toml, [publish]")
    return Reach(hosts, loopback=host in _LOOPBACK, tls=tls)


def _listen(where: str) -> tuple[socket.socket, str]:
    host, _, port = where.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"listen is {where!r}", where="datalab.toml, [publish]", next='write it as "127.0.0.1:8765"')
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"cannot listen on {where}: {error.strerror}", where="datalab.toml, [publish]", next="name another address"
        ) from None
    return listener, host
