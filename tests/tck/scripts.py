"""What the connector under test does in each test of the kit, by the id of the dataset or agreement that the test names.

The kit prescribes the other side's part of each conversation, so a connector's own decisions are replaced by these; its
messages, states, store and post are those of the product.
"""

from __future__ import annotations

NEGOTIATED_HERE: dict[str, dict[str, str]] = {
    "ACN0101": {"request": "counter"},
    "ACN0102": {"request": "counter", "request again": "refuse"},
    "ACN0103": {"request": "counter", "accepted": "agree", "verification": "finalize"},
    "ACN0104": {"request": "agree", "verification": "finalize"},
    "ACN0201": {"request": "refuse"},
    "ACN0202": {},
    "ACN0203": {"request": "agree"},
    "ACN0204": {"request": "counter"},
    "ACN0205": {"request": "counter refuse"},
    "ACN0206": {"request": "counter", "accepted": "refuse"},
    "ACN0207": {"request": "agree", "verification": "refuse"},
    "ACN0301": {"request": "agree", "verification": "finalize"},
    "ACN0302": {"request": "counter"},
    "ACN0303": {"request": "counter"},
    "ACN0304": {"request": "counter"},
}
"""The connector as provider: what it has to do after each message of the kit."""

TRANSFERRED_FROM_HERE: dict[str, dict[str, str]] = {
    "ATP0101": {"request": "start refuse"},
    "ATP0102": {"request": "start complete"},
    "ATP0103": {"request": "start suspend refuse"},
    "ATP0104": {"request": "start suspend start complete"},
    "ATP0105": {"request": "refuse"},
    **{f"ATP020{number}": {"request": "start"} for number in (1, 2, 3, 4)},
    "ATP0205": {},
    "ATP0301": {},
    "ATP0302": {},
    **{f"ATP030{number}": {"request": "start"} for number in (3, 4, 5, 6)},
}

NEGOTIATED_THERE: dict[str, dict[str, str]] = {
    "ACNC0101": {"offer": "accept", "agreement": "verify"},
    "ACNC0102": {"offer": "insist"},
    "ACNC0103": {"offer": "terminate"},
    "ACNC0104": {"agreement": "verify"},
    "ACNC0201": {},
    "ACNC0202": {"": "terminate"},
    "ACNC0203": {"agreement": "terminate"},
    "ACNC0204": {},
    "ACNC0205": {"offer": "accept"},
    "ACNC0206": {"agreement": "verify"},
    "ACNC0301": {},
    "ACNC0302": {},
    "ACNC0303": {},
    "ACNC0304": {"offer": "accept"},
    "ACNC0305": {"offer": "accept"},
    "ACNC0306": {"offer": "accept"},
}
"""The connector as consumer; "" is what follows its own first message."""

TRANSFERRED_FROM_THERE: dict[str, dict[str, str]] = {
    **{f"ATPC010{number}": {} for number in (1, 2, 3, 4, 5)},
    "ATPC0201": {"start": "terminate"},
    "ATPC0202": {"start": "complete"},
    "ATPC0203": {"start": "suspend terminate"},
    "ATPC0204": {"start": "suspend start complete"},
    "ATPC0205": {"": "terminate"},
    **{f"ATPC030{number}": {} for number in (1, 2, 3, 4, 5, 6)},
}


def settings() -> dict[str, str]:
    """Return the kit's settings that name a dataset, an offer or an agreement for each test."""
    found = {f"CAT_01_0{number}_DATASETID": f"CAT010{number}" for number in (1, 2, 3)}
    for dataset in (*NEGOTIATED_HERE, *NEGOTIATED_THERE):
        group, digits = ("CN_C" if dataset.startswith("ACNC") else "CN"), dataset[-4:]
        found[f"{group}_{digits[:2]}_{digits[2:]}_DATASETID"] = dataset
        found[f"{group}_{digits[:2]}_{digits[2:]}_OFFERID"] = offer_id(dataset)
    for agreement in (*TRANSFERRED_FROM_HERE, *TRANSFERRED_FROM_THERE):
        group, digits = ("TP_C" if agreement.startswith("ATPC") else "TP"), agreement[-4:]
        found[f"{group}_{digits[:2]}_{digits[2:]}_AGREEMENTID"] = agreement
        found[f"{group}_{digits[:2]}_{digits[2:]}_FORMAT"] = "HttpData-PULL"
    return found


def offer_id(dataset: str) -> str:
    """Return the id of the offer of a dataset, in the kit's own form."""
    return f"CD123:{dataset}:456"
