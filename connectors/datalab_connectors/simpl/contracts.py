"""Concluding a contract through the node: ask its connector for the offer, begin, and look again until it is final.

Contract consumption v1 knows no list of negotiations and no key of ours in a request: a process that is killed between its
request and writing down the answer leaves a negotiation behind that nobody continues, and begins another.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from datalab.errors import PolicyRefusal, ProtocolError, SourceError
from datalab.model.policy import Policy
from datalab.ports.http import HttpRefused
from datalab_connectors.records import Records
from datalab_connectors.simpl.node import Node
from datalab_connectors.simpl.terms import check_catalogue_terms
from datalab_connectors.waiting import waits

_CONCLUDED = frozenset(("FINALIZED", "CONFIRMED"))
"""The connector's word, and the one in an example of the published OpenAPI document."""
_FAILED = frozenset(("TERMINATED", "TERMINATING", "DECLINED", "ERROR"))
_GONE = frozenset((400, 404))


@dataclass(frozen=True, slots=True)
class Contracts:
    """The contracts of one connector with the providers behind its node. ``patience`` in seconds."""

    node: Node
    records: Records
    patience: float
    sleep: Callable[[float], None] = time.sleep

    def conclude(
        self, subject: str, asked: Mapping[str, str], policy: Policy, check: Callable[[], list[dict[str, str]]] = list
    ) -> dict[str, Any]:
        """Return the record of a concluded contract: new, continued, or the one that stands.

        ``asked`` is ``providerEndpoint``, ``contractDefinitionId`` and ``assetId``. The record has ``agreement`` (its id),
        ``provider``, ``negotiation`` and ``offer`` (both as the node said them, JSON text), ``at`` and ``documents``: what ``check``
        returned, which is asked before anything is begun. Raise ``PolicyRefusal`` where the provider says no.
        """
        record = self.records.get(subject)
        if record.get("asked") != json.dumps(asked):
            record = {}
        if record.get("agreement"):
            return record
        if not record.get("id"):
            record = self._begin(subject, asked, policy, check)
        try:
            told, text = self._await(str(record["id"]))
        except HttpRefused as error:
            if error.status not in _GONE:
                raise
            record = self._begin(subject, asked, policy, check)  # the node forgot it
            told, text = self._await(str(record["id"]))
        if told.get("state") in _FAILED:
            self.records.put(subject, {})
            said = str(told.get("errorDetail") or "no reason given")[:300]
            raise PolicyRefusal(f"the provider refused the contract: {said}", where=asked["providerEndpoint"])
        record |= {
            "agreement": str(told["contractAgreementId"]),
            "provider": str(told.get("counterPartyId") or record["provider"]),
            "negotiation": text,
            "at": time.time(),
        }
        self.records.put(subject, record)
        return record

    def _begin(
        self, subject: str, asked: Mapping[str, str], policy: Policy, check: Callable[[], list[dict[str, str]]]
    ) -> dict[str, Any]:
        documents = check()
        offered, text = self._offered(asked, policy)
        body = self.node.post(self.node.contracts("/v1/contracts"), dict(asked)).body
        found = body.get("contractNegotiationId") if isinstance(body, Mapping) else None
        if not isinstance(found, str) or not found:
            raise ProtocolError("the node began a negotiation without an id", where=self.node.url)
        provider = str(offered.get("providerParticipantId") or asked["providerEndpoint"])
        record = {"id": found, "asked": json.dumps(asked), "offer": text, "provider": provider, "documents": documents}
        self.records.put(subject, record)
        return record

    def _offered(self, asked: Mapping[str, str], policy: Policy) -> tuple[Mapping[str, Any], str]:
        """Return the offer that the provider's connector makes to this node, with the whole answer as text."""
        answer = self.node.post(self.node.contracts("/v1/connectorCatalog/assets"), dict(asked), repeat=True)
        offers = answer.body.get("offers") if isinstance(answer.body, Mapping) else None
        if not isinstance(offers, list):
            raise ProtocolError("the connector's catalogue answered without offers", where=self.node.url)
        ours = [item for item in offers if isinstance(item, Mapping) and item.get("assetId") == asked["assetId"]]
        if not ours:
            raise PolicyRefusal(
                "the provider's connector does not offer this to our node",
                where=asked["assetId"],
                next="ask the provider whether the identity attributes of the node are those that its access policy wants",
            )
        check_catalogue_terms(ours[0], policy, asked["assetId"])
        return ours[0], answer.text

    def _await(self, negotiation: str) -> tuple[Mapping[str, Any], str]:
        url = self.node.contracts(f"/v1/contracts/{quote(negotiation, safe='')}")
        for _ in waits(self.patience, self.sleep):
            answer = self.node.get(url)
            told = answer.body
            if not isinstance(told, Mapping) or not isinstance(told.get("state"), str):
                raise ProtocolError("the node told a negotiation without its state", where=url)
            if told["state"] in _FAILED or (told["state"] in _CONCLUDED and told.get("contractAgreementId")):
                return told, answer.text
        raise SourceError("the contract was not concluded in time", where=self.node.url, next="try again: it goes on from here")
