"""Bringing one distribution in: bounded, resumed, verified by whatever checksum the catalogue announces, and no web page for a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from datalab.errors import SourceError
from datalab.ports.connector import Progress
from datalab.ports.documents import DocumentClient
from datalab.ports.landing import Landed, Landing
from datalab_connectors.dcat.reading import Found
from datalab_connectors.objects import landed_before, refuse_web_page


def fetch_distribution(
    client: DocumentClient, wanted: Found, landing: Landing, *, limit: int, token: str, progress: Progress
) -> Landed:
    """Download a distribution; what stands in the landing folder under its announced SHA-256 is not fetched again."""
    address, distribution = wanted.address, wanted.distribution
    if (landed := landed_before(landing, distribution)) is not None:
        return landed
    return client.download(
        address.url,
        landing,
        distribution.name,
        limit=limit,
        sha256=distribution.sha256,
        token=token,
        progress=progress,
        check=_checking(wanted),
    )


def _checking(wanted: Found) -> Callable[[Path], None]:
    address = wanted.address

    def check(path: Path) -> None:
        if wanted.distribution.format not in {"html", "htm", "xhtml"}:
            refuse_web_page(path, address.url)
        with path.open("rb") as stream:
            if address.algorithm and address.algorithm != "sha256":
                # MD5 and SHA-1 show a broken transfer, which is what a catalogue's checksum is for; our own digest is SHA-256.
                found = hashlib.file_digest(stream, lambda: hashlib.new(address.algorithm, usedforsecurity=False)).hexdigest()
                if found != address.checksum:
                    raise SourceError(
                        f"the bytes of {wanted.distribution.id!r} differ from what was announced",
                        where=f"announced {address.algorithm} {address.checksum[:16]}…, got {found[:16]}…",
                        next="fetch again; if it stays so, tell the provider",
                    )

    return check
