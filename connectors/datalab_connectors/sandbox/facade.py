"""The sandbox as a Simpl-Open participant node: catalogue search, self-descriptions, schemas, contract consumption (tier 1).

Below the gateway's prefixes a token of the sandbox's realm is needed, as in front of a real node; the search also stands at the root
without one, where the sandbox connector asks it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from datalab.errors import SourceError
from datalab_connectors.dsp.endpoints import read_body
from datalab_connectors.ranking import rank
from datalab_connectors.sandbox.catalogue import PREFIX
from datalab_connectors.sandbox.consumption import TEMPLATES, ConsumerNode
from datalab_connectors.sandbox.description import contract_document, self_description, value_of
from datalab_connectors.sandbox.identity import Realm
from datalab_connectors.sandbox.problems import problem
from datalab_connectors.sandbox.shelf import Holding

SEARCH, CONTRACTS = "/xfsc-advsearch-be", "/contract-consumption"
SCHEMA = "sandboxDataOffering"
_LARGEST_PAGE = 100
_TURTLE = """@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix simpl: <http://w3id.org/gaia-x/simpl#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .

simpl:SandboxGeneralServicePropertiesShape a sh:NodeShape ;
  sh:targetClass simpl:GeneralServiceProperties ;
  sh:property [ sh:path simpl:name ; sh:datatype xsd:string ; sh:minCount 1 ; sh:maxCount 1 ] ;
  sh:property [ sh:path simpl:description ; sh:datatype xsd:string ; sh:minCount 1 ; sh:maxCount 1 ] .
"""
Handler = Callable[[Request], Awaitable[Response]]


def routes(shelf: Mapping[str, Holding], base: str, endpoint: str) -> list[Route]:
    """Return the catalogue without a gateway: the search, the self-descriptions, and the documents that they link."""

    async def document(request: Request) -> Response:
        holding = shelf.get(request.path_params["id"])
        if holding is None:
            return problem(request, 404, "notFound", "No such document")
        return Response(contract_document(holding), media_type="application/json")

    search, describe, advanced = _catalogue(shelf, base, endpoint, proof=False)
    return [
        Route("/v1/selfDescriptions", search),
        Route("/v1/selfDescriptions/advanced", advanced, methods=["POST"]),
        Route("/v1/selfDescriptions/{id}", describe),
        Route("/static/contract/{id}.json", document),
    ]


def gateway_routes(shelf: Mapping[str, Holding], base: str, node: ConsumerNode) -> list[Route]:
    """Return the node's services below its gateway, and the realm that gives the tokens for them."""

    def route(path: str, handler: Handler, methods: Sequence[str] = ("GET",)) -> Route:
        return Route(path, _guarded(handler, node.realm), methods=list(methods))

    search, describe, advanced = _catalogue(shelf, base, node.endpoint, proof=True)
    v1, v2, contracts = f"{SEARCH}/v1", f"{SEARCH}/v2", f"{CONTRACTS}/v1"
    consume = _Consumption(node)
    return [
        route(f"{v1}/selfDescriptions", search),
        route(f"{v1}/selfDescriptions/advanced", advanced, ["POST"]),
        route(f"{v1}/selfDescriptions/{{id}}", describe),
        route(f"{v2}/schemas", _schemas),
        route(f"{v2}/schemas/{{id}}/{{version}}", _schema),
        route(f"{contracts}/connectorCatalog/assets", consume.offers, ["POST"]),
        route(f"{contracts}/contracts", consume.negotiate, ["POST"]),
        route(f"{contracts}/contracts/{{id}}", consume.contract),
        route(f"{contracts}/resourceAddresses/sharingMethods/{{method}}/templates", consume.templates),
        route(f"{contracts}/resourceAddresses/templates/{{id}}/{{what}}", consume.template),
        route(f"{contracts}/transfers", consume.transfer, ["POST"]),
        route(f"{contracts}/transfers/{{id}}", consume.progress),
        route(f"{contracts}/transfers/{{id}}/edr", consume.reference),
        *node.realm.routes(),
        *node.routes(),
    ]


def _guarded(handler: Handler, realm: Realm) -> Handler:
    async def guard(request: Request) -> Response:
        if not realm.takes(request):
            return problem(request, 401, "unauthorized", "Missing or invalid Authorization header")
        try:
            return await handler(request)
        except SourceError as error:
            return problem(request, 400, "validationError", error.what)

    return guard


def _catalogue(shelf: Mapping[str, Holding], base: str, endpoint: str, *, proof: bool) -> tuple[Handler, Handler, Handler]:
    async def search(request: Request) -> Response:
        words = [word for word in re.split(r"[\s,]+", request.query_params.get("q", "").casefold()) if word]
        page, size = (_number(request, name, default) for name, default in (("page", 1), ("pageSize", 20)))
        if not words or page < 1 or not 1 <= size <= _LARGEST_PAGE:
            return problem(request, 400, "validationError", "Field 'q' must not be empty; page and pageSize start at 1")
        hits = sorted((hit for hit in shelf.values() if _rank(hit, words)), key=lambda hit: (-_rank(hit, words), hit.id))
        items = [{"n": _hit(holding, base)} for holding in hits[(page - 1) * size : page * size]]
        return JSONResponse({"totalCount": len(hits), "items": items})

    async def advanced(request: Request) -> Response:
        try:
            asked = await read_body(request)
            asked = json.loads(asked) if isinstance(asked, str) else asked
        except (SourceError, ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict) or not all(isinstance(section, dict) for section in asked.values()):
            return problem(request, 400, "validationError", "The request body must be an object of sections")
        hits = [hit for hit in shelf.values() if _matches(self_description(hit, base, endpoint), asked)]
        return JSONResponse({"totalCount": len(hits), "items": [{"i": _hit(holding, base)} for holding in hits]})

    async def describe(request: Request) -> Response:
        holding = shelf.get(request.path_params["id"].removeprefix(PREFIX))
        if holding is None:
            return problem(request, 404, "notFound", "No such self-description")
        return JSONResponse(self_description(holding, base, endpoint, proof=proof))

    return search, describe, advanced


async def _schemas(request: Request) -> Response:
    wanted = request.query_params.get("resourceType", "data").lower()
    about = {"title": "Data Offering", "name": "sandbox", "description": "What the sandbox says of every offering."}
    known = [{**about, "resourceType": "DATA", "version": "1.0.0", "schemaId": SCHEMA}]
    return JSONResponse({"schemas": known if wanted == "data" else []})


async def _schema(request: Request) -> Response:
    if request.path_params["id"] != SCHEMA or request.path_params["version"] not in {"content", "1.0.0"}:
        return problem(request, 404, "notFound", "No such schema")
    accepted = request.headers.get("accept", "*/*")
    if "turtle" not in accepted and "*/*" not in accepted:
        return problem(request, 406, "notAcceptable", "Requested media type is not supported. Use 'text/turtle'.")
    return PlainTextResponse(_TURTLE, media_type="text/turtle")


class _Consumption:
    """The contract consumption: what a user of the node asks, handed to the node."""

    def __init__(self, node: ConsumerNode) -> None:
        self._node = node

    async def offers(self, request: Request) -> Response:
        return JSONResponse(
            {"offers": self._node.offers(await _asked(request, "providerEndpoint", "contractDefinitionId", "assetId"))}
        )

    async def negotiate(self, request: Request) -> Response:
        asked = await _asked(request, "providerEndpoint", "contractDefinitionId", "assetId")
        pid = self._node.negotiate(asked)
        if pid is None:
            return problem(request, 400, "badRequest", "The provider does not offer this asset under this contract definition")
        return JSONResponse({"contractNegotiationId": pid})

    async def contract(self, request: Request) -> Response:
        found = self._node.contract(request.path_params["id"])
        return JSONResponse(found) if found else problem(request, 400, "validationError", "No such contract negotiation")

    async def templates(self, request: Request) -> Response:
        method, kind = request.path_params["method"], request.query_params.get("offeringType", "")
        if kind not in {"DATA", "APPLICATION", "INFRASTRUCTURE"}:
            return problem(request, 400, "validationError", "offeringType is DATA, APPLICATION or INFRASTRUCTURE")
        return JSONResponse(
            [{"id": item.id, "label": item.label} for item in TEMPLATES if item.method == method and kind == "DATA"]
        )

    async def template(self, request: Request) -> Response:
        name, what = request.path_params["id"], request.path_params["what"]
        found = next((item for item in TEMPLATES if item.id == name and what in {"schema", "uiSchema"}), None)
        if found is None:
            return problem(request, 404, "resourceAddressNotFound", f"No template found for templateId {name[:40]}")
        return JSONResponse(dict(found.schema) if what == "schema" else {"ui:order": list(found.schema["properties"])})

    async def transfer(self, request: Request) -> Response:
        asked = await _asked(request, "providerEndpoint", "contractId", "templateId")
        body = await read_body(request)
        template = next((item for item in TEMPLATES if item.id == asked["templateId"]), None)
        destination = body.get("dataDestination")
        if template is None or not isinstance(destination, dict):
            return problem(request, 400, "validationError", "templateId and dataDestination name no destination known here")
        wrong = [name for name in template.schema["required"] if not isinstance(destination.get(name), str)]
        if wrong or destination["type"] != template.schema["properties"]["type"]["const"]:
            return problem(
                request, 400, "validationError", f"The destination does not fit its template: {', '.join(wrong) or 'type'}"
            )
        pid = (
            self._node.transfer(asked["contractId"], destination) if asked["providerEndpoint"] == self._node.endpoint else None
        )
        if pid is None:
            return problem(request, 400, "badRequest", "No such contract with this provider")
        return JSONResponse({"transferProcessId": pid})

    async def progress(self, request: Request) -> Response:
        found = self._node.progress(request.path_params["id"])
        return JSONResponse(found) if found else problem(request, 400, "validationError", "No such transfer process")

    async def reference(self, request: Request) -> Response:
        found = self._node.reference(request.path_params["id"])
        return (
            JSONResponse(found) if found else problem(request, 409, "conflict", "The transfer has no endpoint data reference")
        )


async def _asked(request: Request, *names: str) -> dict[str, str]:
    """Return the required texts of a request; raise ``SourceError`` for one that is missing."""
    body = await read_body(request)
    found = {name: body.get(name) if isinstance(body, dict) else None for name in names}
    wrong = [name for name, value in found.items() if not isinstance(value, str) or not value]
    if wrong:
        raise SourceError(f"missing required arguments: {', '.join(wrong)}")
    return {name: str(value) for name, value in found.items()}


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
    said = (holding.description, holding.holder, *holding.keywords, *holding.languages)
    return rank(words, f"{holding.id} {holding.title}", *said)


def _matches(described: Mapping[str, Any], asked: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a self-description has all that an advanced search asks for: parts of texts, and ranges of numbers."""
    wishes = [
        (value_of(described, section, name), wish)
        for section, names in asked.items()
        for name, wish in names.items()
        if name != "@type"
    ]
    return all(_within(value, wish) if isinstance(wish, dict) else _says(value, wish) for value, wish in wishes)


def _says(value: Any, wish: Any) -> bool:
    return value is not None and str(wish).casefold() in str(value).casefold()


def _within(value: Any, wish: Mapping[str, Any]) -> bool:
    compare: dict[str, Callable[[float, float], bool]] = {
        ">=": lambda one, other: one >= other,
        ">": lambda one, other: one > other,
        "<=": lambda one, other: one <= other,
        "<": lambda one, other: one < other,
        "=": lambda one, other: one == other,
    }
    try:
        bounds = [(compare[wish[f"op{place}"]], float(wish[f"value{place}"])) for place in (1, 2) if f"op{place}" in wish]
        return bool(bounds) and all(holds(float(value), bound) for holds, bound in bounds)
    except (KeyError, TypeError, ValueError):
        return False


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
