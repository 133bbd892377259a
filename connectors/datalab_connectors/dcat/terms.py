"""The terms of a dataset: licences, rights, access rights and ODRL policies of a record, read into one policy. Unknown means no."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datalab.errors import ProtocolError
from datalab.model.policy import Policy, Rule
from datalab.policy import parse
from datalab.policy.licences import Licence, licence_of, licence_rules
from datalab_connectors.dcat.record import Record
from datalab_connectors.dcat.vocabulary import CLOSED_ACCESS, DCT, HEALTH, ODRL, OPEN_ACCESS, tail

_OPEN = frozenset((OPEN_ACCESS, "OPEN", "OPENACCESS", "OPEN_ACCESS", "OPEN ACCESS", "C_ABF2"))
_SILENT = frozenset((DCT + "title", DCT + "description", DCT + "identifier", DCT + "type", "@context"))
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of one distribution (or of a dataset): what was said, and what of it is known."""

    licences: tuple[Licence, ...]
    stated: tuple[str, ...]
    unknown: tuple[str, ...]
    policies: tuple[str, ...]

    @property
    def silent(self) -> bool:
        """Whether nothing was said at all."""
        return not (self.licences or self.unknown or self.policies)


def terms_of(record: Record, node: Mapping[str, Any]) -> Terms:
    """Return the terms that a node carries itself."""
    licences, stated, unknown = [], [], []
    for value in node.get(DCT + "license", ()):
        names = record.names(value)
        stated += names[:1]
        if found := licence_of(names):
            licences.append(found)
        else:
            unknown.append(f"a licence that is not known here ({', '.join(names)[:120] or 'without a name'})")
    for value in node.get(DCT + "rights", ()):
        names = record.names(value)
        if found := licence_of(names):
            licences.append(found)
        elif access_code(names) not in {OPEN_ACCESS, *CLOSED_ACCESS}:
            unknown.append(f"a statement of rights ({', '.join(names)[:120] or 'without words'})")
        elif access_code(names) != OPEN_ACCESS:
            unknown.append(_closed(access_code(names), health=False))
    unknown += [licence.unread for licence in licences if licence.unread]
    policies = tuple(_odrl(record, value) for value in record.parts(node, ODRL + "hasPolicy"))
    return Terms(tuple(dict.fromkeys(licences)), tuple(stated), tuple(unknown), policies)


def access_of(record: Record) -> str:
    """Return the code of the dataset's access rights, "" where none is stated."""
    for value in record.dataset.get(DCT + "accessRights", ()):
        return access_code(record.names(value))
    return ""


def access_code(names: Sequence[str]) -> str:
    """Return PUBLIC, RESTRICTED, NON_PUBLIC …, or what was written where it is no code."""
    for name in names:
        code = tail(name).strip().upper().replace("-", "_")
        if code in _OPEN:
            return OPEN_ACCESS
        if code in CLOSED_ACCESS:
            return code
    return (names[0] if names else "unnamed")[:120]


def policy_of(record: Record, parts: Sequence[Terms]) -> Policy:
    """Return the policy of a dataset for distributions under the terms ``parts``: as strict as all of them together."""
    licences = tuple(dict.fromkeys(licence for part in parts for licence in part.licences))
    unknown = [text for part in parts for text in part.unknown]
    access = access_of(record)
    if access and access != OPEN_ACCESS:
        unknown.insert(0, _closed(access, health=is_health(record)))
    elif any(part.silent for part in parts) or not parts:
        unknown.append("no licence at all")
    texts_of_policies = list(dict.fromkeys(text for part in parts for text in part.policies))
    # A steward may vouch for what cannot be read; nobody but the access body lets health data be worked on, and only where it lies.
    stays = (Rule("use"),) if access and access != OPEN_ACCESS and is_health(record) else ()
    stated = list(dict.fromkeys(text for part in parts for text in part.stated)) or [licence.id for licence in licences]
    name = stated[0] if len(stated) == 1 else f"{record.root}#terms"
    said = {"@type": "Set", "@id": name, **(licence_rules(licences) if licences else {})}
    body = {**said, "licence": stated, "accessRights": access, "odrl": [json.loads(text) for text in texts_of_policies]}
    found = [parse(json.dumps(said))] if licences else []
    for text in texts_of_policies:
        try:
            found.append(parse(text))
        except ProtocolError as error:
            unknown.append(f"a policy that cannot be read ({error.what[:120]})")
    return Policy(
        id=name,
        # A licence that is known here permits use without a condition: the conditions of a policy beside it are all there are.
        permissions=found[-1].permissions if len(found) <= 2 and found else (),
        prohibitions=(*stays, *(rule for policy in found for rule in policy.prohibitions)),
        obligations=tuple(duty for policy in found for duty in policy.obligations),
        unknown=tuple(
            dict.fromkeys([*unknown, *(part for policy in found for part in policy.unknown), *_several(found, bool(licences))])
        ),
        verbatim=json.dumps(body, ensure_ascii=False, sort_keys=True),
    )


def is_health(record: Record) -> bool:
    """Whether the record follows HealthDCAT-AP."""
    return any(key.startswith(HEALTH) for key in record.dataset)


def _several(found: Sequence[Policy], licensed: bool) -> list[str]:
    return ["more than one policy for the same data"] if len(found) > 1 + licensed else []


def _closed(access: str, *, health: bool) -> str:
    if health:
        return (
            f"the access rights {access}: a permit of the Health Data Access Body is needed, and the data is worked on in its "
            "secure processing environment and does not come out"
        )
    return f"the access rights {access}: the holder lets nobody have it without asking"


def _odrl(record: Record, node: Mapping[str, Any]) -> str:
    body = _framed(record, node, 0)
    if isinstance(body, dict):
        body.pop("target", None)  # the node that carries the policy is what it is about
    return json.dumps(body if isinstance(body, dict) else {"@id": body}, ensure_ascii=False, sort_keys=True)


def _framed(record: Record, node: Mapping[str, Any], depth: int) -> Any:
    """Return a node of a policy as the plain JSON in which policies are read; what goes too deep is named, and so unknown."""
    if "@value" in node:
        return node["@value"]
    name = str(node["@id"])
    inner = {key: values for key, values in node.items() if key not in {"@id", "@type"} and key not in _SILENT}
    if not inner and not name.startswith("_:"):
        return {"@id": name}
    if depth > _DEEPEST:
        return {"too deep": True}
    body: dict[str, Any] = {} if name.startswith("_:") else {"@id": name}
    if depth == 0:
        body["@type"] = [tail(kind) for kind in node.get("@type", ())]
    for key, values in inner.items():
        found = [
            _framed(record, record.nodes.get(value["@id"], value) if "@id" in value else value, depth + 1) for value in values
        ]
        body[key.removeprefix(ODRL)] = found[0] if len(found) == 1 else found
    return body
