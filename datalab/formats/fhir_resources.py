"""One FHIR R4 bundle to rows: which field of which resource becomes which column. Missing pieces become null."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from typing import Any

Row = tuple[str | None, ...]
Json = dict[str, Any]

PATIENT_COLUMNS = (
    "patient_id",
    "identifier",
    "family",
    "given",
    "prefix",
    "gender",
    "birth_date",
    "deceased",
    "marital_status",
    "address_line",
    "city",
    "state",
    "postal_code",
    "country",
    "phone",
    "email",
    "language",
    "narrative",
)
EVENT_COLUMNS = (
    "event_id",
    "patient_id",
    "encounter_id",
    "kind",
    "category",
    "code",
    "system",
    "display",
    "status",
    "start",
    "end",
    "value",
    "unit",
    "narrative",
)

_KINDS = {
    "Condition": "condition",
    "AllergyIntolerance": "condition",
    "Observation": "observation",
    "MedicationRequest": "medication",
    "MedicationStatement": "medication",
    "MedicationAdministration": "medication",
    "MedicationDispense": "medication",
    "Immunization": "medication",
    "Procedure": "procedure",
    "Encounter": "encounter",
    "DiagnosticReport": "note",
    "DocumentReference": "note",
    "ClinicalImpression": "note",
    "Composition": "note",
    "Communication": "note",
}
_CODES = ("code", "medicationCodeableConcept", "vaccineCode", "type", "class")
_STARTS = (
    "effectiveDateTime",
    "onsetDateTime",
    "performedDateTime",
    "occurrenceDateTime",
    "authoredOn",
    "recordedDate",
    "whenHandedOver",
    "date",
    "sent",
    "issued",
)
_PERIODS = ("effectivePeriod", "onsetPeriod", "performedPeriod", "period")
_TAG = re.compile(r"<[^>]*>")
_BLOCK_END = re.compile(r"</(?:p|div|li|tr|h[1-6])>|<br */?>", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\f\v\u00a0]+")


def patient_rows(body: Json) -> Iterator[Row]:
    """Yield one row per Patient, in the order of ``PATIENT_COLUMNS``."""
    for _, identity, resource in _resources(body):
        if resource.get("resourceType") == "Patient":
            yield _patient(identity, resource)


def event_rows(body: Json) -> Iterator[Row]:
    """Yield one row per clinical event, in the order of ``EVENT_COLUMNS``; each component of an Observation is an event."""
    entries = list(_resources(body))
    known = {url: identity for url, identity, _ in entries if url and identity}
    for _, identity, resource in entries:
        kind = _KINDS.get(str(resource.get("resourceType")))
        if kind:
            yield from _events(kind, identity, resource, known)


def plain_text(markup: str) -> str:
    """Return XHTML (``text.div``) as plain text: a line per block, entities resolved."""
    text = html.unescape(_TAG.sub(" ", _BLOCK_END.sub("\n", markup)))
    lines = (_SPACE.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _resources(body: Json) -> Iterator[tuple[str, str | None, Json]]:
    """Yield (full URL, id, resource) of a bundle's entries, or of the bare resource. The id is the resource's own, else the URL's end."""
    if body.get("resourceType") != "Bundle":
        yield "", _text(body.get("id")), body
        return
    for entry in _list(body.get("entry")):
        resource = entry.get("resource")
        if isinstance(resource, dict):
            url = str(entry.get("fullUrl") or "")
            yield url, _text(resource.get("id")) or _tail(url), resource


def _patient(identity: str | None, resource: Json) -> Row:
    name = _preferred(_list(resource.get("name")), "official")
    address = _preferred(_list(resource.get("address")), "home")
    telecom = _list(resource.get("telecom"))
    identifiers = _list(resource.get("identifier"))
    deceased = resource.get("deceasedDateTime", resource.get("deceasedBoolean"))
    return (
        identity,
        _text(_preferred(identifiers, "official").get("value")),
        _text(name.get("family")),
        _joined(name.get("given")),
        _joined(name.get("prefix")),
        _text(resource.get("gender")),
        _text(resource.get("birthDate")),
        _text(deceased),
        _concept(resource.get("maritalStatus"))[2],
        _joined(address.get("line"), ", ") or _text(address.get("text")),
        _text(address.get("city")),
        _text(address.get("state")),
        _text(address.get("postalCode")),
        _text(address.get("country")),
        _telecom(telecom, "phone"),
        _telecom(telecom, "email"),
        next((_concept(item.get("language"))[0] for item in _list(resource.get("communication"))), None),
        _narrative(resource),
    )


def _events(kind: str, identity: str | None, resource: Json, known: dict[str, str]) -> Iterator[Row]:
    subject = resource.get("subject") or resource.get("patient")
    encounter = resource.get("encounter") or resource.get("context")
    if isinstance(encounter, dict) and "encounter" in encounter:  # DocumentReference.context holds a list of encounters
        encounter = next(iter(_list(encounter["encounter"])), None)
    start, end = _times(resource)
    code, system, display = _code(resource)
    value, unit = _value(resource)
    category = _concept(next(iter(_list(resource.get("category"))), None))[2]
    head = (_reference(subject, known), _reference(encounter, known) if kind != "encounter" else identity, kind, category)
    status = _text(resource.get("status")) or _concept(resource.get("clinicalStatus"))[0]
    yield (identity, *head, code, system, display, status, start, end, value, unit, _narrative(resource))
    for place, component in enumerate(_list(resource.get("component")), start=1):
        code, system, display = _code(component)
        value, unit = _value(component)
        yield (f"{identity}.{place}", *head, code, system, display, status, start, end, value, unit, None)


def _times(resource: Json) -> tuple[str | None, str | None]:
    for name in _PERIODS:
        period = resource.get(name)
        if isinstance(period, dict):
            return _text(period.get("start")), _text(period.get("end"))
    start = next((_text(resource[name]) for name in _STARTS if resource.get(name)), None)
    return start, _text(resource.get("abatementDateTime"))


def _code(resource: Json) -> tuple[str | None, str | None, str | None]:
    for name in _CODES:
        value = resource.get(name)
        if value:
            found = _concept(value[0] if isinstance(value, list) else value)
            if any(found):
                return found
    return None, None, None


def _value(resource: Json) -> tuple[str | None, str | None]:
    quantity = resource.get("valueQuantity")
    if isinstance(quantity, dict):
        return _text(quantity.get("value")), _text(quantity.get("unit")) or _text(quantity.get("code"))
    if "valueCodeableConcept" in resource:
        return _concept(resource["valueCodeableConcept"])[2], None
    for name in ("valueString", "valueInteger", "valueBoolean", "valueDateTime", "valueTime"):
        if resource.get(name) is not None:
            return _text(resource[name]), None
    return None, None


def _narrative(resource: Json) -> str | None:
    """All free text of a resource, without repeats: notes, conclusion, attachments, string values, the generated narrative."""
    found = [_text(note.get("text")) for note in _list(resource.get("note"))]
    found += [_text(resource.get(name)) for name in ("conclusion", "summary", "valueString", "description")]
    attachments = [item.get("attachment") for item in _list(resource.get("content"))] + _list(resource.get("presentedForm"))
    found += [_attachment(item) for item in attachments]
    found += [_text(item.get("contentString")) for item in _list(resource.get("payload"))]
    sections = [resource, *_list(resource.get("section"))]
    for section in sections:
        markup = section.get("text")
        if isinstance(markup, dict) and isinstance(markup.get("div"), str):
            found.append(plain_text(markup["div"]))
    parts = list(dict.fromkeys(part for part in found if part))
    return "\n".join(parts) or None


def _attachment(attachment: Any) -> str | None:
    """Return the text of an inline attachment; other media, and text elsewhere, are left out."""
    if not isinstance(attachment, dict) or not attachment.get("data"):
        return None
    kind = str(attachment.get("contentType", ""))
    if not kind.startswith("text/") and "xhtml" not in kind:
        return None
    try:
        text = base64.b64decode(str(attachment["data"]), validate=True).decode("utf-8")
    except ValueError:
        return None
    return plain_text(text) if "html" in kind else text


def _concept(value: Any) -> tuple[str | None, str | None, str | None]:
    """Return (code, system, display) of a CodeableConcept or a Coding; its text where no display is given."""
    if not isinstance(value, dict):
        return None, None, None
    coding = next(iter(_list(value.get("coding"))), value)
    display = _text(coding.get("display")) or _text(value.get("text"))
    return _text(coding.get("code")), _text(coding.get("system")), display


def _reference(value: Any, known: dict[str, str]) -> str | None:
    url = value.get("reference") if isinstance(value, dict) else None
    return (known.get(url) or _tail(url)) if isinstance(url, str) else None


def _tail(url: str) -> str | None:
    """``urn:uuid:X``, ``Patient/X`` and ``https://…/Patient/X/_history/1`` all end in the id X."""
    return re.split(r"[/:]", url.partition("/_history/")[0])[-1] or None


def _telecom(telecom: list[Json], system: str) -> str | None:
    return next((_text(item.get("value")) for item in telecom if item.get("system") == system), None)


def _preferred(items: list[Json], use: str) -> Json:
    return next((item for item in items if item.get("use") == use), items[0] if items else {})


def _joined(value: Any, by: str = " ") -> str | None:
    return by.join(str(item) for item in value if item) or None if isinstance(value, list) else _text(value)


def _list(value: Any) -> list[Json]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, (dict, list)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).encode("utf-8", "replace").decode() if not str(value).isascii() else str(value)
