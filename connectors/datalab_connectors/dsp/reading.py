"""Reading what a provider's catalogue says about a dataset. Lenient about what is missing, never about terms."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from datalab.errors import ProtocolError
from datalab.model.offer import Distribution, Offer
from datalab.policy import parse
from datalab.ports.landing import safe_name
from datalab_connectors.dsp.messages import PUSH


def datasets_in(catalogue: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the datasets of a catalogue and of the catalogues within it."""
    for entry in catalogue.get("dataset", ()):
        if isinstance(entry, Mapping) and isinstance(entry.get("@id"), str):
            yield entry
    for inner in catalogue.get("catalog", ()):
        if isinstance(inner, Mapping):
            yield from datasets_in(inner)


def offer_in(connector: str, dataset: Mapping[str, Any], holder: str, record: str = "") -> Offer:
    """Build the offer of a catalogue entry; ``record`` is what is kept of what the catalogue said, by default the entry."""
    entries = dataset.get("distribution")
    if not entries:
        raise ProtocolError("the dataset has no distribution", where=str(dataset.get("@id")))
    pulled = [item for item in entries if item.get("format") != PUSH] or entries
    terms = dataset["hasPolicy"][0]
    return Offer(
        connector=connector,
        dataset_id=dataset["@id"],
        offer_id=terms["@id"],
        title=text(dataset.get("title")),
        description=text(dataset.get("description")),
        holder=text(dataset.get("publisher")) or holder or str(terms.get("assigner", "")),
        policy=parse(json.dumps(terms)),
        distributions=tuple(distribution_in(item, place) for place, item in enumerate(pulled)),
        licence=text(dataset.get("license")),
        keywords=_strings(dataset.get("keyword")),
        languages=_strings(dataset.get("language")),
        columns=columns_in(dataset),
        personal_data=dataset.get("personalData") is not False,
        issued=str(dataset.get("issued", "")),
        catalogue_record=record or json.dumps(_entry(dataset), ensure_ascii=False, sort_keys=True),
    )


def _entry(dataset: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in dataset.items() if key != "@context"}


def distribution_in(item: Mapping[str, Any], place: int) -> Distribution:
    """Return a distribution of a catalogue entry."""
    checksum = item.get("checksum")
    sha256 = checksum.get("checksumValue") if isinstance(checksum, Mapping) and checksum.get("algorithm") == "sha256" else None
    size = item.get("byteSize")
    return Distribution(
        id=str(item.get("@id", place)).removesuffix("#push"),
        format=str(item.get("fileFormat", "")),
        media_type=str(item.get("mediaType", "")),
        bytes=size if isinstance(size, int) and size >= 0 else None,
        sha256=sha256.lower() if isinstance(sha256, str) and len(sha256) == 64 else None,
        title=text(item.get("title")),
        file=safe_name(name) if isinstance(name := item.get("fileName"), str) and name else "",
    )


def columns_in(dataset: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the columns that a catalogue entry describes."""
    return tuple(
        (str(item.get("name", "")), str(item.get("description", "")))
        for item in dataset.get("columns", ())
        if isinstance(item, Mapping)
    )


def text(value: Any) -> str:
    """Return a text, whichever way its language was given; the first where there are several."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, Mapping):
        value = value.get("@value", value.get("name", ""))
    return value if isinstance(value, str) else ""


def _strings(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(found for item in items if (found := text(item)))
