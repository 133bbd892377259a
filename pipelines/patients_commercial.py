"""The same events for a commercial purpose: the data holder's terms forbid it, so this pipeline is refused (exit code 3)."""

from __future__ import annotations

import dataclasses

from datalab import Purpose
from pipelines.patients_events import patients_events as _research

patients_commercial = dataclasses.replace(
    _research,
    name="patients-commercial",
    title="Patients and their events, for sale",
    purpose=Purpose("https://w3id.org/dpv#CommercialPurpose", "Sell predictions of laboratory values", commercial=True),
)
