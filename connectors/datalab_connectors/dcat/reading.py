"""From a record to an offer: lenient about how things are written, never about terms."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datalab.errors import ProtocolError
from datalab.model.offer import Distribution, Fitness, Offer
from datalab.ports.landing import safe_name
from datalab_connectors.dcat import ckan, piveau
from datalab_connectors.dcat.record import Raw, Record, literal, spoken, texts
from datalab_connectors.dcat.rules import findings, quality
from datalab_connectors.dcat.terms import Terms, access_of, is_health, policy_of, terms_of
from datalab_connectors.dcat.vocabulary import (
    ADMS,
    DCAT,
    DCT,
    DPV,
    HEALTH,
    OPEN_ACCESS,
    OWL,
    SPDX,
    format_of,
    media_type,
    tail,
    usual_media_type,
)  # fmt: skip

_LANGUAGES = {
    "BUL": "bg", "CES": "cs", "DAN": "da", "DEU": "de", "ELL": "el", "ENG": "en", "SPA": "es", "EST": "et", "FIN": "fi",
    "FRA": "fr", "GLE": "ga", "HRV": "hr", "HUN": "hu", "ITA": "it", "LIT": "lt", "LAV": "lv", "MLT": "mt", "NLD": "nl",
    "POL": "pl", "POR": "pt", "RON": "ro", "SLK": "sk", "SLV": "sl", "SWE": "sv",
}  # fmt: skip
_NUMBER = re.compile(r"[0-9]+(\.0+)?")
_LONGEST = 4_000
_MOST_GAPS = 20


@dataclass(frozen=True, slots=True)
class Address:
    """Where a distribution lies: ``direct`` where it is the file itself, else what stands there may be a page about it.

    ``algorithm`` (as hashlib names it) and ``checksum`` (hex) are what the catalogue announces of the bytes, "" where nothing.
    """

    url: str
    direct: bool
    algorithm: str = ""
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A distribution with its address and terms."""

    distribution: Distribution
    address: Address
    terms: Terms


def offer_of(connector: str, raw: Raw, *, languages: Sequence[str] = ("en",), personal_data: bool = False) -> Offer:
    """Build the offer of a record; raise ``ProtocolError`` where it is no record."""
    record = record_of(raw.body, raw.kind)
    dataset = record.dataset
    found = distributions(record, languages)
    own = terms_of(record, dataset)
    covered = [item for item in found if not _with(own, item.terms).silent and not _with(own, item.terms).unknown] or found
    policy = policy_of(record, [_with(own, item.terms) for item in covered] or [own])
    personal = personal_data or is_health(record) or any(key == DPV + "hasPersonalData" for key in dataset)
    return Offer(
        connector=connector,
        dataset_id=raw.id,
        offer_id=policy.id,
        title=spoken(dataset, DCT + "title", languages) or raw.id,
        description=spoken(dataset, DCT + "description", languages)[:_LONGEST],
        holder=record.label(dataset, DCT + "publisher", languages) or record.label(dataset, DCT + "creator", languages),
        policy=policy,
        distributions=tuple(item.distribution for item in covered),
        licence=", ".join(dict.fromkeys(licence.id for item in covered for licence in _with(own, item.terms).licences)),
        keywords=tuple(dict.fromkeys(texts(dataset, DCAT + "keyword")))[:100],
        languages=tuple(dict.fromkeys(_language(name) for name in texts(dataset, DCT + "language"))),
        personal_data=personal,
        issued=literal(dataset, DCT + "issued"),
        catalogue_record=raw.body,
        fitness=_fitness(record, covered, len(found) - len(covered)),
    )


def record_of(body: str, kind: str = "") -> Record:
    """Read the letter of a record; without ``kind`` it shows."""
    try:
        found = json.loads(body)
        if isinstance(found, list):
            return Record.of(found)
        return Record.of(piveau.nodes(found) if kind == "piveau" or piveau.is_record(found) else ckan.nodes(found))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ProtocolError(f"the record cannot be read: {type(error).__name__}", where=body[:80]) from None


def distributions(record: Record, languages: Sequence[str] = ("en",)) -> list[Found]:
    """Return the distributions of a record that have an address, each with an id of its own: short where that is enough."""
    nodes = [node for node in record.parts(record.dataset, DCAT + "distribution") if "@id" in node]
    full = [str(node["@id"]) for node in nodes]
    short = [safe_name(tail(name)) if not name.startswith("_:") else "" for name in full]
    found = []
    for place, node in enumerate(nodes):
        if (address := _address(record, node)) is None:
            continue
        kind = format_of(literal(node, DCAT + "mediaType"), _named_format(record, node), address.url)
        name = (
            short[place]
            if short[place] and short.count(short[place]) == 1
            else ""
            if full[place].startswith("_:")
            else full[place]
        )
        media = (
            media_type(literal(node, DCAT + "mediaType")) or media_type(literal(node, DCT + "format")) or usual_media_type(kind)
        )
        size = literal(node, DCAT + "byteSize")
        distribution = Distribution(
            id=name or f"{kind or 'file'}-{place + 1}",
            format=kind,
            media_type=media,
            bytes=int(size.partition(".")[0]) if _NUMBER.fullmatch(size) else None,
            sha256=address.checksum if address.algorithm == "sha256" else None,
            title=spoken(node, DCT + "title", languages),
            file=safe_name(address.url.partition("?")[0].partition("#")[0]) if address.direct else "",
        )
        found.append(Found(distribution, address, terms_of(record, node)))
    return found


def _address(record: Record, node: Mapping[str, Any]) -> Address | None:
    direct = literal(node, DCAT + "downloadURL")
    url = direct or literal(node, DCAT + "accessURL")
    if not url:
        return None
    for checksum in record.parts(node, SPDX + "checksum"):
        algorithm = re.sub(
            r"[^a-z0-9]", "", tail(literal(checksum, SPDX + "algorithm")).lower().replace("checksumalgorithm_", "")
        )
        value = literal(checksum, SPDX + "checksumValue").lower()
        if algorithm in {"md5", "sha1", "sha224", "sha256", "sha384", "sha512"} and re.fullmatch(r"[0-9a-f]{32,128}", value):
            return Address(url, bool(direct), algorithm, value)
    return Address(url, bool(direct))


def _named_format(record: Record, node: Mapping[str, Any]) -> str:
    for value in node.get(DCT + "format", ()):
        names = record.names(value)
        if names:
            return names[0]
    return ""


def _with(own: Terms, terms: Terms) -> Terms:
    """Return the terms of a distribution: its own, with those of the dataset beside them; a licence of its own replaces the dataset's."""
    if terms.licences or any(text.startswith("a licence") for text in terms.unknown):
        extra = tuple(text for text in own.unknown if not text.startswith("a licence"))
        return Terms(terms.licences, terms.stated, (*extra, *terms.unknown), (*own.policies, *terms.policies))
    return Terms(own.licences, own.stated, (*own.unknown, *terms.unknown), (*own.policies, *terms.policies))


def _fitness(record: Record, covered: Sequence[Found], left: int) -> Fitness:
    dataset = record.dataset
    access = access_of(record)
    gaps = list(dict.fromkeys(map(str, findings(record))))[:_MOST_GAPS]
    if left:
        gaps.insert(
            0, f"not offered: {left} of its distributions, because their terms are unknown and those of the others known"
        )
    identifiers = [*texts(dataset, DCT + "identifier"), *texts(dataset, OWL + "sameAs")]
    identifiers += [name for part in dataset.get(ADMS + "identifier", ()) for name in record.names(part)]
    own = [record.root] if not record.root.startswith("_:") else []
    return Fitness(
        themes=tuple(
            dict.fromkeys(
                _theme(record, value) for value in [*dataset.get(DCAT + "theme", ()), *dataset.get(HEALTH + "healthTheme", ())]
            )
        ),
        access=access,
        modified=literal(dataset, DCT + "modified") or literal(dataset, DCT + "issued"),
        frequency=tail(literal(dataset, DCT + "accrualPeriodicity")),
        route=_route(record, access, covered),
        quality=quality(record),
        gaps=tuple(gaps),
        names=tuple(dict.fromkeys([*own, *filter(None, identifiers)])),
        pages=tuple(dict.fromkeys(texts(dataset, DCAT + "landingPage"))),
    )


def _route(record: Record, access: str, found: Sequence[Found]) -> str:
    if access and access != OPEN_ACCESS:
        return "permit of the Health Data Access Body, in its environment" if is_health(record) else "request to the holder"
    if any(item.address.direct for item in found):
        return "download"
    if any(DCAT + "accessService" in node for node in record.parts(record.dataset, DCAT + "distribution")):
        return "a service"
    return "its access address" if found else "none, since the record has no address"


def _theme(record: Record, value: Mapping[str, str]) -> str:
    names = record.names(value)
    return tail(names[0]) if names else ""


def _language(name: str) -> str:
    code = tail(name)
    return _LANGUAGES.get(code.upper(), code.lower())
