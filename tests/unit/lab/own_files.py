"""A lab of its own files, under terms that a test gives."""

from __future__ import annotations

import json
from dataclasses import replace

from datalab_connectors.files.connector import FilesConnector

from datalab import Source
from datalab.policy import parse
from tests.unit.lab.workshop import pipeline

OWN = pipeline(source=Source(dataset="own:visitors.csv"))


class Holder(FilesConnector):
    """Files whose holder wrote terms to them."""

    terms: dict[str, object]

    def offer(self, dataset_id):
        text = json.dumps({"@type": "Offer", "@id": "urn:own", **self.terms})
        return replace(super().offer(dataset_id), policy=parse(text))


def when(left, operator, right):
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def use(*constraints, **more):
    return [{"action": "use", **({"constraint": list(constraints)} if constraints else {}), **more}]
