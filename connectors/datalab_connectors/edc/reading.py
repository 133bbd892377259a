"""What EDC's catalogue says, in each of its shapes, as our offers; and an offer back as the policy of a contract request.

One asset is one file, and its distributions are the ways to have it (transfer types): so an offer has one distribution here. Up to
2024/1 EDC answers with prefixed keys and lists of one unwrapped, in 2025-1 with plain keys and its own in ``edc:``.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from datalab.errors import ProtocolError
from datalab.model.offer import Distribution, Fitness, Offer
from datalab.policy import parse
from datalab.ports.landing import safe_name
from datalab_connectors.dsp.prefixed import plain
from datalab_connectors.dsp.reading import text
from datalab_connectors.edc.protocols import EDC
from datalab_connectors.kinds import kind_of, kind_of_media

_ODRL = "http://www.w3.org/ns/odrl.jsonld"
_OF_FILES = ("byteSize", "checksum", "fileName", "mediaType")
_RULES = ("permission", "prohibition", "obligation", "profile")
_VOCABULARIES = ("dct:", "dcterms:", "dcat:")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def entries_in(catalogue: Any) -> list[Mapping[str, Any]]:
    """Return the datasets of a catalogue itself; of catalogues within it another connector is the provider."""
    if not isinstance(catalogue, Mapping) or "Catalog" not in str(catalogue.get("@type", "")):
        raise ProtocolError("the management API answered with something else than a catalogue")
    found = catalogue.get("dcat:dataset", catalogue.get("dataset", []))
    entries = found if isinstance(found, list) else [found]
    return [entry for entry in entries if isinstance(entry, Mapping)]


def offer_in(connector: str, entry: Mapping[str, Any], provider: str) -> Offer:
    """Build the offer of a catalogue entry; raise ``ProtocolError`` where it cannot be one."""
    said = _words(entry)
    identifier, policies = said.get("@id"), _listed(entry.get("odrl:hasPolicy", entry.get("hasPolicy")))
    if not isinstance(identifier, str) or not identifier:
        raise ProtocolError("a dataset of the catalogue has no id")
    if not policies or not isinstance(policies[0], Mapping):
        raise ProtocolError("the dataset comes without an offer", where=identifier)
    terms = terms_of(policies[0])
    record = {key: value for key, value in said.items() if key not in {"distribution", "hasPolicy"}}
    routes = routes_in(said)
    return Offer(
        connector=connector,
        dataset_id=identifier,
        offer_id=terms["@id"],
        title=_first(said, "title", "name") or identifier,
        description=_first(said, "description"),
        holder=_first(said, "publisher") or provider,
        policy=parse(json.dumps(terms)),
        distributions=(_distribution(said),),
        licence=_first(said, "license"),
        keywords=_texts(said.get("keyword")),
        languages=_texts(said.get("language")),
        personal_data=said.get("personalData") not in {False, "false"},
        issued=_first(said, "issued"),
        catalogue_record=json.dumps({**record, "transferTypes": routes}, ensure_ascii=False, sort_keys=True),
        fitness=Fitness(modified=_first(said, "modified"), route=f"through a connector: {', '.join(routes) or 'no way named'}"),
    )


def routes_in(said: Mapping[str, Any]) -> list[str]:
    """Return the transfer types of a dataset in plain words, in the catalogue's order."""
    found = (item.get("format") for item in _listed(said.get("distribution")) if isinstance(item, Mapping))
    return list(dict.fromkeys(route for route in found if isinstance(route, str) and route))


def terms_of(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rules of an offer or agreement in plain words.

    EDC gives an offer another last part of its id at each request; what stays, contract definition and asset, is its id here.
    """
    said = plain({key: value for key, value in policy.items() if key != "@context"})
    identifier = said.get("@id")
    if not isinstance(identifier, str):
        raise ProtocolError("an offer of the catalogue has no id")
    rules = {key: said[key] for key in _RULES if key in said}
    return {"@context": _ODRL, "@id": _lasting(identifier), "@type": "Offer", **rules}


def request_policy(offer: Offer, assigner: str, subject: str) -> dict[str, Any]:
    """Return the policy of a contract request; ``subject`` makes its id the same at each try."""
    terms: dict[str, Any] = json.loads(offer.policy.verbatim)
    identifier = terms["@id"]
    if _is_lasting(identifier):
        identifier = f"{identifier}:{base64.b64encode(str(uuid.uuid5(uuid.NAMESPACE_URL, subject)).encode()).decode()}"
    named = {"assigner": {"@id": assigner}, "target": {"@id": offer.dataset_id}}
    return {**terms, "@context": [_ODRL, {"edc": EDC}], "@id": identifier, **named}


def _lasting(identifier: str) -> str:
    parts = identifier.split(":")
    if len(parts) == 3 and _UUID.fullmatch(_decoded(parts[2])) and all(_decoded(part) for part in parts[:2]):
        return ":".join(parts[:2])
    return identifier


def _is_lasting(identifier: str) -> bool:
    parts = identifier.split(":")
    return len(parts) == 2 and all(_decoded(part) for part in parts)


def _decoded(part: str) -> str:
    try:
        return base64.b64decode(part, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _words(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry in plain words; where a property comes in a vocabulary and in EDC's own, the vocabulary's counts."""
    kept = {}
    for key, value in entry.items():
        local = key.removeprefix("edc:").removeprefix(EDC)
        double = not key.startswith("@") and any(f"{prefix}{local}" in entry for prefix in _VOCABULARIES)
        if key != "@context" and not double:
            kept[key] = value
    said = plain(kept, {"edc": EDC})
    return said if isinstance(said, dict) else {}


def _distribution(said: Mapping[str, Any]) -> Distribution:
    said = {**_facts(said), **said}
    media = _first(said, "mediaType", "contenttype", "contentType")
    name = _first(said, "fileName", "filename")
    checksum = said.get("checksum")
    digest = _first(checksum, "checksumValue") if isinstance(checksum, Mapping) else _first(said, "sha256")
    size = said.get("byteSize")
    kind = kind_of_media(media) or kind_of(name)[0]
    return Distribution(
        id=kind or "data",
        format=kind,
        media_type=media,
        bytes=int(size) if isinstance(size, int | float) and not isinstance(size, bool) and size >= 0 else None,
        sha256=digest.lower() if _SHA256.fullmatch(digest) else None,
        title=_first(said, "title", "name"),
        file=safe_name(name) if name else "",
    )


def _facts(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what another kind of provider than EDC says of its file in the distribution; of several files, nothing."""
    ways = [item for item in _listed(said.get("distribution")) if isinstance(item, Mapping)]
    found = [{key: item[key] for key in _OF_FILES if key in item} for item in ways]
    return found[0] if found and all(facts == found[0] for facts in found) else {}


def _first(said: Mapping[str, Any], *keys: str) -> str:
    """Return the first text among some properties."""
    for key in keys:
        value = said.get(key)
        if found := text(value.get("@id") if isinstance(value, Mapping) and "@id" in value else value):
            return found
    return ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(found for item in _listed(value) if (found := text(item)))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
