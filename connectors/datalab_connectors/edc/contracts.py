"""Concluding a contract through EDC: begin, look again until it is final, and after a kill go on with what was begun."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from datalab.errors import PolicyRefusal, ProtocolError, SourceError
from datalab.model.offer import Offer
from datalab_connectors.dsp.terms import same_terms
from datalab_connectors.edc.client import EdcRefused, peer_error
from datalab_connectors.edc.management import Management
from datalab_connectors.edc.reading import request_policy, terms_of
from datalab_connectors.records import Records
from datalab_connectors.waiting import waits

_MARK = "urn:datalab:negotiation:"
_UNDELIVERED = "Failed to send request"
_CROSSED = "Cannot process"
"""What EDC says, with 409, to a message that overtakes what it is still writing down about the one before."""


class _Crossed(SourceError):
    """The two connectors missed each other: nobody said no."""


@dataclass(frozen=True, slots=True)
class Contracts:
    """The contracts of one connector. ``patience`` in seconds."""

    management: Management
    records: Records
    patience: float
    sleep: Callable[[float], None] = time.sleep

    def conclude(self, subject: str, offer: Offer, lasts: Callable[[str], bool]) -> str:
        """Return EDC's word of the agreement, to the letter: the one that stands where it ``lasts``, continued, or a new one.

        Call it holding the subject. Raise ``PolicyRefusal`` where the provider says no, ``SourceError`` where it does not answer in
        time: calling again goes on from there.
        """
        record = self.records.get(subject)
        if said := str(record.get("agreement", "")):
            if lasts(said) and self.management.knows(str(json.loads(said).get("@id"))):
                return said
            record = {}
        negotiation = str(record.get("negotiation", ""))
        if not negotiation and record.get("begun"):  # killed between asking and writing down the answer
            negotiation = self.management.marked(str(record["begun"]))
        if negotiation:
            try:
                return self._finish(subject, offer, negotiation)
            except EdcRefused as error:
                if error.status != 404:
                    raise
        try:
            return self._finish(subject, offer, self._begin(subject, offer))
        except _Crossed:
            return self._finish(subject, offer, self._begin(subject, offer))

    def _begin(self, subject: str, offer: Offer) -> str:
        mark = f"{_MARK}{subject}:{time.time_ns()}"
        self.records.put(subject, {"begun": mark})
        negotiation = self.management.negotiate(request_policy(offer, self.management.provider_id, subject), mark)
        self.records.put(subject, {"begun": mark, "negotiation": negotiation})
        return negotiation

    def _finish(self, subject: str, offer: Offer, negotiation: str) -> str:
        told = self._await(negotiation)
        if told["state"] != "FINALIZED":
            self.records.put(subject, {})
            raise self._refusal(str(told.get("errorDetail") or ""), offer)
        said = self.management.agreement(negotiation)
        _check(said.body, offer)
        self.records.put(subject, {"negotiation": negotiation, "agreement": said.text})
        return said.text

    def _await(self, negotiation: str) -> Mapping[str, Any]:
        """Wait for the end; of several reasons the first is told: EDC overwrites it where it cannot tell the provider."""
        reason, state = "", ""
        for _ in waits(self.patience, self.sleep):
            told = self.management.negotiation(negotiation)
            state, reason = str(told["state"]), reason or str(told.get("errorDetail") or "")
            if state in {"FINALIZED", "TERMINATED"}:
                return {**told, "errorDetail": reason}
        raise SourceError(
            f"the contract was not concluded in time: it is {state}" + (f" ({reason[:300]})" if reason else ""),
            where=self.management.url,
            next="try again: it goes on from here",
        )

    def _refusal(self, detail: str, offer: Offer) -> SourceError | PolicyRefusal:
        code, words = peer_error(detail)
        where = f"{self.management.provider_id}, {offer.dataset_id}"
        if not code and detail.startswith(_UNDELIVERED):
            return SourceError(
                f"EDC could not reach the provider's connector: {words[:300]}", where=where, next="try again later"
            )
        if code == "409" and words.startswith(_CROSSED):
            return _Crossed(f"the two connectors missed each other: {words[:300]}", where=where, next="try again")
        said = f"{code}: {words}" if code else words
        return PolicyRefusal(f"the provider refused the contract: {said[:300]}", where=where)


def _check(agreement: Any, offer: Offer) -> None:
    """Raise ``ProtocolError`` unless the agreement is about this dataset and says what the offer said."""
    policy = agreement.get("policy") if isinstance(agreement, Mapping) else None
    if not isinstance(policy, Mapping) or not isinstance(agreement.get("@id"), str):
        raise ProtocolError("EDC told an agreement without its id or terms", where=offer.dataset_id)
    same = same_terms(json.loads(offer.policy.verbatim), terms_of(policy))
    if not same or agreement.get("assetId") != offer.dataset_id:
        raise ProtocolError("the agreement says something else than the offer that was decided on", where=str(agreement["@id"]))
