"""Reading what a Simpl-style catalogue and a DSP provider say about a dataset. Lenient about what is missing, never about terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from datalab.errors import NotFound, ProtocolError
from datalab.model.offer import Distribution, Offer
from datalab.policy import parse
from datalab.ports.http import Answer
from datalab.ports.landing import safe_name
from datalab_connectors.dsp.messages import received


def hit_id(item: Any) -> str:
    """Return the dataset id of a search hit; its inner key is an arbitrary letter, so the first value counts."""
    inner = next(iter(item.values()), None) if isinstance(item, Mapping) else None
    graph = inner.get("claimsGraphUri") if isinstance(inner, Mapping) else None
    uri = graph[0] if isinstance(graph, list) and graph else graph
    return uri.rpartition("DataOffering:")[2] if isinstance(uri, str) and "DataOffering:" in uri else ""


def offer_of(connector: str, dataset_id: str, described: Answer, entry: Answer) -> Offer:
    """Build the offer from the two documents; what they say is kept to the letter in ``catalogue_record``."""
    subject = described.body.get("credentialSubject") if isinstance(described.body, dict) else None
    if not isinstance(subject, dict):
        raise ProtocolError("the self-description has no credentialSubject", where=dataset_id)
    general, price = _section(subject, "generalServiceProperties"), _section(subject, "offeringPrice")
    if _words(_section(subject, "edcRegistration"), "assetId") != dataset_id:
        raise ProtocolError("the self-description is not about this dataset, or it cannot be negotiated", where=dataset_id)
    dataset = received(entry.body, "Dataset")
    if dataset["@id"] != dataset_id:
        raise ProtocolError("the catalogue answered with another dataset", where=dataset_id)
    terms = dataset["hasPolicy"][0]
    return Offer(
        connector=connector,
        dataset_id=dataset_id,
        offer_id=terms["@id"],
        title=_words(general, "name"),
        description=_words(general, "description"),
        holder=_words(_section(subject, "providerInformation"), "providedBy"),
        policy=parse(json.dumps(terms)),
        distributions=tuple(_distribution(item, place) for place, item in enumerate(dataset["distribution"])),
        licence=_words(price, "license"),
        keywords=_list(_words(general, "keywords")),
        languages=_list(_words(general, "inLanguage")),
        columns=tuple(_column(item) for item in dataset.get("columns", ()) if isinstance(item, dict)),
        personal_data=dataset.get("personalData") is not False,
        issued=str(dataset.get("issued", "")),
        catalogue_record=json.dumps({"selfDescription": described.text, "dataset": entry.text}, ensure_ascii=False),
    )


def distribution_of(offer: Offer, name: str) -> Distribution:
    """Return a distribution by its id; "" is the first."""
    found = [item for item in offer.distributions if name in {"", item.id}]
    if not found:
        raise NotFound.among("distribution", name, (item.id for item in offer.distributions), where=offer.dataset_id)
    return found[0]


def _distribution(item: Mapping[str, Any], place: int) -> Distribution:
    checksum = item.get("checksum")
    sha256 = checksum.get("checksumValue") if isinstance(checksum, Mapping) and checksum.get("algorithm") == "sha256" else None
    size = item.get("byteSize")
    return Distribution(
        id=str(item.get("@id", place)),
        format=str(item.get("fileFormat", "")),
        media_type=str(item.get("mediaType", "")),
        bytes=size if isinstance(size, int) and size >= 0 else None,
        sha256=sha256.lower() if isinstance(sha256, str) and len(sha256) == 64 else None,
        title=str(item.get("title", "")),
        file=safe_name(name) if isinstance(name := item.get("fileName"), str) and name else "",
    )


def _column(item: Mapping[str, Any]) -> tuple[str, str]:
    return str(item.get("name", "")), str(item.get("description", ""))


def _section(subject: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = subject.get(f"simpl:{name}", subject.get(name))
    return found if isinstance(found, Mapping) else {}


def _words(section: Mapping[str, Any], name: str) -> str:
    value = section.get(f"simpl:{name}", section.get(name, ""))
    if isinstance(value, Mapping):
        value = value.get("@value", "")
    return value if isinstance(value, str) else ""


def _list(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
