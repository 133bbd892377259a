"""Discover: one query over the configured catalogues, and a bounded look at a dataset under its terms.

Where the lab has a model for it (``[discovery] model``), datasets are found by their meaning as well as by their words.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

from datalab.errors import DatalabError, NotFound, SourceError, StorageFailed
from datalab.formats import read
from datalab.lab.acquire import acquire
from datalab.lab.facts import offer_facts
from datalab.lab.lab import Lab
from datalab.lab.watch import Face
from datalab.model.agreement import Intent
from datalab.model.decision import Decision
from datalab.model.offer import Offer, Query
from datalab.model.pipeline import Pipeline
from datalab.policy import decide_acquisition
from datalab.ports.connector import Change, Connector, Harvest, Harvester
from datalab.services.discovery import Found, Index, Model, Profile, Wanted, fuse, merge_profiles, profile_batch, together

INDEX = "catalogues.sqlite"
"""The index of all catalogues of which a copy is kept, in the lab's home."""
_BATCH = 8_192


@dataclass(frozen=True, slots=True)
class Hit:
    """A dataset on offer. ``also`` names the same dataset in other catalogues; ``decision`` previews what the terms say to an intent.

    Where a model took part, ``by`` says why it was found (``words``, ``meaning``; ``catalogue``: by its catalogue's own search), and
    ``similarity`` how near its meaning is (cosine; 0 where it is not near).
    """

    offer: Offer
    score: float
    also: tuple[str, ...] = ()
    decision: Decision | None = None
    by: tuple[str, ...] = ()
    similarity: float = 0.0


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a query found: hits, best first; ``facets`` counts all that the index matched; ``silent`` says which catalogues did not answer, and why."""

    hits: tuple[Hit, ...]
    facets: Mapping[str, Sequence[tuple[str, int]]]
    silent: Mapping[str, str]


def discover(
    lab: Lab,
    wanted: Wanted,
    *,
    face: Face,
    intent: Intent | None = None,
    patience: float = 20.0,
    catalogues: Sequence[str] = (),
) -> Discovery:
    """Search all configured catalogues at once (or those named); the same dataset in several of them is one hit.

    A catalogue that fails, or takes longer than ``patience`` seconds, is named in ``silent`` and stops nobody.
    """
    names = [_known(lab, name) for name in catalogues] or list(lab.settings.connectors)
    asked = {name: _Asked(lab.connector(name), wanted) for name in names}
    deadline = time.monotonic() + patience
    silent: dict[str, str] = {}
    live: list[Offer] = []
    with closing(Index(lab.home / INDEX)) as index, closing(Index()) as visiting:
        copies: list[str] = []
        for name, one in asked.items():
            answer = one.answer(max(0.0, deadline - time.monotonic()))
            if isinstance(answer, str):
                silent[name] = answer
                face.say(f"connector {name}: {answer}")
            elif _keeps(one.connector) is None:
                live += answer
            if (harvester := _keeps(one.connector)) is not None and harvester.state()[2]:
                _take_in(index, harvester, face)
                copies.append(name)
        if silent and len(silent) == len(asked) and not copies:
            raise SourceError("no catalogue answered", where=", ".join(asked), next="datalab doctor says more")
        within = replace(wanted, facets={**wanted.facets, "catalogue": copies}, limit=wanted.limit * 3)
        offers = {(offer.connector, offer.dataset_id): offer for offer in live}
        ranked = [*(index.search(within) if copies else ()), *_visitors(visiting, live, wanted)]
        ranked.sort(key=lambda hit: -hit.score)
        near: list[Found] = []
        model = _model(lab, index) if wanted.text.strip() else None
        if model is not None:
            least = lab.settings.discovery_similarity
            index.learn(model, face.progress)
            near = index.near(within, model, least=least) if copies else []
            visiting.learn(model, face.progress)
            visitors = visiting.near(replace(wanted, limit=len(live)), model, least=least)
            ranked = fuse(ranked, sorted((*near, *visitors), key=lambda hit: -hit.score))
        facets = index.facets(within, near=near) if copies else visiting.facets(replace(wanted, text=""))
        groups = together([(hit, hit.catalogue, hit.names) for hit in ranked])[: max(0, wanted.limit)]
        others = {hit: index.others(hit) for hit, *_ in groups}
    hits = []
    for first, *rest in groups:
        chosen = offers.get((first.catalogue, first.dataset)) or _listed(asked[first.catalogue].connector, first.dataset)
        if chosen is not None:
            also = [(hit.catalogue, hit.dataset) for hit in rest] + others[first]
            said = tuple(dict.fromkeys(f"{catalogue}:{name}" for catalogue, name in also))
            by = tuple(dict.fromkeys(way for hit in (first, *rest) for way in hit.by)) if model else ()
            decision = preview(lab, chosen, intent) if intent else None
            hits.append(Hit(chosen, first.score, said, decision, by, first.similarity))
    return Discovery(tuple(hits), facets, silent)


def refresh(lab: Lab, names: Sequence[str] = (), *, face: Face) -> dict[str, Harvest | str]:
    """Harvest the catalogues of which a copy is kept (or those named) and take them into the index; a failure is told, not raised."""
    done: dict[str, Harvest | str] = {}
    taken = False
    with closing(Index(lab.home / INDEX)) as index:
        for name in [_known(lab, name) for name in names] or list(lab.settings.connectors):
            try:
                harvester = _keeps(lab.connector(name))
                if harvester is None:
                    if names:
                        done[name] = "is asked each time: there is no copy to refresh"
                    continue
                done[name] = harvester.harvest(face.progress)
                _take_in(index, harvester, face)
                taken = True
            except (SourceError, StorageFailed) as error:
                done[name] = str(error)
        if taken and (model := _model(lab, index)) is not None:
            index.learn(model, face.progress)
    return done


def preview(lab: Lab, offer: Offer, intent: Intent) -> Decision:
    """Return what the terms would answer to this intent now. It opens nothing and is not recorded."""
    return decide_acquisition(offer, intent, moment=datetime.now(UTC), actor=lab.actor, facts=offer_facts(lab, offer))


def catalogue_states(lab: Lab) -> dict[str, tuple[int, str]]:
    """Return for every catalogue in the index how many datasets it has there, and when its last harvest ended."""
    with closing(Index(lab.home / INDEX)) as index:
        return {name: (datasets, ended) for name, datasets, ended in index.catalogues()}


class _Asked:
    """One catalogue, asked in a thread of its own. A thread that hangs is left behind: it holds nothing but its connection."""

    def __init__(self, connector: Connector, wanted: Wanted) -> None:
        self.connector = connector
        self._found: list[Offer] | str = "has not answered"
        self._thread = threading.Thread(target=self._ask, args=(wanted,), daemon=True)
        self._began = time.monotonic()
        self._thread.start()

    def answer(self, seconds: float) -> list[Offer] | str:
        """Return the offers (none for a catalogue of which a copy is kept), or why there are none."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            more = "; datalab catalogue refresh harvests it with time" if _keeps(self.connector) else ""
            return f"has not answered in {time.monotonic() - self._began:.0f} seconds{more}"
        return self._found

    def _ask(self, wanted: Wanted) -> None:
        try:
            harvester = _keeps(self.connector)
            if harvester is None:
                self._found = list(self.connector.search(Query(wanted.text, wanted.limit)))
                return
            if not harvester.state()[2]:
                harvester.harvest(lambda *_: None)
            self._found = []
        except DatalabError as error:
            self._found = str(error)
        except Exception as error:  # noqa: BLE001 - a fault in one plug-in must not silence the others
            self._found = f"failed: {type(error).__name__}"


def _keeps(connector: Connector) -> Harvester | None:
    return connector if isinstance(connector, Harvester) and connector.harvests else None


def _take_in(index: Index, harvester: Harvester, face: Face) -> None:
    copy, last, ended = harvester.state()
    known, number = index.position(harvester.name)
    if (known, number) != (copy, last):
        face.progress(f"indexing {harvester.name}", number, last)
        index.take_in(harvester.name, copy, harvester.changes(number if known == copy else 0), ended)


def _visitors(index: Index, offers: Sequence[Offer], wanted: Wanted) -> Iterator[Found]:
    """Yield the offers of catalogues that were asked just now, ranked as those of the index are, within the facets."""
    for name in dict.fromkeys(offer.connector for offer in offers):
        changes = (Change(number, offer.dataset_id, offer) for number, offer in enumerate(offers, 1) if offer.connector == name)
        index.take_in(name, "now", changes)
    ranked = {(hit.catalogue, hit.dataset): hit for hit in index.search(replace(wanted, limit=len(offers)))}
    for hit in index.search(replace(wanted, text="", limit=len(offers))):
        # What the catalogue's own search found and ours does not is a hit all the same, at half the weight.
        yield ranked.get((hit.catalogue, hit.dataset), replace(hit, score=hit.score / 2, by=("catalogue",)))


def _model(lab: Lab, index: Index) -> Model | None:
    """Return the lab's model for searching by meaning; None where the settings name none."""
    folder = lab.settings.discovery_model
    return None if folder is None else index.model(lab.settings.path(folder))


def _listed(connector: Connector, name: str) -> Offer | None:
    with suppress(NotFound):
        return connector.listed(name) if isinstance(connector, Harvester) else None
    return None


def _known(lab: Lab, name: str) -> str:
    if name not in lab.settings.connectors:
        raise NotFound.among("catalogue", name, lab.settings.connectors, where="datalab.toml, [connectors]")
    return name


def profile_source(lab: Lab, pipeline: Pipeline, *, rows: int, face: Face) -> tuple[Profile, int]:
    """Profile at most ``rows`` records of the pipeline's source, acquired under its purpose; return the profile and the broken records met."""
    acquired = acquire(lab, pipeline, face.progress)
    batches, faults, left = [], 0, rows
    for item in acquired.inputs:
        options = item.options
        for chunk in islice(read(item.object.path, options, batch_rows=min(_BATCH, rows)), -(-left // _BATCH)):
            frame = chunk.frame.head(left)
            faults += len(chunk.faults)
            left -= frame.height
            batches.append(profile_batch(frame))
            face.progress(f"profiling {item.object.name}", rows - left, rows)
        if left <= 0:
            break
    return merge_profiles(batches), faults
