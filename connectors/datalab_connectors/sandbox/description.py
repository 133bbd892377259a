"""A holding as Simpl describes an offering: a credential that says what it is, under which terms, and where to agree to them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from datalab_connectors.dsp.holdings import File, Holding
from datalab_connectors.sandbox.catalogue import PREFIX, offer

ISSUER = "did:web:sandbox.datalab.example"
_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "simpl": "http://w3id.org/gaia-x/simpl#",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_NOT_SIGNED = "Issued by a sandbox: this self-description is not signed and proves nothing."


def self_description(holding: Holding, base: str, endpoint: str, *, proof: bool = False) -> dict[str, Any]:
    """Return the self-description of a holding; with ``proof`` it has the shape of a signed one, and says that it is none."""
    document = contract_document(holding)
    subject = {
        "@context": _CONTEXT,
        "@id": PREFIX + holding.id,
        "rdf:type": {"@id": "simpl:DataOffering"},
        "simpl:generalServiceProperties": {
            "rdf:type": {"@id": "simpl:GeneralServiceProperties"},
            "simpl:name": holding.title,
            "simpl:description": holding.description,
            "simpl:keywords": ", ".join(holding.keywords),
            "simpl:inLanguage": ", ".join(holding.languages),
            "simpl:offeringType": "data",
            "simpl:serviceAccessPoint": {"@type": "xsd:anyURI", "@value": base},
            "simpl:sharingMethodId": "HTTPDATA_PUSH",
        },
        "simpl:dataProperties": {
            "rdf:type": {"@id": "simpl:DataProperties"},
            "simpl:format": ", ".join(file.format for file in holding.files),
            "simpl:producedBy": holding.holder,
            "dct:issued": holding.issued,
            "dpv:hasPersonalData": {"@type": "xsd:boolean", "@value": holding.personal_data},
            "dcat:distribution": [_distribution(file) for file in holding.files],
        },
        "simpl:providerInformation": {"rdf:type": {"@id": "simpl:ProviderInformation"}, "simpl:providedBy": holding.holder},
        "simpl:offeringPrice": {
            "rdf:type": {"@id": "simpl:OfferingPrice"},
            "simpl:license": holding.licence,
            "simpl:priceType": "free",
        },
        "simpl:servicePolicy": {
            "rdf:type": {"@id": "simpl:ServicePolicy"},
            "simpl:usage-policy": json.dumps(offer(holding, target=True)),
        },
        "simpl:contractTemplate": {
            "rdf:type": {"@id": "simpl:ContractTemplate"},
            "simpl:contractTemplateDocument": f"The terms of {holding.title}",
            "simpl:contractTemplateHashAlg": "SHA256",
            "simpl:contractTemplateHashValue": hashlib.sha256(document).hexdigest(),
            "simpl:contractTemplateURL": f"{base}/static/contract/{quote(holding.id, safe='')}.json",
        },
        "simpl:edcConnector": {"simpl:providerEndpointURL": endpoint},
        "simpl:edcRegistration": {
            "simpl:assetId": holding.id,
            "simpl:contractDefinitionId": holding.offer_id,
            "simpl:servicePolicyId": holding.offer_id,
        },
    }
    return {
        "@context": [
            "https://www.w3.org/2018/credentials/v1",
            *(["https://w3id.org/security/suites/jws-2020/v1"] if proof else []),
        ],
        "type": "VerifiableCredential",
        "issuer": ISSUER,
        "description": _NOT_SIGNED,
        "credentialSubject": subject,
        **({"proof": _proof()} if proof else {}),
    }


def contract_document(holding: Holding) -> bytes:
    """Return the document that the contract template of a holding links to: its terms."""
    return json.dumps({"title": holding.title, "terms": offer(holding, target=True)}, indent=1, sort_keys=True).encode()


def value_of(described: Mapping[str, Any], section: str, name: str) -> Any:
    """Return a literal of a self-description by the names that the advanced search uses, None where there is none."""
    plain = section.removeprefix("simpl:")
    found = described["credentialSubject"].get(f"simpl:{plain[:1].lower()}{plain[1:]}", {})
    value = found.get(f"simpl:{name}")
    return value["@value"] if isinstance(value, Mapping) and "@value" in value else value


def _distribution(file: File) -> dict[str, Any]:
    return {
        "rdf:type": {"@id": "dcat:Distribution"},
        "dct:identifier": file.id,
        "dct:title": file.title,
        "dct:format": file.format,
        "dcat:mediaType": file.media_type,
        "dcat:byteSize": file.bytes,
        "spdx:fileName": file.path.name,
        "spdx:checksum": {"spdx:algorithm": "sha256", "spdx:checksumValue": file.sha256},
    }


def _proof() -> dict[str, str]:
    """Return an unsecured JWS (RFC 7515, appendix A.5): the algorithm is "none" and the signature is empty."""
    header = base64.urlsafe_b64encode(b'{"alg":"none","b64":false,"crit":["b64"]}').rstrip(b"=").decode()
    return {
        "type": "JsonWebSignature2020",
        "proofPurpose": "assertionMethod",
        "verificationMethod": f"{ISSUER}#nobody",
        "jws": f"{header}..",
    }
