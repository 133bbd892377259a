"""What a record should hold by DCAT-AP 3.0.1 (SEMICeu): mandatory properties as errors, all else as warnings.

All else: what is recommended, ranges, vocabularies. These are the core shapes as tables; a test compares them with pyshacl.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datalab_connectors.dcat.record import Record, literal
from datalab_connectors.dcat.vocabulary import (
    ADMS,
    AUTHORITY,
    DCAT,
    DCATAP,
    DCT,
    DPV,
    FOAF,
    HEALTH,
    SKOS,
    SPDX,
    tail,
)  # fmt: skip

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is missing or wrong: at which node, in which property (IRI), how grave."""

    severity: str
    node: str
    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.what}"


MANDATORY: Mapping[str, tuple[str, ...]] = {
    DCAT + "Catalog": (DCT + "title", DCT + "description", DCT + "publisher"),
    DCAT + "Dataset": (DCT + "title", DCT + "description"),
    DCAT + "Distribution": (DCAT + "accessURL",),
    DCAT + "DataService": (DCT + "title", DCAT + "endpointURL"),
    DCAT + "DatasetSeries": (DCT + "title", DCT + "description"),
    DCAT + "CatalogRecord": (DCT + "modified", FOAF + "primaryTopic"),
    DCAT + "Relationship": (DCAT + "hadRole", DCT + "relation"),
    FOAF + "Agent": (FOAF + "name",),
    SPDX + "Checksum": (SPDX + "algorithm", SPDX + "checksumValue"),
    ADMS + "Identifier": (SKOS + "notation",),
    SKOS + "Concept": (SKOS + "prefLabel",),
    SKOS + "ConceptScheme": (DCT + "title",),
}
RECOMMENDED: Mapping[str, tuple[str, ...]] = {
    DCAT + "Dataset": tuple(
        [DCAT + name for name in ("contactPoint", "distribution", "keyword", "theme")]
        + [DCT + name for name in ("publisher", "spatial", "temporal")]
    ),
    DCAT + "Distribution": (DCATAP + "availability", DCT + "description", DCT + "format", DCT + "license"),
}
_HEALTH = (
    *[DCT + name for name in ("accessRights", "identifier", "provenance", "publisher", "spatial", "type")],
    *[DCAT + name for name in ("contactPoint", "distribution", "keyword", "theme")],
    DCATAP + "applicableLegislation", ADMS + "sample", DPV + "hasPurpose",
    *[HEALTH + name for name in ("hdab", "healthCategory", "healthTheme")],
)  # fmt: skip
"""What HealthDCAT-AP (draft, April 2025) asks of a dataset that is not public."""
_AT_MOST_ONE: Mapping[str, tuple[str, ...]] = {
    DCAT + "Dataset": (DCT + "accessRights", DCT + "accrualPeriodicity", DCT + "publisher", DCT + "modified", DCT + "issued"),
    DCAT + "Distribution": (
        DCT + "format",
        DCT + "license",
        DCAT + "mediaType",
        DCAT + "byteSize",
        SPDX + "checksum",
        DCATAP + "availability",
    ),
}
_IRIS: Mapping[str, tuple[str, ...]] = {
    DCAT + "Dataset": (
        DCAT + "landingPage",
        DCAT + "theme",
        DCT + "accessRights",
        DCT + "language",
        DCT + "publisher",
        DCT + "accrualPeriodicity",
    ),
    DCAT + "Distribution": (DCAT + "accessURL", DCAT + "downloadURL", DCAT + "mediaType", DCT + "format", DCT + "license"),
}
_TABLES: Mapping[str, tuple[str, str]] = {
    DCAT + "theme": ("data-theme/", "data themes"),
    DCT + "accessRights": ("access-right/", "access rights"),
    DCT + "accrualPeriodicity": ("frequency/", "frequencies"),
    DCT + "language": ("language/", "languages"),
    DCT + "format": ("file-type/", "file types"),
    DCATAP + "availability": ("planned-availability/", "planned availabilities"),
}
_DATE = re.compile(r"-?[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9:.]+)?)?)?(Z|[+-][0-9]{2}:[0-9]{2})?")
_WRITTEN: Mapping[str, tuple[re.Pattern[str], str]] = {
    DCT + "issued": (_DATE, "date"),
    DCT + "modified": (_DATE, "date"),
    DCAT + "byteSize": (re.compile(r"[0-9]+(\.0+)?"), "number of bytes"),
}
_WORTH: tuple[tuple[str, float], ...] = (
    (DCT + "title", 2), (DCT + "description", 2), (DCAT + "keyword", 1), (DCAT + "theme", 1), (DCT + "publisher", 1),
    (DCAT + "contactPoint", 1), (DCT + "accessRights", 1), (DCT + "modified", 1), (DCT + "spatial", 0.5), (DCT + "temporal", 0.5),
    (DCT + "identifier", 0.5), (DCT + "accrualPeriodicity", 0.5), (DCT + "language", 0.5), (DCAT + "landingPage", 0.5),
)  # fmt: skip
_WORTH_OF_FILES: tuple[tuple[str, float], ...] = (
    (DCAT + "accessURL", 2), (DCAT + "downloadURL", 1), (DCT + "license", 2), (DCT + "format", 1), (DCAT + "mediaType", 0.5),
    (DCAT + "byteSize", 0.5), (SPDX + "checksum", 1),
)  # fmt: skip
_WHOLE = sum(worth for _, worth in (*_WORTH, *_WORTH_OF_FILES))


def findings(record: Record) -> list[Finding]:
    """Return what is missing or wrong in a record, errors first."""
    found = [finding for name, node in record.nodes.items() for finding in (*_of_class(name, node), *_of_values(name, node))]
    dataset = record.dataset
    health = any(key.startswith(HEALTH) for key in dataset)
    if health and tail(literal(dataset, DCT + "accessRights")) != "PUBLIC":
        found += [_missing(WARNING, record.root, path, "HealthDCAT-AP") for path in _HEALTH if path not in dataset]
    return sorted(dict.fromkeys(found), key=lambda finding: finding.severity != ERROR)


def quality(record: Record) -> float:
    """Return the share (0 to 1) of what makes a record useful that this one holds; of several distributions the mean counts."""
    dataset = record.dataset
    points = sum(worth for path, worth in _WORTH if path in dataset)
    files = [node for node in record.parts(dataset, DCAT + "distribution") if "@id" in node]
    if files:
        points += sum(worth for node in files for path, worth in _WORTH_OF_FILES if path in node) / len(files)
    return round(points / _WHOLE, 3)


def _of_class(name: str, node: Mapping[str, Any]) -> Iterator[Finding]:
    for kind in node.get("@type", ()):
        for severity, table in ((ERROR, MANDATORY), (WARNING, RECOMMENDED)):
            for path in table.get(kind, ()):
                if path not in node:
                    yield _missing(severity, name, path, tail(kind))
        for path in _AT_MOST_ONE.get(kind, ()):
            if len(node.get(path, ())) > 1:
                yield Finding(ERROR, name, path, f"the {tail(kind)} has {tail(path)} more than once")
        for path in _IRIS.get(kind, ()):
            if any("@value" in value for value in node.get(path, ())):
                yield Finding(WARNING, name, path, f"{tail(path)} is a text where an address is expected")


def _of_values(name: str, node: Mapping[str, Any]) -> Iterator[Finding]:
    for path, values in node.items():
        if path in _TABLES:
            table_of, words = _TABLES[path]
            if any("@id" in value and not value["@id"].startswith(AUTHORITY + table_of) for value in values):
                yield Finding(WARNING, name, path, f"{tail(path)} is not from the EU's table of {words}")
        elif path in _WRITTEN:
            pattern, words = _WRITTEN[path]
            if any("@value" in value and not pattern.fullmatch(value["@value"]) for value in values):
                yield Finding(WARNING, name, path, f"{tail(path)} is no {words}")


def _missing(severity: str, node: str, path: str, kind: str) -> Finding:
    return Finding(severity, node, path, f"the {kind} has no {tail(path)}")
