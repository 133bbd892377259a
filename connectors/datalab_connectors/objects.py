"""The file of a distribution: whether it is here already, how long it may be, and what it is in a run."""

from __future__ import annotations

from pathlib import Path

from datalab.errors import SourceError
from datalab.model.agreement import Agreement, SourceObject
from datalab.model.offer import Distribution, Offer
from datalab.ports.landing import Landed, Landing
from datalab.ports.reach import shown


def landed_before(landing: Landing, wanted: Distribution) -> Landed | None:
    """Return what stands in the landing folder under the hash that was announced; None: it is to be brought."""
    return landing.find(wanted.sha256) if wanted.sha256 else None


def limit_of(wanted: Distribution, most: int) -> int:
    """Return how many bytes may come: what was announced, and never more than ``most``."""
    return most if wanted.bytes is None else min(most, wanted.bytes)


def check_size(wanted: Distribution, size: int, where: str) -> None:
    """Raise ``SourceError`` where another number of bytes came than was announced."""
    if wanted.bytes is not None and size != wanted.bytes:
        raise SourceError(f"{size} bytes came where {wanted.bytes} were announced", where=where, next="fetch it again")


def refuse_web_page(path: Path, url: str) -> None:
    """Raise ``SourceError`` where a web page came instead of the file: a login, or a page about it."""
    with path.open("rb") as stream:
        if stream.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise SourceError(
                "a web page came instead of the file",
                where=shown(url),
                next="choose a distribution with a download address, or fetch the file by hand and use it as your own",
            )


def object_of(
    agreement: Agreement, offer: Offer, wanted: Distribution, landed: Landed, *, name: str = "", ordinal: int = 0
) -> SourceObject:
    """Return a file that was fetched under an agreement; ``name`` where it is one of several of a distribution."""
    return SourceObject(
        ordinal=ordinal,
        name=name or wanted.name,
        path=landed.path,
        format=wanted.format,
        bytes=landed.bytes,
        sha256=landed.sha256,
        dataset_id=offer.dataset_id,
        agreement_id=agreement.id,
        connector=offer.connector,
    )
