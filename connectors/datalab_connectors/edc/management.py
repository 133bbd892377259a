"""The management API (v3) of one EDC connector, as far as a consumer needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from datalab.errors import NotFound, ProtocolError, SourceError
from datalab.ports.http import Answer
from datalab_connectors.edc.client import EdcRefused, ManagementClient
from datalab_connectors.edc.protocols import EDC, Spoken
from datalab_connectors.edc.reading import entries_in

_CONTEXT = {"@vocab": EDC}
_ASKED_BACK = 200
_OTHER_PROTOCOL = frozenset((400, 404, 500, 502))


class Management:
    """Speaks for us: to our own connector at ``url``, about the provider ``provider_id`` that it reaches by one of ``ways``."""

    def __init__(
        self, url: str, client: Callable[[], ManagementClient], provider_id: str, ways: Sequence[Spoken], page: int
    ) -> None:
        self.url = url
        self.provider_id = provider_id
        self._client = client
        self._ways = ways
        self._page = page
        self._spoken: Spoken | None = None

    def entries(self) -> Iterator[Mapping[str, Any]]:
        """Yield the datasets of the provider's catalogue, page by page."""
        start, seen = 0, set[str]()
        spoken = self.spoken()
        with self._client() as client:
            while True:
                entries = self._catalogue(client, spoken, start, self._page)
                fresh = [entry for entry in entries if str(entry.get("@id")) not in seen]
                yield from fresh
                seen.update(str(entry.get("@id")) for entry in fresh)
                if not fresh or len(entries) < self._page:
                    return
                start += len(entries)

    def entry(self, dataset_id: str) -> Mapping[str, Any]:
        """Return one dataset of the provider's catalogue."""
        asked = self._about("DatasetRequest", {"@id": dataset_id})
        try:
            found = self._post("/v3/catalog/dataset/request", asked, repeat=True).body
        except EdcRefused as error:
            if "404" not in {error.peer, str(error.status)}:
                raise
            known = (str(entry.get("@id")) for entry in self.entries())
            raise NotFound.among("dataset", dataset_id, known, where=f"the catalogue of {self.provider_id}") from None
        if not isinstance(found, Mapping) or found.get("@id") != dataset_id:
            raise ProtocolError("the management API answered with another dataset", where=dataset_id)
        return found

    def negotiate(self, policy: Mapping[str, Any], mark: str) -> str:
        """Begin a negotiation; return its id. ``mark`` is an address that is never called: by it the negotiation is found again."""
        marked = [{"@type": "CallbackAddress", "uri": mark, "events": ["none"], "transactional": False}]
        return self._begin(
            "/v3/contractnegotiations", self._about("ContractRequest", {"policy": policy, "callbackAddresses": marked})
        )

    def negotiation(self, identifier: str) -> Mapping[str, Any]:
        """Return a negotiation as it stands."""
        return self._state(f"/v3/contractnegotiations/{quote(identifier, safe='')}")

    def marked(self, mark: str) -> str:
        """Return the id of the newest negotiation that was begun under a mark, "" where there is none among the last."""
        asked = {
            "@context": _CONTEXT,
            "@type": "QuerySpec",
            "limit": _ASKED_BACK,
            "sortField": "createdAt",
            "sortOrder": "DESC",
        }
        found = self._post("/v3/contractnegotiations/request", asked, repeat=True).body
        for item in found if isinstance(found, list) else []:
            addresses = item.get("callbackAddresses") if isinstance(item, Mapping) else None
            listed = addresses if isinstance(addresses, list) else [addresses]
            if any(isinstance(address, Mapping) and address.get("uri") == mark for address in listed):
                return str(item.get("@id", ""))
        return ""

    def agreement(self, negotiation: str) -> Answer:
        """Return the agreement of a negotiation, to the letter."""
        return self._get(f"/v3/contractnegotiations/{quote(negotiation, safe='')}/agreement")

    def knows(self, agreement: str) -> bool:
        """Whether the connector still has an agreement."""
        try:
            self._get(f"/v3/contractagreements/{quote(agreement, safe='')}")
        except EdcRefused as error:
            if error.status != 404:
                raise
            return False
        return True

    def order(self, agreement: str, dataset: str, transfer_type: str, destination: Mapping[str, Any] | None = None) -> str:
        """Begin a transfer; return its id."""
        says: dict[str, Any] = {"contractId": agreement, "assetId": dataset, "transferType": transfer_type}
        if destination is not None:
            says["dataDestination"] = {"@type": "DataAddress", **destination}
        return self._begin("/v3/transferprocesses", self._about("TransferRequest", says))

    def transfer(self, identifier: str) -> Mapping[str, Any]:
        """Return a transfer as it stands."""
        return self._state(f"/v3/transferprocesses/{quote(identifier, safe='')}")

    def terminate(self, identifier: str, reason: str) -> None:
        """End a transfer: EDC then takes its tokens back."""
        asked = {"@context": _CONTEXT, "@type": "TerminateTransfer", "reason": reason}
        self._post(f"/v3/transferprocesses/{quote(identifier, safe='')}/terminate", asked)

    def reference(self, transfer: str) -> tuple[str, str]:
        """Return address and token of a started pull (an endpoint data reference)."""
        path = f"/v3/edrs/{quote(transfer, safe='')}/dataaddress"
        body = self._get(path).body
        said: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        address = said.get("endpoint", said.get(f"{EDC}endpoint"))
        token = said.get("authorization", said.get(f"{EDC}authorization"))
        if not isinstance(address, str) or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise ProtocolError("EDC gave a reference without an address or a token", where=self.url + path)
        return address, token

    def spoken(self) -> Spoken:
        """Return the protocol and address that work; the first time they are tried, newest first."""
        if self._spoken is None:
            tried: list[str] = []
            for way in self._ways:
                try:
                    with self._client() as client:
                        self._catalogue(client, way, 0, 1)
                except EdcRefused as error:
                    if error.status not in _OTHER_PROTOCOL:
                        raise
                    tried.append(f"{way.protocol} at {way.address}: {error.what}")
                else:
                    self._spoken = way
                    break
            else:
                raise SourceError(
                    "the provider's catalogue cannot be had under any protocol\n" + "\n".join(tried),
                    where=self.url,
                    next="check provider and provider_id in datalab.toml, and that both connectors speak one protocol",
                )
        return self._spoken

    def _catalogue(self, client: ManagementClient, way: Spoken, start: int, limit: int) -> list[Mapping[str, Any]]:
        pages = {"querySpec": {"@type": "QuerySpec", "offset": start, "limit": limit}}
        asked = self._about("CatalogRequest", pages, way)
        return entries_in(client.post(f"{self.url}/v3/catalog/request", asked, repeat=True).body)

    def _about(self, kind: str, says: Mapping[str, Any], way: Spoken | None = None) -> dict[str, Any]:
        way = way or self.spoken()
        other = {"counterPartyAddress": way.address, "counterPartyId": self.provider_id, "protocol": way.protocol}
        return {"@context": _CONTEXT, "@type": kind, **other, **says}

    def _begin(self, path: str, asked: Mapping[str, Any]) -> str:
        body = self._post(path, asked).body
        found = body.get("@id") if isinstance(body, Mapping) else None
        if not isinstance(found, str) or not found:
            raise ProtocolError("EDC began something without an id", where=self.url + path)
        return found

    def _state(self, path: str) -> Mapping[str, Any]:
        body = self._get(path).body
        if not isinstance(body, Mapping) or not isinstance(body.get("state"), str):
            raise ProtocolError("EDC told something without its state", where=self.url + path)
        return body

    def _get(self, path: str) -> Answer:
        with self._client() as client:
            return client.get(self.url + path)

    def _post(self, path: str, asked: Mapping[str, Any], *, repeat: bool = False) -> Answer:
        with self._client() as client:
            return client.post(self.url + path, asked, repeat=repeat)
