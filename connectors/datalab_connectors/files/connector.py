"""The connector to a steward's own files: the dataset is a path, and an attestation stands in for the contract."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datalab.errors import NotFound, PolicyRefusal, ReadError
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.decision import Decision, Door
from datalab.model.offer import Distribution, Offer, Query
from datalab.policy import acquire_subject, acquire_target, check_grant, parse
from datalab.policy.moments import rfc3339
from datalab.ports.connector import Progress
from datalab.ports.landing import Landed, Landing

_KEYS = {"kind", "root", "attestation", "attested_by", "personal_data", "participant"}
_BLOCK = 1 << 20
_WRAPPERS = {".gz", ".zip", ".zst"}
_FORMATS = {
    ".csv": ("csv", "text/csv"),
    ".tsv": ("csv", "text/tab-separated-values"),
    ".tab": ("csv", "text/tab-separated-values"),
    ".jsonl": ("jsonl", "application/x-ndjson"),
    ".ndjson": ("jsonl", "application/x-ndjson"),
    ".parquet": ("parquet", "application/vnd.apache.parquet"),
    ".arrow": ("arrow", "application/vnd.apache.arrow.file"),
    ".feather": ("arrow", "application/vnd.apache.arrow.file"),
    ".txt": ("text", "text/plain"),
}


class FilesConnector:
    """Files below ``root`` (default: the current folder). The table carries the ``attestation`` and who signs it, ``attested_by``.

    Without a word to the contrary (``personal_data = false``) a file is treated as personal data.
    """

    def __init__(self, name: str, table: Mapping[str, Any], state: Path) -> None:
        for key in table:
            if key not in _KEYS:
                raise NotFound.among("key", key, _KEYS, where=f"datalab.toml, [connectors.{name}]")
        self.name = name
        self._root = Path(table.get("root", ".")).resolve()
        self._attestation = str(table.get("attestation", "")).strip()
        self._attested_by = str(table.get("attested_by", "")).strip()
        self._personal = table.get("personal_data", True) is not False
        self._participant = str(table.get("participant", "did:web:datalab.example"))

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield the files of known formats below the root whose path contains all words."""
        words = query.text.casefold().split()
        found = 0
        for path in _files(self._root):
            name = path.relative_to(self._root).as_posix()
            if _format(path)[0] and all(word in name.casefold() for word in words):
                if found >= query.limit:
                    return
                found += 1
                yield self.offer(name)

    def offer(self, dataset_id: str) -> Offer:
        """Return a file or folder as an offer whose terms are the attestation."""
        place = self._place(dataset_id)
        formats: dict[str, list[Path]] = {}
        for path in _files(place):
            formats.setdefault(_format(path)[0] or "text", []).append(path)
        if not formats:
            raise NotFound("the folder holds no file", where=str(place))
        policy = parse(json.dumps({"@type": "Set", "permission": [{"action": "use"}]}))
        stated = {
            "@type": "Set",
            "@id": f"urn:datalab:attestation:{hashlib.sha256(self._attestation.encode()).hexdigest()}",
            "permission": [{"action": "use"}],
            "attestation": self._attestation,
            "attestedBy": self._attested_by,
        }
        if not self._attestation:
            policy = dataclasses.replace(policy, unknown=("no attestation of why these files may be used",))
        return Offer(
            connector=self.name,
            dataset_id=dataset_id,
            offer_id=str(stated["@id"]),
            title=place.name,
            description=f"Files of the steward's own: {sum(map(len, formats.values()))}",
            holder=self._attested_by,
            policy=dataclasses.replace(policy, id=str(stated["@id"]), verbatim=json.dumps(stated, ensure_ascii=False)),
            distributions=tuple(_distribution(kind, paths) for kind, paths in sorted(formats.items())),
            personal_data=self._personal,
            catalogue_record=json.dumps(
                {"dataset": dataset_id, "files": [path.name for paths in formats.values() for path in paths]}
            ),
        )

    def negotiate(self, offer: Offer, intent: Intent, decision: Decision) -> Agreement:
        """Turn the attestation into the agreement."""
        subject = self._check(decision, offer, intent)
        if not self._attestation or not self._attested_by:
            raise PolicyRefusal(
                "a file of one's own needs an attestation and the name of who makes it",
                where=offer.dataset_id,
                next="say in the pipeline's source why it may be used: attestation=…",
            )
        return Agreement(
            id=f"urn:datalab:attestation:{subject}",
            kind="attestation",
            connector=self.name,
            dataset_id=offer.dataset_id,
            offer_id=offer.offer_id,
            provider=self._attested_by,
            consumer=self._participant,
            intent=intent,
            policy=offer.policy,
            agreed_at=rfc3339(dt.datetime.now(dt.UTC)),
            verbatim=offer.policy.verbatim,
        )

    def fetch(
        self, agreement: Agreement, offer: Offer, distribution: str, landing: Landing, decision: Decision, progress: Progress
    ) -> list[SourceObject]:
        """Copy the files of one format into the landing folder, in the order of their names."""
        self._check(decision, offer, agreement.intent)
        if (agreement.dataset_id, agreement.offer_id) != (offer.dataset_id, offer.offer_id):
            raise PolicyRefusal("the attestation is about something else", where=agreement.id)
        wanted = next((item for item in offer.distributions if distribution in {"", item.id}), None)
        if wanted is None:
            raise NotFound.among(
                "distribution", distribution, (item.id for item in offer.distributions), where=offer.dataset_id
            )
        place = self._place(offer.dataset_id)
        paths = [path for path in _files(place) if (_format(path)[0] or "text") == wanted.format]
        landed = [_land(path, landing, wanted.sha256, progress) for path in paths]
        return [
            SourceObject(
                ordinal=ordinal,
                name=path.relative_to(place.parent).as_posix(),
                path=item.path,
                format=wanted.format,
                bytes=item.bytes,
                sha256=item.sha256,
                dataset_id=offer.dataset_id,
                agreement_id=agreement.id,
                connector=self.name,
            )
            for ordinal, (path, item) in enumerate(zip(paths, landed, strict=True))
        ]

    def _check(self, decision: Decision, offer: Offer, intent: Intent) -> str:
        subject = acquire_subject(offer, intent)
        check_grant(decision, Door.ACQUIRE, subject, acquire_target(offer), intent.recipient)
        return subject

    def _place(self, dataset_id: str) -> Path:
        try:
            place = (self._root / dataset_id).resolve()
            there = place.exists()
        except (OSError, ValueError):
            there = False
        if not there:
            names = (path.relative_to(self._root).as_posix() for path in _files(self._root))
            raise NotFound.among("file", dataset_id, names, where=str(self._root))
        return place


def _files(place: Path) -> list[Path]:
    """Return the regular files of a place in the order of their names; hidden ones and links are left out."""
    if place.is_file():
        return [place]
    found = []
    for folder, folders, names in os.walk(place, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(folder, name) for name in names if not name.startswith("."))
        found += [path for path in paths if path.is_file() and not path.is_symlink()]
    return sorted(found)


def _format(path: Path) -> tuple[str, str]:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in _WRAPPERS]
    return _FORMATS.get(suffixes[-1], ("", "")) if suffixes else ("", "")


def _distribution(kind: str, paths: list[Path]) -> Distribution:
    try:
        size = sum(path.stat().st_size for path in paths)
        sha256 = _sha256(paths[0]) if len(paths) == 1 else None
    except OSError as error:
        raise ReadError(f"a file cannot be read: {error.strerror}", where=str(error.filename)) from None
    media_type = _format(paths[0])[1] or "application/octet-stream"
    return Distribution(id=kind, format=kind, media_type=media_type, bytes=size, sha256=sha256)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _land(path: Path, landing: Landing, sha256: str | None, progress: Progress) -> Landed:
    """Copy a file, unless its content stands in the landing folder; it must be what the offer described."""
    try:
        found = landing.find(sha256 or _sha256(path))
        if found is not None:
            return found
        size = path.stat().st_size
        with landing.receive(path.name, limit=size, sha256=sha256) as arrival, path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                arrival.write(block)
                progress(path.name, arrival.size, size)
    except OSError as error:
        raise ReadError(f"the file cannot be read: {error.strerror}", where=str(path)) from None
    assert arrival.landed is not None
    return arrival.landed
