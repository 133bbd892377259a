"""Reading what a Simpl-style catalogue and a DSP provider say about a dataset. Lenient about what is missing, never about terms."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from datalab.errors import ProtocolError
from datalab.model.offer import Offer
from datalab.ports.http import Answer
from datalab_connectors.dsp.reading import offer_in
from datalab_connectors.dsp.versions import Version


def hit_id(item: Any) -> str:
    """Return the dataset id of a search hit; its inner key is an arbitrary letter, so the first value counts."""
    inner = next(iter(item.values()), None) if isinstance(item, Mapping) else None
    graph = inner.get("claimsGraphUri") if isinstance(inner, Mapping) else None
    uri = graph[0] if isinstance(graph, list) and graph else graph
    return uri.rpartition("DataOffering:")[2] if isinstance(uri, str) and "DataOffering:" in uri else ""


def offer_of(connector: str, dataset_id: str, described: Answer, entry: Answer, version: Version) -> Offer:
    """Build the offer from the two documents; what they say is kept to the letter in ``catalogue_record``."""
    subject = described.body.get("credentialSubject") if isinstance(described.body, dict) else None
    if not isinstance(subject, dict):
        raise ProtocolError("the self-description has no credentialSubject", where=dataset_id)
    general, price = _section(subject, "generalServiceProperties"), _section(subject, "offeringPrice")
    if _words(_section(subject, "edcRegistration"), "assetId") != dataset_id:
        raise ProtocolError("the self-description is not about this dataset, or it cannot be negotiated", where=dataset_id)
    dataset = version.read(entry.body, "Dataset")
    if dataset["@id"] != dataset_id:
        raise ProtocolError("the catalogue answered with another dataset", where=dataset_id)
    record = json.dumps({"selfDescription": described.text, "dataset": entry.text}, ensure_ascii=False)
    return dataclasses.replace(
        offer_in(connector, dataset, "", record),
        title=_words(general, "name"),
        description=_words(general, "description"),
        holder=_words(_section(subject, "providerInformation"), "providedBy"),
        licence=_words(price, "license"),
        keywords=_list(_words(general, "keywords")),
        languages=_list(_words(general, "inLanguage")),
    )


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
