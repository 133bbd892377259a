from __future__ import annotations

import base64
import json
import zipfile

import pytest

from datalab.errors import NotFound
from datalab.formats import ReadOptions, detect, read
from datalab.formats.fhir_resources import plain_text

PATIENT = {
    "resourceType": "Patient",
    "name": [{"use": "nickname", "given": ["Jo"]}, {"use": "official", "family": "Muster", "given": ["Johanna", "Eva"]}],
    "gender": "female",
    "birthDate": "1979-04-06",
    "address": [{"line": ["Weg 1", "Hof"], "city": "Graz", "postalCode": "8010", "country": "AT"}],
    "telecom": [{"system": "phone", "value": "+43 1"}, {"system": "email", "value": "j@example.org"}],
    "maritalStatus": {"coding": [{"code": "M", "display": "Married"}]},
    "deceasedBoolean": False,
}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "obs-1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9", "display": "Blood pressure"}]},
    "subject": {"reference": "urn:uuid:p-1"},
    "encounter": {"reference": "Encounter/e-1"},
    "effectiveDateTime": "2026-01-01T09:00:00Z",
    "component": [{"code": {"text": "systolic"}, "valueQuantity": {"value": 120, "unit": "mmHg"}}],
    "note": [{"text": "Johanna felt dizzy"}],
}
NOTE = {
    "resourceType": "DocumentReference",
    "id": "n-1",
    "subject": {"reference": "https://x.example/fhir/Patient/p-1"},
    "content": [{"attachment": {"contentType": "text/plain", "data": base64.b64encode("Grüße, Johanna".encode()).decode()}}],
}
BUNDLE = {
    "resourceType": "Bundle",
    "entry": [
        {"fullUrl": "urn:uuid:p-1", "resource": PATIENT},
        {"fullUrl": "urn:uuid:x", "resource": OBSERVATION},
        {"resource": NOTE},
        {"resource": {"resourceType": "Practitioner", "id": "dr"}},
        {"request": {"method": "GET"}},
    ],
}


def table(path, name, **options):
    return list(read(path, ReadOptions("fhir", table=name, **options), batch_rows=100))


def ndjson(folder, *lines):
    path = folder / "bundles.ndjson"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def test_patients(tmp_path):
    (chunk,) = table(ndjson(tmp_path, BUNDLE), "patients")
    (row,) = chunk.frame.rows(named=True)
    assert {key: row[key] for key in ("patient_id", "family", "given", "address_line", "city", "phone", "email")} == {
        "patient_id": "p-1",
        "family": "Muster",
        "given": "Johanna Eva",
        "address_line": "Weg 1, Hof",
        "city": "Graz",
        "phone": "+43 1",
        "email": "j@example.org",
    }
    assert (row["marital_status"], row["deceased"], row["identifier"]) == ("Married", "false", None)


def test_events_point_at_their_patient_however_it_is_referenced(tmp_path):
    (chunk,) = table(ndjson(tmp_path, BUNDLE), "events")
    rows = chunk.frame.rows(named=True)
    assert [(row["event_id"], row["patient_id"], row["kind"]) for row in rows] == [
        ("obs-1", "p-1", "observation"),
        ("obs-1.1", "p-1", "observation"),
        ("n-1", "p-1", "note"),
    ]
    assert (rows[0]["encounter_id"], rows[0]["code"], rows[0]["start"]) == ("e-1", "85354-9", "2026-01-01T09:00:00Z")
    assert (rows[1]["display"], rows[1]["value"], rows[1]["unit"]) == ("systolic", "120", "mmHg")
    assert rows[0]["narrative"] == "Johanna felt dizzy"
    assert rows[2]["narrative"] == "Grüße, Johanna"


def test_bare_resources_and_bad_lines(tmp_path):
    path = ndjson(tmp_path, PATIENT | {"id": "a"}, "{broken", '{"no":"fhir"}', "[]", PATIENT | {"id": "b"})
    (chunk,) = table(path, "patients")
    assert chunk.frame["patient_id"].to_list() == ["a", "b"]
    assert chunk.rows.to_list() == [0, 4]
    assert [(f.row, f.line, f.code) for f in chunk.faults] == [(1, 2, "broken-json"), (2, 3, "not-fhir"), (3, 4, "not-fhir")]


def test_one_printed_bundle_per_file_of_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as written:
        for name in ("2.json", "1.json"):
            written.writestr(name, json.dumps(BUNDLE | {"id": name}, indent=2))
        written.writestr("3.json", '{\n "resourceType": "Bundle",\n')
    options = detect(tmp_path / "b.zip", {"table": "events"})
    (chunk,) = read(tmp_path / "b.zip", options, batch_rows=100)
    assert chunk.frame.height == 6
    assert [fault.code for fault in chunk.faults] == ["broken-json"]


@pytest.mark.parametrize("entry", [None, 3, [None], [{"resource": None}], [{"resource": {"resourceType": "Observation"}}]])
def test_missing_pieces_are_null_not_errors(tmp_path, entry):
    chunks = table(ndjson(tmp_path, {"resourceType": "Bundle", "entry": entry}), "events")
    assert sum(len(chunk.faults) for chunk in chunks) == 0
    assert sum(chunk.frame.height for chunk in chunks) == (entry == [{"resource": {"resourceType": "Observation"}}])


def test_an_unknown_table_names_the_known_ones(tmp_path):
    with pytest.raises(NotFound, match="patient"):
        table(ndjson(tmp_path, BUNDLE), "patient")


def test_narrative_is_plain_text():
    markup = '<div xmlns="http://www.w3.org/1999/xhtml"><p><b>A &amp; B</b></p><p>x<br/>y</p></div>'
    assert plain_text(markup) == "A & B\nx\ny"
