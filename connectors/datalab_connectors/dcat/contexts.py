"""JSON-LD contexts that are known here: a document that refers to one is read with this copy, and none is ever fetched.

The terms are those of the context of DCAT-AP 3.0.1 (SEMICeu/DCAT-AP), which scopes them by class without giving any two meanings.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from datalab.errors import ProtocolError

PREFIXES = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "adms": "http://www.w3.org/ns/adms#",
    "spdx": "http://spdx.org/rdf/terms#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "dcatap": "http://data.europa.eu/r5r/",
    "prov": "http://www.w3.org/ns/prov#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "locn": "http://www.w3.org/ns/locn#",
    "time": "http://www.w3.org/2006/time#",
    "eli": "http://data.europa.eu/eli/ontology#",
    "dqv": "http://www.w3.org/ns/dqv#",
    "schema": "http://schema.org/",
    "hydra": "http://www.w3.org/ns/hydra/core#",
    "dpv": "https://w3id.org/dpv#",
    "healthdcatap": "http://healthdataportal.eu/ns/health#",
    "mobilitydcatap": "https://w3id.org/mobilitydcat-ap#",
    "mls": "http://www.w3.org/ns/mls#",
}
"""The prefixes that catalogues use, as their profiles spell them."""

_PLAIN = (
    "Activity=prov:Activity Agent=foaf:Agent Attribution=prov:Attribution Catalogue=dcat:Catalog "
    "CatalogueRecord=dcat:CatalogRecord CataloguedResource=dcat:Resource Checksum=spdx:Checksum "
    "ChecksumAlgorithm=spdx:ChecksumAlgorithm Concept=skos:Concept ConceptScheme=skos:ConceptScheme "
    "DataService=dcat:DataService Dataset=dcat:Dataset DatasetSeries=dcat:DatasetSeries "
    "Distribution=dcat:Distribution Document=foaf:Document Frequency=dct:Frequency Geometry=locn:Geometry "
    "Identifier=adms:Identifier Kind=vcard:Kind LegalResource=eli:LegalResource LicenceDocument=dct:LicenseDocument "
    "LinguisticSystem=dct:LinguisticSystem Literal=rdfs:Literal Location=dct:Location MediaType=dct:MediaType "
    "MediaTypeOrExtent=dct:MediaTypeOrExtent PeriodOfTime=dct:PeriodOfTime Policy=odrl:Policy "
    "ProvenanceStatement=dct:ProvenanceStatement Relationship=dcat:Relationship Resource=rdfs:Resource "
    "RightsStatement=dct:RightsStatement Role=dcat:Role Standard=dct:Standard TemporalLiteral=rdfs:Literal "
    "TimeInstant=time:Instant bbox=dcat:bbox centroid=dcat:centroid description=dct:description endDate=dcat:endDate "
    "identifier=dct:identifier keyword=dcat:keyword listingDate=dct:issued modificationDate=dct:modified "
    "name=foaf:name notation=skos:notation preferredLabel=skos:prefLabel releaseDate=dct:issued "
    "startDate=dcat:startDate title=dct:title version=dcat:version versionNotes=adms:versionNotes "
)
_REFERENCES = (
    "accessRights=dct:accessRights accessService=dcat:accessService accessUrl=dcat:accessURL algorithm=spdx:algorithm "
    "applicableLegislation=dcatap:applicableLegislation applicationProfile=dct:conformsTo "
    "availability=dcatap:availability beginning=time:hasBeginning catalogue=dcat:catalog changeType=adms:status "
    "checksum=spdx:checksum compressionFormat=dcat:compressFormat conformsTo=dct:conformsTo "
    "contactPoint=dcat:contactPoint creator=dct:creator dataset=dcat:dataset datasetDistribution=dcat:distribution "
    "documentation=foaf:page downloadUrl=dcat:downloadURL end=time:hasEnd "
    "endpointDescription=dcat:endpointDescription endpointUrl=dcat:endpointURL format=dct:format "
    "frequency=dct:accrualPeriodicity geographicalCoverage=dct:spatial geometry=locn:geometry hadRole=dcat:hadRole "
    "hasPart=dct:hasPart hasPolicy=odrl:hasPolicy hasVersion=dcat:hasVersion homepage=foaf:homepage "
    "inSeries=dcat:inSeries isReferencedBy=dct:isReferencedBy landingPage=dcat:landingPage language=dct:language "
    "licence=dct:license linkedSchemas=dct:conformsTo mediaType=dcat:mediaType otherIdentifier=adms:identifier "
    "packagingFormat=dcat:packageFormat primaryTopic=foaf:primaryTopic provenance=dct:provenance "
    "publisher=dct:publisher qualifiedAttribution=prov:qualifiedAttribution qualifiedRelation=dcat:qualifiedRelation "
    "record=dcat:record relatedResource=dct:relation relation=dct:relation rights=dct:rights sample=adms:sample "
    "servesDataset=dcat:servesDataset service=dcat:service source=dct:source sourceMetadata=dct:source "
    "status=adms:status temporalCoverage=dct:temporal theme=dcat:theme themes=dcat:themeTaxonomy type=dct:type "
    "wasGeneratedBy=prov:wasGeneratedBy "
)
_TYPED = (
    "byteSize=dcat:byteSize^xsd:nonNegativeInteger checksumValue=spdx:checksumValue^xsd:hexBinary "
    "spatialResolution=dcat:spatialResolutionInMeters^xsd:decimal "
    "temporalResolution=dcat:temporalResolution^xsd:duration "
)

_KNOWN = re.compile(
    r"https?://(semiceu\.github\.io|raw\.githubusercontent\.com/SEMICeu)/.*DCAT-AP/.*dcat-ap\.jsonld"
    r"|https?://(www\.)?data\.europa\.eu/r5r/?"
)
_PREFIXES_ONLY = re.compile(r"https?://www\.w3\.org/(ns/dcat3?(\.jsonld)?|2013/json-ld-context/rdfa11)#?")


def pinned(address: str, where: str) -> dict[str, Any]:
    """Return our copy of the context at ``address``; raise ``ProtocolError`` for one that is not known."""
    if _KNOWN.fullmatch(address):
        return dcat_ap()
    if _PREFIXES_ONLY.fullmatch(address):
        return dict(PREFIXES)
    raise ProtocolError(
        f"the document asks for the context {address[:120]!r}, and no context is fetched from outside",
        where=where,
        next='ask the catalogue for Turtle (accept = "text/turtle"), or for JSON-LD with its context inside',
    )


@functools.cache
def dcat_ap() -> dict[str, Any]:
    """Return the context of DCAT-AP 3: its terms, and the usual prefixes."""
    found: dict[str, Any] = dict(PREFIXES)
    found |= dict(_pairs(_PLAIN))
    found |= {term: {"@id": iri, "@type": "@id"} for term, iri in _pairs(_REFERENCES)}
    for term, iri in _pairs(_TYPED):
        name, _, datatype = iri.partition("^")
        found[term] = {"@id": name, "@type": datatype}
    return found


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(term, iri) for term, _, iri in (entry.partition("=") for entry in text.split())]
