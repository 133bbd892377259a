"""Reading a self-description: a verifiable credential whose types are written as ``rdf:type`` and whose policies are text in text.

Lenient about form (prefixes, wrappers, lists), never about terms. The credential itself is kept to the letter; its signature is
not judged: the node's catalogue did that, and a lab without the authority's keys cannot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from datalab.errors import ProtocolError
from datalab.ports.bodies import parse_json

NAMESPACE = "http://w3id.org/gaia-x/simpl#"
_PREFIXES = ("simpl:", NAMESPACE)
_TYPES = ("rdf:type", "http://www.w3.org/1999/02/22-rdf-syntax-ns#type", "@type", "type")
_DOCUMENTS = ("contractTemplate", "billingSchema", "slaAgreements")
_LARGEST = 2 << 20
_DEEPEST = 40
_MOST = 50_000


@dataclass(frozen=True, slots=True)
class Document:
    """A document that a self-description links, with the digest that it announces."""

    kind: str
    title: str
    url: str
    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class Description:
    """What a self-description says. ``sections`` have plain names and values; ``text`` is the credential to the letter."""

    id: str
    kind: str
    sections: Mapping[str, Mapping[str, Any]]
    documents: tuple[Document, ...]
    issuer: str
    signed: bool
    text: str = field(repr=False)

    def word(self, section: str, name: str) -> str:
        """Return a text of a section, "" where it says none."""
        value = self.sections.get(section, {}).get(name, "")
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if value else ""

    @property
    def negotiable(self) -> bool:
        """Whether the offering is registered with a connector: only then can a contract be concluded (Simpl's own rule)."""
        registration = ("assetId", "contractDefinitionId")
        return all(self.word("edcRegistration", name) for name in registration) and bool(
            self.word("edcConnector", "providerEndpointURL")
        )


def read_description(text: str) -> Description:
    """Read a credential, or a presentation or JSON text around one; raise ``ProtocolError`` where it is none."""
    if len(text) > _LARGEST:
        raise ProtocolError(f"the self-description is longer than {_LARGEST} characters")
    credential = _credential(_json(text))
    subject = _subject(credential)
    plain = {_local(key): value for key, value in subject.items()}
    sections = {
        name: {_local(key): _plain(item) for key, item in value.items() if key not in _TYPES and key != "@context"}
        for name, value in plain.items()
        if isinstance(value, Mapping) and name not in {*_TYPES, "@context"}
    }
    identifier = subject.get("@id", subject.get("id", ""))
    if not isinstance(identifier, str) or not identifier:
        raise ProtocolError("the self-description does not say what it is about")
    issuer = credential.get("issuer")
    issuer = issuer.get("id", "") if isinstance(issuer, Mapping) else issuer
    proof = credential.get("proof")
    return Description(
        id=identifier,
        kind=_type(subject),
        sections=sections,
        documents=tuple(_documents(sections)),
        issuer=issuer if isinstance(issuer, str) else "",
        signed=isinstance(proof, Mapping) and str(proof.get("jws", "")).count(".") == 2 and not str(proof["jws"]).endswith("."),
        text=text,
    )


def _json(text: str) -> Any:
    try:
        body = parse_json(text)
        if isinstance(body, str):  # the federated catalogue answers with the credential as a JSON text
            body = parse_json(body)
    except ValueError:
        raise ProtocolError("the self-description is not JSON") from None
    _check_shape(body)
    return body


def _check_shape(body: Any) -> None:
    """Refuse what is nested or grown beyond any self-description, without recursion."""
    seen, level = 0, [body]
    for _ in range(_DEEPEST):
        seen += len(level)
        if seen > _MOST:
            raise ProtocolError(f"the self-description has more than {_MOST} parts")
        level = [inner for item in level for inner in _inner(item)]
        if not level:
            return
    raise ProtocolError(f"the self-description is nested more than {_DEEPEST} deep")


def _inner(item: Any) -> Iterator[Any]:
    if isinstance(item, Mapping):
        yield from item.values()
    elif isinstance(item, list):
        yield from item


def _credential(body: Any) -> Mapping[str, Any]:
    found = body[0] if isinstance(body, list) and body else body
    for wrapper in ("selfDescription", "verifiableCredential"):
        inner = found.get(wrapper) if isinstance(found, Mapping) else None
        found = (inner[0] if isinstance(inner, list) and inner else inner) or found
    if not isinstance(found, Mapping) or "credentialSubject" not in found:
        raise ProtocolError("the self-description has no credentialSubject")
    return found


def _subject(credential: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the offering among the subjects."""
    value = credential["credentialSubject"]
    subjects = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, Mapping)]
    if not subjects:
        raise ProtocolError("the self-description has no credentialSubject")
    return next((item for item in subjects if _type(item).endswith("Offering")), subjects[0])


def _type(item: Mapping[str, Any]) -> str:
    """Return the type of a node by its plain name, whichever way it is written."""
    for key in _TYPES:
        value = item.get(key)
        value = value[0] if isinstance(value, list) and value else value
        value = value.get("@id") if isinstance(value, Mapping) else value
        if isinstance(value, str) and value:
            return _local(value)
    return ""


def _local(name: str) -> str:
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _plain(value: Any) -> Any:
    """Return a literal without its type, a reference as its id, anything else as it is."""
    if isinstance(value, Mapping):
        if "@value" in value:
            inner = value["@value"]
            return inner if isinstance(inner, str) else json.dumps(inner)
        if set(value) == {"@id"}:
            return value["@id"]
    if isinstance(value, list) and value and all(not isinstance(item, Mapping | list) or "@value" in item for item in value):
        return ", ".join(str(_plain(item)) for item in value)
    return value


def _documents(sections: Mapping[str, Mapping[str, Any]]) -> Iterator[Document]:
    for kind in _DOCUMENTS:
        said = sections.get(kind, {})
        title, url, algorithm, value = (
            str(said.get(f"{kind}{part}", "") or "") for part in ("Document", "URL", "HashAlg", "HashValue")
        )
        if url or value:
            yield Document(kind, title, url, algorithm, value)
