"""A record of a REST catalogue as an offer, by the pointers of its profile."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urljoin, urlsplit

from datalab.model.offer import Distribution, Offer
from datalab.model.policy import Policy
from datalab.policy.licences import licence_policy
from datalab_connectors.kinds import kind_of, kind_of_media, shown_name
from datalab_connectors.rest.pointer import first, texts, values
from datalab_connectors.rest.profile import Profile

_SHA256 = re.compile(r"(?:1220|sha-?256:)?([0-9a-f]{64})")
"""Bare, with its name, or as the multihash that STAC's file extension writes (code 12, length 20)."""
_MOST_ASSETS = 500


def offer_of(
    connector: str, profile: Profile, record: Any, parent: Any, place: str, *, personal_data: bool, hidden: str = ""
) -> tuple[Offer, dict[str, str]]:
    """Return the offer of a record found at ``place``, and the address of each of its distributions.

    ``parent`` is what the profile's ``inherit`` leads to. ``hidden`` is cut out wherever the catalogue echoes it.
    """
    fields, above = profile["fields"], profile["inherit"]
    dataset_id = id_of(profile, record)
    licences = texts(record, fields["licence"]) or texts(parent, above["licence"])
    policy = _policy(licences)
    found = list(_assets(profile, record, place))
    text = json.dumps({"record": record, "inherited": parent} if parent is not None else record, ensure_ascii=False)
    offer = Offer(
        connector=connector,
        dataset_id=dataset_id,
        offer_id=policy.id,
        title=_shown(first(record, fields["title"]) or dataset_id),
        description=_shown(" ".join(texts(record, fields["description"])), 2000),
        holder=_shown(first(record, fields["holder"]) or first(parent, above["holder"]) or profile[""]["holder"]),
        policy=policy,
        distributions=tuple(item for item, _ in found),
        licence=licences[0] if len(licences) == 1 else "",
        keywords=tuple(_shown(word) for word in texts(record, fields["keywords"])[:100]),
        languages=tuple(texts(record, fields["languages"])[:30]),
        personal_data=personal_data,
        issued=first(record, fields["issued"])[:40],
        catalogue_record=text.replace(hidden, "•••") if hidden else text,
    )
    return offer, {item.id: address for item, address in found}


def id_of(profile: Profile, record: Any) -> str:
    """Return the dataset id of a record: the parts that the profile names, joined by slashes; "" where one is missing.

    Pointers lead to the parts of an id; where the profile's path has one place only, they are alternatives.
    """
    pointers = profile["record"]["id"]
    if "{1}" not in profile["record"]["path"]:
        return first(record, pointers).strip("/")
    parts = [first(record, [pointer]) for pointer in pointers]
    return "/".join(parts) if all(parts) else ""


def _policy(licences: list[str]) -> Policy:
    """Return the terms of the licence; of several different ones, none is sure to cover what is fetched."""
    policy = licence_policy(licences[0] if licences else "")
    if len(licences) > 1:
        said = ", ".join(repr(item[:80]) for item in licences[:5])
        policy = dataclasses.replace(policy, unknown=(*policy.unknown, f"several licences in one record ({said})"))
    return policy


def _assets(profile: Profile, record: Any, place: str) -> Iterator[tuple[Distribution, str]]:
    """Yield the distributions with their addresses: http and https only, ids without repetition."""
    about = profile["assets"]
    if not about["items"]:
        return
    taken: set[str] = set()
    for number, (key, asset) in enumerate(_named(next(values(record, about["items"]), None))):
        if number >= _MOST_ASSETS:
            return
        for href in texts(asset, about["href"]):
            address = _address(place, href)
            file = shown_name(PurePosixPath(urlsplit(address).path).name)
            media_type = first(asset, about["media_type"])
            kind = kind_of_media(media_type) or kind_of(file)[0]
            if not address or (about["files_only"] and not kind):
                continue
            name = _shown(first(asset, about["id"]) or key or kind or "file", 100)
            identifier = name if name not in taken else next(
                f"{name}-{count}" for count in range(2, len(taken) + 3) if f"{name}-{count}" not in taken
            )  # fmt: skip
            taken.add(identifier)
            size = first(asset, about["bytes"])
            digest = _SHA256.fullmatch(first(asset, about["sha256"]).lower())
            yield (
                Distribution(
                    id=identifier,
                    format=kind or _subtype(media_type) or PurePosixPath(file).suffix.lstrip(".").lower(),
                    media_type=media_type or kind_of(file)[1],
                    bytes=int(size) if re.fullmatch(r"[0-9]{1,18}", size) else None,
                    sha256=digest[1] if digest else None,
                    title=_shown(first(asset, about["title"])),
                    file=file,
                ),
                address,
            )


def _named(items: Any) -> list[tuple[str, Any]]:
    if isinstance(items, dict):
        return [(str(key), value) for key, value in items.items()]
    return [("", item) for item in items] if isinstance(items, list) else []


def _address(place: str, href: str) -> str:
    try:
        address = urljoin(place, href)
        return address if urlsplit(address).scheme in {"http", "https"} else ""
    except ValueError:
        return ""


def _subtype(media_type: str) -> str:
    return media_type.partition(";")[0].rpartition("/")[2].strip().lower()[:40]


def _shown(text: str, longest: int = 300) -> str:
    return shown_name(" ".join(text.split()))[:longest]
