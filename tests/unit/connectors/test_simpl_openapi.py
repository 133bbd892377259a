"""What the node of the sandbox and our client say to each other is what the published OpenAPI documents describe."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
import yaml
from datalab_connectors.sandbox.facade import SCHEMA

from datalab.model.offer import Query
from datalab.ports.landing import Landing
from tests.unit.connectors.simpl_space import BICYCLES, agreed, quiet

REFERENCE = os.environ.get("DATALAB_REFERENCE_DATA", "")
DOCUMENTS = {
    "/xfsc-advsearch-be/v1": "openapi-xfscadvsearch-tier1-v1.yaml",
    "/xfsc-advsearch-be/v2": "openapi-xfscadvsearch-tier1-v2.yaml",
    "/contract-consumption/v1": "openapi-contract-consumption-be-tier1-v1.yaml",
}
GATEWAY = 401
"""The gateway's answer to a missing token stands in no document of a service behind it."""


class Document:
    """One OpenAPI 3.0 document; each defect that is mended here is one of its own, seen against its own examples."""

    def __init__(self, name):
        text = (Path(REFERENCE) / "simpl" / "openapi" / name).read_text()
        self.body = yaml.safe_load(text)
        for path, operations in self.body["paths"].items():
            if path.endswith("/advanced"):  # "type: string" is the Java signature: the example is an object
                operations["post"]["requestBody"]["content"]["application/json"]["schema"] = {"type": "object"}
            if path.endswith("/templates"):  # the schema is one template, the example a list of them
                kept = operations["get"]["responses"]["200"]["content"]["application/json"]
                kept["schema"] = {"type": "array", "items": kept["schema"]}

    def operation(self, method, path):
        for template, operations in sorted(self.body["paths"].items(), key=lambda item: item[0].count("{")):
            if method.lower() in operations and re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
                return operations[method.lower()]
        raise AssertionError(f"{method} {path} is in no document")

    def faults(self, schema, value):
        import jsonschema_rs

        whole = {"allOf": [schema], "components": self.body["components"]}
        return [str(error.message) for error in jsonschema_rs.Draft4Validator(whole).iter_errors(value)]


def faults(documents, kept):
    """Return what is wrong with one exchange."""
    prefix = next(prefix for prefix in DOCUMENTS if kept.path.startswith(prefix))
    document = documents[prefix]
    operation = document.operation(kept.method, kept.path.removeprefix(prefix))
    found = []
    if kept.status < 400:
        asked = parse_qs(kept.query)
        found += [
            f"parameter {item['name']} is missing"
            for item in operation.get("parameters", ())
            if item["in"] == "query" and item.get("required") and item["name"] not in asked
        ]
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            found += document.faults(schema, json.loads(kept.sent))
    if kept.status == GATEWAY:
        return found
    answer = operation["responses"].get(str(kept.status))
    if answer is None:
        return [*found, f"status {kept.status} is not in the document"]
    media = answer["content"].get(kept.type)
    if media is None:
        return [*found, f"{kept.type} is not in the document"]
    return found + (document.faults(media["schema"], json.loads(kept.got)) if "json" in kept.type else [])


@pytest.fixture(scope="module")
def documents():
    if not REFERENCE:
        pytest.skip("DATALAB_REFERENCE_DATA is not set: the OpenAPI documents are not here")
    return {prefix: Document(name) for prefix, name in DOCUMENTS.items()}


def test_a_whole_story_is_spoken_as_published(documents, space, simpl, tmp_path):
    connector = simpl()
    [found] = connector.search(Query("vélos bicycle"))
    [again] = connector.search(Query("GeneralServiceProperties.name=Vélos"))
    [listed] = connector.search(Query(""))
    offer, decision, agreement = agreed(connector)
    [landed] = connector.fetch(agreement, offer, "bicycles-csv", Landing(tmp_path / "landing"), decision, quiet)
    [schema] = connector.node.schemas()
    text = connector.node.schema(SCHEMA)

    assert found == again == listed == offer
    assert landed.sha256 == offer.distributions[0].sha256
    assert (schema["schemaId"], text) == (SCHEMA, connector.node.schema(SCHEMA, schema["version"]))
    spoken = [kept for kept in space.recorder.exchanges if kept.path.startswith(tuple(DOCUMENTS))]
    assert {kept.path.removeprefix("/contract-consumption/v1").split("/")[1] for kept in spoken} >= {
        "connectorCatalog", "contracts", "resourceAddresses", "transfers",
    }  # fmt: skip
    assert [(kept.method, kept.path, wrong) for kept in spoken if (wrong := faults(documents, kept))] == []


WRONG = [
    ("GET", "/xfsc-advsearch-be/v1/selfDescriptions?q=", None, 400),
    ("GET", "/xfsc-advsearch-be/v1/selfDescriptions?q=a&page=0", None, 400),
    ("GET", "/xfsc-advsearch-be/v1/selfDescriptions/did:web:nobody", None, 404),
    ("POST", "/xfsc-advsearch-be/v1/selfDescriptions/advanced", [], 400),
    ("GET", "/xfsc-advsearch-be/v2/schemas/other/content", None, 404),
    ("POST", "/contract-consumption/v1/connectorCatalog/assets", {"assetId": "bicycles"}, 400),
    ("POST", "/contract-consumption/v1/contracts", {"assetId": ""}, 400),
    ("POST", "/contract-consumption/v1/contracts", {"assetId": "a", "contractDefinitionId": "b", "providerEndpoint": "c"}, 400),
    ("GET", "/contract-consumption/v1/contracts/none", None, 400),
    ("POST", "/contract-consumption/v1/transfers", {"contractId": 7}, 400),
    ("GET", "/contract-consumption/v1/transfers/none", None, 400),
    ("GET", "/contract-consumption/v1/resourceAddresses/templates/77/schema", None, 404),
    ("GET", "/contract-consumption/v1/resourceAddresses/sharingMethods/IONOS_S3/templates?offeringType=ALL", None, 400),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), WRONG)
def test_a_no_is_a_problem_as_published(documents, space, method, path, body, status):
    token = httpx.post(
        f"{space.url}/auth/realms/participant/protocol/openid-connect/token",
        data={"grant_type": "client_credentials", "client_id": "datalab", "client_secret": "sandbox-only"},
        trust_env=False,
    ).json()["access_token"]
    answer = httpx.request(
        method, f"{space.url}{path}", json=body, headers={"authorization": f"Bearer {token}"}, trust_env=False
    )
    kept = space.recorder.exchanges[-1]
    assert answer.status_code == status
    assert answer.json()["type"].startswith("urn:problem-type:simpl:")
    assert faults(documents, kept) == []


def test_the_gateway_wants_a_token(space):
    answer = httpx.get(f"{space.url}/xfsc-advsearch-be/v1/selfDescriptions?q=a", trust_env=False)
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:problem-type:simpl:unauthorized")
    described = httpx.get(f"{space.url}/v1/selfDescriptions/{BICYCLES}", trust_env=False).json()
    assert "proof" not in described


def test_the_published_examples_can_be_read(documents):
    from datalab_connectors.simpl.catalogue import hit_id
    from datalab_connectors.simpl.credential import read_description

    paths = documents["/xfsc-advsearch-be/v1"].body["paths"]

    def example(path, method="get"):
        return paths[path][method]["responses"]["200"]["content"]["application/json"]["example"]

    assert len([hit_id(item) for item in example("/selfDescriptions")["items"]]) == 4
    described = read_description(json.dumps(example("/selfDescriptions/{selfDescriptionId}"), default=str))
    assert (described.kind, described.negotiable, described.signed) == ("DataOffering", False, True)
    assert described.documents[0].algorithm == "SHA256"
