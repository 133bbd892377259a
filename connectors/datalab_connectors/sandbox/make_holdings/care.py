"""Make `care-events`: simulated patients of carebundle 0.5.0, with invented contact data and clinical notes added.

Imports carebundle from SOURCES/carebundle (it is not in the lock; it needs pydantic 2 and numpy 2, which are). Faker
40.54.0 and phonenumbers 9.0.43 invent addresses and phone numbers. Nobody in these bundles exists.
"""

from __future__ import annotations

import datetime as dt
import functools
import importlib
import json
import sys
import uuid
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from faker import Faker
from faker.providers.address import it_IT

from datalab_connectors.sandbox.make_holdings import contacts, notes
from datalab_connectors.sandbox.make_holdings.archive import HOLDINGS, TRUTH, write_lines

TARGET, SPANS = HOLDINGS / "care-events" / "bundles.ndjson.gz", TRUTH / "care-events.jsonl.gz"
PATIENTS, SEED = 2000, 20261121
PREVALENCE = {"healthy": 40, "hypertension": 30, "type2_diabetes": 18, "ckd_stage3": 7, "anaemia": 5}
PANELS = ("hba1c", "lipid")
LANGUAGES = ("de", "fr", "it", "es", "nl", "pl")
_NAMESPACE = uuid.UUID("5d5b1f0a-9a0b-5c1e-8f4e-3c1f1f0d7a11")
_NOTED = ("Condition", "MedicationRequest")


def simulated(index: int, rng: Random) -> dict[str, Any]:
    """Return the bundle that carebundle makes for one patient: one visit with laboratory, or a course of visits."""
    carebundle = importlib.import_module("carebundle")
    profile = rng.choices(list(PREVALENCE), weights=list(PREVALENCE.values()))[0]
    common = {
        "profile": profile,
        "seed": SEED,
        "index": index,
        "sex": rng.choice("FM"),
        "reference_date": dt.date(2024, 1, 1) + dt.timedelta(days=rng.randrange(730)),
    }
    if profile == "hypertension" and rng.random() < 0.6:
        bundle = carebundle.generate_history(**common, visits=rng.randint(2, 6))
    else:
        bundle = carebundle.generate_bundle(**common, panels=PANELS)
    decoded: dict[str, Any] = json.loads(carebundle.to_json(bundle))
    return decoded


@functools.cache
def _italian_cities() -> list[str]:
    """Return Faker's Italian cities in an order of their own: Faker keeps them in that of a set, which differs by process."""
    return sorted(it_IT.Provider.cities)


def invented(rng: Random, patient: dict[str, Any]) -> notes.Person:
    """Give the patient a phone number and an address of one of six countries; return the person."""
    language = rng.choice(LANGUAGES)
    fake = Faker(contacts.LOCALES[language])
    fake.seed_instance(rng.getrandbits(32))
    name = patient["name"][0]
    person = notes.Person(
        given=name["given"][0],
        family=name["family"],
        sex=patient["gender"],
        birth_date=patient["birthDate"],
        phone=contacts.phone(rng, language),
        street=fake.street_address().replace("\n", ", ").replace("&", "und"),
        city=rng.choice(_italian_cities()) if language == "it" else fake.city(),
        postcode=fake.postcode(),
    )
    patient["telecom"] = [{"system": "phone", "value": person.phone, "use": rng.choice(("mobile", "home"))}]
    patient["address"] = [
        {
            "use": "home",
            "line": [person.street],
            "city": person.city,
            "postalCode": person.postcode,
            "country": contacts.REGIONS[language][:2],
        }
    ]
    return person


def _findings(bundle: dict[str, Any]) -> str:
    said = []
    resources = [entry["resource"] for entry in bundle["entry"]]
    conditions = [r["code"]["text"] for r in resources if r["resourceType"] == "Condition"]
    medicines = [r["medicationCodeableConcept"]["text"] for r in resources if r["resourceType"] == "MedicationRequest"]
    said.append(f"Known: {'; '.join(conditions)}." if conditions else "No long-term condition recorded.")
    if medicines:
        said.append(f"Continues {', '.join(medicines)}.")
    return " ".join(said)


def _document(
    rng: Random, person: notes.Person, bundle: dict[str, Any], encounter: dict[str, Any], doctor: dict[str, Any]
) -> tuple[dict[str, Any], notes.Note]:
    name = doctor["resource"]["name"][0]
    note = notes.progress(rng, person, _findings(bundle), f"Dr {name['given'][0]} {name['family']}")
    visit = encounter["resource"]
    resource = {
        "resourceType": "DocumentReference",
        "meta": {"security": visit["meta"]["security"]},
        "text": {"status": "additional", "div": note.text},
        "status": "current",
        "type": {
            "coding": [{"system": "http://loinc.org", "code": "11506-3", "display": "Progress note"}],
            "text": "Progress note",
        },
        "subject": visit["subject"],
        "date": visit["period"]["end"],
        "author": [{"reference": doctor["fullUrl"]}],
        "content": [{"attachment": {"contentType": "text/plain", "title": "Progress note, see narrative"}}],
        "context": {"encounter": [{"reference": encounter["fullUrl"]}]},
    }
    url = f"urn:uuid:{uuid.uuid5(_NAMESPACE, encounter['fullUrl'])}"
    return {"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": "DocumentReference"}}, note


def _told_by_source(entry: dict[str, Any], values: tuple[tuple[str, str], ...], subject: str) -> notes.Note:
    """Find the values that carebundle's own narrative repeats."""
    note = notes.Note(entry["resource"]["text"]["div"])
    for kind, value in values:
        start = note.text.find(value)
        if start >= 0:
            note.spans.append({"type": kind, "subject": subject, "value": value, "start": start, "end": start + len(value)})
    return note


def complete(bundle: dict[str, Any], rng: Random) -> list[dict[str, Any]]:
    """Add contact data and notes to ``bundle`` in place; return the places of all personal values in its free texts."""
    by_type: dict[str, list[dict[str, Any]]] = {}
    for entry in bundle["entry"]:
        by_type.setdefault(entry["resource"]["resourceType"], []).append(entry)
    (patient,), doctor = by_type["Patient"], by_type["Practitioner"][0]
    person = invented(rng, patient["resource"])
    name = doctor["resource"]["name"][0]
    told = [
        (
            patient,
            "text.div",
            _told_by_source(
                patient, (("NAME", f"{person.given} {person.family}"), ("BIRTH_DATE", person.birth_date)), "patient"
            ),
        ),
        (doctor, "text.div", _told_by_source(doctor, (("NAME", f"Dr {name['given'][0]} {name['family']}"),), "practitioner")),
    ]
    for entry in [entry for kind in _NOTED for entry in by_type.get(kind, ())]:
        if rng.random() < 0.35:
            resource = entry["resource"]
            note = notes.remark(rng, person, (resource.get("code") or resource["medicationCodeableConcept"])["text"])
            resource["note"] = [{"text": note.text}]
            told.append((entry, "note[0].text", note))
    for encounter in by_type["Encounter"]:
        document, note = _document(rng, person, bundle, encounter, doctor)
        bundle["entry"].append(document)
        told.append((document, "text.div", note))
    return [
        {
            "patient": patient["fullUrl"],
            "resource": entry["fullUrl"],
            "resource_type": entry["resource"]["resourceType"],
            "path": path,
        }
        | span
        for entry, path, note in told
        for span in note.spans
    ]


def main(sources: Path) -> None:
    """Write the bundles and the truth, and print what there is."""
    sys.path.insert(0, str(sources / "carebundle"))
    bundles, spans = [], []
    for index in range(PATIENTS):
        rng = Random(f"care-events {SEED} {index}")  # noqa: S311 - invented data, no secret
        bundle = simulated(index, rng)
        spans += complete(bundle, rng)
        bundles.append(bundle)
    size = write_lines(TARGET, bundles), write_lines(SPANS, spans)
    kinds = Counter(entry["resource"]["resourceType"] for bundle in bundles for entry in bundle["entry"])
    sys.stdout.write(f"{len(bundles)} bundles, bytes {size}; {kinds}; {Counter(span['type'] for span in spans)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
