"""What EDC 0.14.0 says of one dataset, in both of its shapes, and who asks for it."""

from __future__ import annotations

import datetime as dt

from datalab.model.agreement import Intent
from datalab.policy import decide_acquisition

RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "count bicycles", legal_basis="eu-gdpr:A6-1-e", territory="LU")
ID = "ZDE=:Y291bnRz:ZDk5NDZlMmYtNWRlZi00YzhhLWI2OTQtMDg4ZDI0ZjQzZWJm"
ODRL = {
    "@id": ID,
    "@type": "odrl:Offer",
    "odrl:permission": {"odrl:action": {"@id": "odrl:use"}},
    "odrl:prohibition": {
        "odrl:action": {"@id": "odrl:use"},
        "odrl:constraint": {
            "odrl:leftOperand": {"@id": "odrl:purpose"},
            "odrl:operator": {"@id": "odrl:isA"},
            "odrl:rightOperand": "dpv:CommercialPurpose",
        },
    },
    "odrl:obligation": [],
}
OLDER = {
    "@id": "counts",
    "@type": "dcat:Dataset",
    "odrl:hasPolicy": ODRL,
    "dcat:distribution": [
        {
            "@type": "dcat:Distribution",
            "dct:format": {"@id": way},
            "dcat:accessService": {"@id": "a", "@type": "dcat:DataService"},
        }
        for way in ("HttpData-PULL", "HttpData-PUSH")
    ],
    "dct:license": "CC0",
    "dcat:keyword": ["a", "b"],
    "sha256": "ab" * 32,
    "name": "Bicycle counts",
    "description": "One square",
    "id": "counts",
    "contenttype": "text/csv",
    "byteSize": 12.0,
    "personalData": False,
}
NEWER = {
    "@id": "counts",
    "@type": "Dataset",
    "hasPolicy": [
        {
            "@id": ID,
            "@type": "Offer",
            "permission": [{"action": "use"}],
            "prohibition": [
                {
                    "action": "use",
                    "constraint": [{"leftOperand": "odrl:purpose", "operator": "isA", "rightOperand": "dpv:CommercialPurpose"}],
                }
            ],
        }
    ],
    "distribution": [
        {"@type": "Distribution", "format": way, "accessService": {"@id": "b", "@type": "DataService"}}
        for way in ("HttpData-PULL", "HttpData-PUSH")
    ],
    "dct:license": "CC0",
    "dcat:keyword": ["a", "b"],
    "edc:sha256": "ab" * 32,
    "edc:name": "Bicycle counts",
    "description": "One square",
    "id": "counts",
    "edc:contenttype": "text/csv",
    "edc:byteSize": 12.0,
    "edc:personalData": False,
}


TABLE = {"url": "http://127.0.0.1:9/management", "provider": "http://127.0.0.1:9/protocol", "provider_id": "provider"}


def permit(offer, intent=RESEARCH):
    return decide_acquisition(offer, intent, moment=dt.datetime.now(dt.UTC), actor="steward")
