"""The words of DCAT-AP and its profiles that are read, and the authority tables of the EU behind them."""

from __future__ import annotations

import re

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
DCAT = "http://www.w3.org/ns/dcat#"
DCT = "http://purl.org/dc/terms/"
FOAF = "http://xmlns.com/foaf/0.1/"
ADMS = "http://www.w3.org/ns/adms#"
SPDX = "http://spdx.org/rdf/terms#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
OWL = "http://www.w3.org/2002/07/owl#"
VCARD = "http://www.w3.org/2006/vcard/ns#"
ODRL = "http://www.w3.org/ns/odrl/2/"
HYDRA = "http://www.w3.org/ns/hydra/core#"
DCATAP = "http://data.europa.eu/r5r/"
HEALTH = "http://healthdataportal.eu/ns/health#"
DPV = "https://w3id.org/dpv#"
XSD = "http://www.w3.org/2001/XMLSchema#"
AUTHORITY = "http://publications.europa.eu/resource/authority/"

TYPE = RDF + "type"
DATASET = DCAT + "Dataset"
NOT_PARTS = frozenset((DATASET, DCAT + "Catalog", DCAT + "CatalogRecord", DCAT + "DatasetSeries"))
"""Classes of nodes that are entries of their own: a record refers to them and does not contain them."""

OPEN_ACCESS = "PUBLIC"
CLOSED_ACCESS = frozenset(("RESTRICTED", "NON_PUBLIC", "CONFIDENTIAL", "SENSITIVE", "NORMAL"))

_MEDIA = {
    "text/csv": "csv",
    "application/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/parquet": "parquet",
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/x-jsonlines": "jsonl",
    "application/vnd.apache.arrow.file": "arrow",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/fhir+ndjson": "fhir",
    "application/fhir+json": "fhir",
    "text/plain": "text",
}
_NAMES = {
    "csv": "csv", "tsv": "csv", "tab": "csv", "parquet": "parquet", "apache parquet": "parquet", "jsonl": "jsonl",
    "ndjson": "jsonl", "json lines": "jsonl", "jsonlines": "jsonl", "json_lines": "jsonl", "arrow": "arrow",
    "feather": "arrow", "txt": "text", "text": "text", "fhir": "fhir",
}  # fmt: skip
_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "jsonl": "application/x-ndjson", "text": "text/plain"}
_PACKED = re.compile(r"\.(gz|zip|gzip|bz2|xz|zst)$")


def tail(iri: str) -> str:
    """Return the last part of an IRI: ``…/file-type/CSV`` is ``CSV``."""
    return re.split(r"[/#]", iri.rstrip("/#"))[-1] if "/" in iri or "#" in iri else iri


def media_type(text: str) -> str:
    """Return a media type from an IRI of IANA's registry or the type itself; "" where it is none."""
    bare = re.split(r"media-types/", text.strip())[-1].partition(";")[0].strip().lower()
    return bare if re.fullmatch(r"[a-z]+/[a-z0-9.+_-]+", bare) else ""


def format_of(media: str, named: str, address: str) -> str:
    """Return a format name of `datalab.formats`, or the name the catalogue uses in small letters; "" where it says nothing.

    ``media`` is a media type, ``named`` a literal or an IRI of the authority table of file types, ``address`` where it lies.
    """
    for word in (named, media):
        bare = tail(word).strip().lower() if not media_type(word) else media_type(word)
        found = _NAMES.get(bare.lstrip(".")) or _MEDIA.get(bare)
        if found:
            return found
    end = _PACKED.sub("", address.partition("?")[0].partition("#")[0].lower()).rpartition(".")[2]
    if (not named or named.lower() in {"zip", "gzip"} or tail(named).lower() in {"zip", "gzip"}) and end in _NAMES:
        return _NAMES[end]
    return (tail(named) or tail(media)).strip().lower()


def usual_media_type(kind: str) -> str:
    """Return the media type that files of a format have, for catalogues that do not say."""
    return _TYPES.get(kind, "application/octet-stream")
