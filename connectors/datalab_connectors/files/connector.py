"""The connector to a steward's own files: the dataset is a path, and an attestation stands in for the contract."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any, ClassVar

from datalab.errors import NotFound, ReadError, SettingsError
from datalab.model.agreement import Agreement, Intent, SourceObject
from datalab.model.decision import Decision
from datalab.model.offer import Distribution, Offer, Query
from datalab.model.policy import Policy
from datalab.ports.connector import Progress
from datalab.ports.landing import Landed, Landing
from datalab.ports.pieces import PIECE
from datalab_connectors.grants import in_force
from datalab_connectors.kinds import kind_of, shown_name
from datalab_connectors.objects import object_of
from datalab_connectors.standing import Attestation, agree, missing_policy, stated_policy
from datalab_connectors.table import PARTICIPANT, Table

_MAX_FILES = 100_000
_NEAR = 1000
_POLICY_BYTES = 1 << 20


class FilesConnector:
    """Files below ``root`` (default: the current folder). The table carries the ``attestation`` and who signs it, ``attested_by``.

    With ``policy = "NAME"`` the terms stand in a file of that name instead: in the dataset's folder, or as ``FILE.NAME``.
    Without a word to the contrary (``personal_data = false``) a file is treated as personal data. Links are not followed;
    nothing outside the root is read, unless ``outside`` says that paths come from the steward's own hand.
    """

    keys: ClassVar[Mapping[str, type]] = {
        "root": str, "attestation": str, "attested_by": str, "personal_data": bool, "participant": str, "policy": str,
        "holder": str, "max_files": int, "outside": bool,
    }  # fmt: skip

    def __init__(self, name: str, table: Mapping[str, Any], state: Path) -> None:
        self.name = name
        told = Table.of(name, table, self.keys)
        self._root = Path(told.text("root", ".")).resolve()
        self._attestation = Attestation.of(told)
        self._personal = told.flag("personal_data", True)
        self._participant = told.text("participant", PARTICIPANT)
        self._policy_name = told.text("policy")
        self._holder = told.text("holder")
        self._outside = told.flag("outside", False)
        self._max_files = told.number("max_files", _MAX_FILES)
        if "/" in self._policy_name:
            raise SettingsError(
                "'policy' is the name of a file, not a path", where=told.where, next='write policy = "policy.json"'
            )

    def search(self, query: Query) -> Iterator[Offer]:
        """Yield the files of known formats below the root whose path contains all words."""
        words = query.text.casefold().split()
        found = 0
        for path in _files(self._root, self._max_files):
            name = path.relative_to(self._root).as_posix()
            if kind_of(path.name)[0] and all(word in name.casefold() for word in words):
                if found >= query.limit:
                    return
                found += 1
                yield self.offer(name)

    def offer(self, dataset_id: str) -> Offer:
        """Return a file or folder as an offer whose terms are the attestation, or stand beside it."""
        place = self._place(dataset_id)
        formats: dict[str, list[Path]] = {}
        for path in self._data(place):
            formats.setdefault(kind_of(path.name)[0] or "text", []).append(path)
        if not formats:
            raise NotFound("the folder holds no file", where=shown_name(str(place)))
        policy = self._policy(place)
        names = [shown_name(path.name) for paths in formats.values() for path in paths]
        return Offer(
            connector=self.name,
            dataset_id=dataset_id,
            offer_id=policy.id,
            title=shown_name(place.name),
            description=f"Files of the steward's own: {sum(map(len, formats.values()))}",
            holder=self._holder or self._attestation.by,
            policy=policy,
            distributions=tuple(_distribution(kind, paths) for kind, paths in sorted(formats.items())),
            personal_data=self._personal,
            catalogue_record=json.dumps({"dataset": shown_name(dataset_id), "files": names}),
        )

    def negotiate(self, offer: Offer, intent: Intent, decision: Decision) -> Agreement:
        """Turn the attestation, or the policy beside the data, into the agreement."""
        attested = None if self._policy_name else self._attestation
        return agree(offer, intent, decision, provider=offer.holder, consumer=self._participant, attestation=attested)

    def fetch(
        self, agreement: Agreement, offer: Offer, distribution: str, landing: Landing, decision: Decision, progress: Progress
    ) -> list[SourceObject]:
        """Copy the files of one format into the landing folder, in the order of their names."""
        in_force(agreement, offer, decision)
        wanted = offer.distribution(distribution)
        place = self._place(offer.dataset_id)
        paths = [path for path in self._data(place) if (kind_of(path.name)[0] or "text") == wanted.format]
        landed = [_land(path, landing, wanted.sha256, progress) for path in paths]
        return [
            object_of(
                agreement,
                offer,
                wanted,
                item,
                name=shown_name(path.relative_to(place.parent).as_posix()),
                ordinal=ordinal,
            )
            for ordinal, (path, item) in enumerate(zip(paths, landed, strict=True))
        ]

    def _place(self, dataset_id: str) -> Path:
        try:
            place = (self._root / dataset_id).resolve()
            there = place.exists() and (self._outside or place.is_relative_to(self._root))
        except (OSError, ValueError):
            there = False
        if not there:
            near = _files(self._root, _NEAR, cut=True)
            names = (shown_name(path.relative_to(self._root).as_posix()) for path in near)
            raise NotFound.among("file", shown_name(dataset_id), names, where=str(self._root))
        return place

    def _data(self, place: Path) -> list[Path]:
        """Return the files of a dataset without the one that holds its terms."""
        return [path for path in _files(place, self._max_files) if not self._policy_name or path.name != self._policy_name]

    def _policy(self, place: Path) -> Policy:
        if not self._policy_name:
            return self._attestation.policy()
        beside = place.with_name(f"{place.name}.{self._policy_name}")
        for path in (place / self._policy_name,) if place.is_dir() else (beside, place.with_name(self._policy_name)):
            if path.is_file() and not path.is_symlink():
                with _opened(path) as stream:
                    text = stream.read(_POLICY_BYTES + 1)
                try:
                    return stated_policy(text.decode())
                except UnicodeDecodeError:
                    raise ReadError("the policy is not UTF-8 text", where=shown_name(str(path))) from None
        return missing_policy(self._policy_name)


def _files(place: Path, most: int, *, cut: bool = False) -> list[Path]:
    """Return the regular files of a place in the order of their names; hidden ones and links are left out.

    More than ``most`` are an error, or, with ``cut``, left out.
    """
    if place.is_file():
        return [place]
    found: list[Path] = []
    for folder, folders, names in os.walk(place, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(folder, name) for name in sorted(names) if not name.startswith("."))
        for path in paths:
            if not _regular(path):
                continue
            if len(found) >= most:
                if cut:
                    return sorted(found)
                raise SettingsError(
                    f"the folder holds more than {most} files",
                    where=shown_name(str(place)),
                    next="name a smaller folder, or raise max_files of the connector in datalab.toml",
                )
            found.append(path)
    return sorted(found)


def _regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _distribution(kind: str, paths: list[Path]) -> Distribution:
    try:
        size = sum(path.stat().st_size for path in paths)
        sha256 = _sha256(paths[0]) if len(paths) == 1 else None
    except OSError as error:
        raise ReadError(f"a file cannot be read: {error.strerror}", where=shown_name(str(error.filename))) from None
    media_type = kind_of(paths[0].name)[1] or "application/octet-stream"
    return Distribution(id=kind, format=kind, media_type=media_type, bytes=size, sha256=sha256)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file. What became a link, a pipe or a device since it was listed is refused, and waited for by nobody."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ReadError("this is no regular file", where=shown_name(str(path)))
        yield stream


def _sha256(path: Path) -> str:
    with _opened(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _land(path: Path, landing: Landing, sha256: str | None, progress: Progress) -> Landed:
    """Copy a file, unless its content stands in the landing folder; it must be what the offer described."""
    try:
        sha256 = sha256 or _sha256(path)  # known from here on: what is copied has to read back as this, and is hashed once less
        found = landing.find(sha256)
        if found is not None:
            return found
        name = shown_name(path.name)
        with _opened(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            with landing.receive(path.name, limit=size, sha256=sha256) as arrival:
                while block := stream.read(PIECE):
                    arrival.write(block)
                    progress(name, arrival.size, size)
    except OSError as error:
        raise ReadError(f"the file cannot be read: {error.strerror}", where=shown_name(str(path))) from None
    assert arrival.landed is not None
    return arrival.landed
