"""The catalogue as a Simpl-Open participant sees it: keyword search and self-descriptions (xfsc-advsearch tier 1, v1).

The self-descriptions are shaped as verifiable credentials and carry no proof: nothing here is signed, and they say so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from datalab_connectors.sandbox.catalogue import PREFIX, offer
from datalab_connectors.sandbox.shelf import Holding

_CONTEXT = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "simpl": "http://w3id.org/gaia-x/simpl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_LARGEST_PAGE = 100


def routes(shelf: Mapping[str, Holding], base: str, endpoint: str) -> list[Route]:
    """Return the two calls of the facade for the holdings of ``shelf``."""

    async def search(request: Request) -> Response:
        words = [word for word in re.split(r"[\s,]+", request.query_params.get("q", "").casefold()) if word]
        page, size = (_number(request, name, default) for name, default in (("page", 1), ("pageSize", 20)))
        if not words or page < 1 or not 1 <= size <= _LARGEST_PAGE:
            return _problem(request, 400, "validationError", "Field 'q' must not be empty; page and pageSize start at 1")
        hits = sorted((hit for hit in shelf.values() if _rank(hit, words)), key=lambda hit: (-_rank(hit, words), hit.id))
        items = [{"n": _hit(holding, base)} for holding in hits[(page - 1) * size : page * size]]
        return JSONResponse({"totalCount": len(hits), "items": items})

    async def describe(request: Request) -> Response:
        holding = shelf.get(request.path_params["id"].removeprefix(PREFIX))
        if holding is None:
            return _problem(request, 404, "notFound", "No such self-description")
        return JSONResponse(self_description(holding, base, endpoint))

    return [Route("/v1/selfDescriptions", search), Route("/v1/selfDescriptions/{id}", describe)]


def self_description(holding: Holding, base: str, endpoint: str) -> dict[str, Any]:
    """Return the self-description of a holding: a credential without a proof."""
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
        },
        "simpl:dataProperties": {
            "rdf:type": {"@id": "simpl:DataProperties"},
            "simpl:format": ", ".join(file.format for file in holding.files),
            "simpl:producedBy": holding.holder,
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
        "simpl:edcConnector": {"simpl:providerEndpointURL": endpoint},
        "simpl:edcRegistration": {
            "simpl:assetId": holding.id,
            "simpl:contractDefinitionId": holding.offer_id,
            "simpl:servicePolicyId": holding.offer_id,
        },
    }
    return {
        "@context": ["https://www.w3.org/2018/credentials/v1"],
        "type": "VerifiableCredential",
        "issuer": "did:web:sandbox.datalab.example",
        "description": "Issued by a sandbox: this self-description is not signed and proves nothing.",
        "credentialSubject": subject,
    }


def _hit(holding: Holding, base: str) -> dict[str, Any]:
    return {
        "claimsGraphUri": [PREFIX + holding.id],
        "offeringType": "data",
        "name": holding.title,
        "description": holding.description,
        "inLanguage": ", ".join(holding.languages),
        "serviceAccessPoint": base,
    }


def _rank(holding: Holding, words: list[str]) -> int:
    """Return 0 unless every word occurs; words in the title count three times."""
    title = f"{holding.id} {holding.title}".casefold()
    text = " ".join((title, holding.description, holding.holder, *holding.keywords, *holding.languages)).casefold()
    if not all(word in text for word in words):
        return 0
    return sum(3 if word in title else 1 for word in words)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _problem(request: Request, status: int, kind: str, detail: str) -> JSONResponse:
    body = {
        "type": f"urn:problem-type:simpl:{kind}",
        "title": "Invalid payload" if status == 400 else "Not found",
        "status": status,
        "detail": detail,
        "instance": request.url.path,
    }
    return JSONResponse(body, status_code=status, media_type="application/problem+json")
