"""The consumer's strategy: it wants exactly the terms that were decided on, and says so once more before it gives up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from datalab_connectors.dsp.callers import Caller
from datalab_connectors.dsp.exchange import Turn, Unknown
from datalab_connectors.dsp.store import Process
from datalab_connectors.dsp.terms import same_terms
from datalab_connectors.dsp.transitions import ENDED

_OTHER_TERMS = "The provider wants other terms than those that were decided on."


class Wishes:
    """What a consumer does with each message; ``data`` of its processes holds the offer decided on and the rounds left."""

    def opened(self, process: Process, said: Mapping[str, Any], caller: Caller) -> Process:
        """Refuse: this consumer takes no offers that it did not ask for."""
        del process, said, caller
        raise Unknown("no offers are taken unasked")

    def heard(self, process: Process, move: str, said: Mapping[str, Any], text: str) -> Process:
        """Take a message of the provider's."""
        data = dict(process.data)
        due = ""
        match move:
            case "offer":
                same = same_terms(process.data["offer"], said["offer"])
                due = "accept" if same else "insist" if data.get("rounds", 0) > 0 else "terminate"
            case "agreement":
                due = "verify" if same_terms(process.data["offer"], said["agreement"]) else "terminate"
                data["message"] = text
            case "start" if "dataAddress" in said:
                data["address"] = said["dataAddress"]
        if process.kind == "transfer" and process.state in ENDED:
            data.pop("address", None)
        return replace(process, due=due, data=data)

    def turn(self, process: Process) -> Turn | None:
        """Make the move that is due."""
        match process.due:
            case "verify":
                return Turn("verification")
            case "accept":
                return Turn("accepted")
            case "insist":
                return Turn("request", {"offer": process.data["offer"]}, {"rounds": process.data["rounds"] - 1})
        said = {"code": "terms", "reason": [_OTHER_TERMS]}
        return Turn("termination", said, {"reasons": [_OTHER_TERMS], "ours": True})
