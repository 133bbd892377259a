"""From a self-description to an offer: what it says about the data in the words of `datalab.model.offer`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from datalab.model.offer import Distribution, Offer
from datalab.ports.landing import safe_name
from datalab_connectors.simpl.credential import Description
from datalab_connectors.simpl.terms import usage_policy

_FORMATS = {
    "csv": ("csv", "text/csv"),
    "tsv": ("csv", "text/tab-separated-values"),
    "jsonl": ("jsonl", "application/x-ndjson"),
    "ndjson": ("jsonl", "application/x-ndjson"),
    "parquet": ("parquet", "application/vnd.apache.parquet"),
    "arrow": ("arrow", "application/vnd.apache.arrow.file"),
    "feather": ("arrow", "application/vnd.apache.arrow.file"),
    "txt": ("text", "text/plain"),
    "text": ("text", "text/plain"),
}


def offer_of(connector: str, found: Description, attributes: Collection[str]) -> Offer:
    """Build the offer of an offering; the credential stays, to the letter, as its ``catalogue_record``."""
    return Offer(
        connector=connector,
        dataset_id=found.id,
        offer_id=found.word("edcRegistration", "contractDefinitionId"),
        title=found.word("generalServiceProperties", "name"),
        description=found.word("generalServiceProperties", "description"),
        holder=found.word("providerInformation", "providedBy") or found.issuer,
        policy=usage_policy(found, attributes),
        distributions=tuple(_distributions(found)),
        licence=found.word("offeringPrice", "license"),
        keywords=_list(found.word("generalServiceProperties", "keywords")),
        languages=_list(found.word("generalServiceProperties", "inLanguage")),
        personal_data=found.word("dataProperties", "dpv:hasPersonalData").lower() != "false",
        issued=found.word("dataProperties", "dct:issued"),
        catalogue_record=found.text,
    )


def _distributions(found: Description) -> Iterator[Distribution]:
    """Yield the files of an offering.

    Simpl itself knows one format in free words, no size and no hash; where DCAT distributions stand beside it (the sandbox's do),
    they say more.
    """
    listed = found.sections.get("dataProperties", {}).get("dcat:distribution")
    items = [item for item in (listed if isinstance(listed, list) else [listed]) if isinstance(item, Mapping)]
    for place, item in enumerate(items):
        checksum = item.get("spdx:checksum")
        algorithm, value = (
            (checksum.get(f"spdx:{name}") for name in ("algorithm", "checksumValue"))
            if isinstance(checksum, Mapping)
            else ("", "")
        )
        size = item.get("dcat:byteSize")
        yield Distribution(
            id=_text(item, "dct:identifier") or str(place),
            format=_text(item, "dct:format"),
            media_type=_text(item, "dcat:mediaType"),
            bytes=size if isinstance(size, int) and size >= 0 else None,
            sha256=value.lower()
            if algorithm == "sha256" and isinstance(value, str) and re.fullmatch("[0-9a-fA-F]{64}", value)
            else None,
            title=_text(item, "dct:title"),
            file=safe_name(name) if (name := _text(item, "spdx:fileName")) else "",
        )
    if not items:
        words = re.findall(r"[a-z]+", found.word("dataProperties", "format").lower())
        known = {_FORMATS[word] for word in words if word in _FORMATS}
        name, media_type = known.pop() if len(known) == 1 else ("", "application/octet-stream")
        yield Distribution(id=name or "asset", format=name, media_type=media_type, title=found.word("dataProperties", "format"))


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name, "")
    return value if isinstance(value, str) else ""


def _list(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
