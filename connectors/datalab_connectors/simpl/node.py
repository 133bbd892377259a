"""One participant node behind its gateway: where its services stand, and asking them with the token that is valid now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from datalab.errors import SourceError
from datalab.ports.http import Answer, HttpRefused
from datalab_connectors.simpl.client import NodeClient, Problem
from datalab_connectors.simpl.tokens import Wallet

_TURTLE = 8 << 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the gateway of a node routes to its services; each may be a full address of its own."""

    search: str = "/xfsc-advsearch-be"
    contracts: str = "/contract-consumption"
    catalogue: str = "/fc-service"


class Node:
    """Asks a node's services. ``wallet`` is None where the node wants no login (a sandbox, or behind the gateway)."""

    def __init__(
        self, url: str, paths: Paths, client: Callable[[], NodeClient], wallet: Wallet | None, login: str = ""
    ) -> None:
        self.url = url.rstrip("/")
        self._paths = paths
        self._client = client
        self._wallet = wallet
        self._login = login

    def search(self, path: str) -> str:
        """Return an address of the catalogue search."""
        return self._at(self._paths.search, path)

    def contracts(self, path: str) -> str:
        """Return an address of the contract consumption."""
        return self._at(self._paths.contracts, path)

    def catalogue(self, path: str) -> str:
        """Return an address of the federated catalogue itself."""
        return self._at(self._paths.catalogue, path)

    def get(self, url: str) -> Answer:
        """Return the JSON at an address of the node."""
        return self._asked(lambda client, token: client.get(url, token=token))

    def post(self, url: str, body: Any, *, repeat: bool = False) -> Answer:
        """Send JSON to the node. Without ``repeat`` it is sent again only where it certainly did not arrive."""
        return self._asked(lambda client, token: client.post(url, body, token=token, repeat=repeat))

    def schemas(self, resource: str = "DATA") -> list[Mapping[str, Any]]:
        """Return the schemas that offerings are described by (``schemaId``, ``version``, ``title`` …)."""
        body = self.get(self.search(f"/v2/schemas?resourceType={quote(resource)}")).body
        found = body.get("schemas") if isinstance(body, Mapping) else body
        return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []

    def schema(self, schema_id: str, version: str = "") -> str:
        """Return one schema: SHACL shapes in Turtle; of one ``version``, or the current one."""
        path = f"/v2/schemas/{quote(schema_id, safe='')}/{quote(version, safe='') if version else 'content'}"

        def read(client: NodeClient, token: str) -> str:
            found = client.read(self.search(path), limit=_TURTLE, accept="text/turtle", token=token)
            return found.data.decode("utf-8", errors="replace")

        return self._asked(read)

    def _asked(self, ask: Callable[[NodeClient, str], T]) -> T:
        """Ask with a token; where it is no longer taken, once more with a new one."""
        token = self._wallet.token() if self._wallet else ""
        with self._client() as client:
            try:
                return ask(client, token)
            except HttpRefused as error:
                if error.status != 401 or self._wallet is None:
                    raise self._told(error) from None
            try:
                return ask(client, self._wallet.token(refused=token))
            except HttpRefused as error:
                raise self._told(error) from None

    def _told(self, error: HttpRefused) -> SourceError:
        """Say what to do about a refusal that has a remedy."""
        if error.status == 401:
            error.next = (
                f"datalab login {self._login}" if self._wallet else "the node wants a login: set issuer in datalab.toml"
            )
        elif error.status == 403:
            error.next = "ask the node's operator for the role that this needs"
        elif isinstance(error, Problem) and error.status >= 500:
            error.next = "try again later; the node's operator sees more in its log"
        return error

    def _at(self, prefix: str, path: str) -> str:
        base = prefix.rstrip("/") if prefix.startswith(("http://", "https://")) else f"{self.url}{prefix.rstrip('/')}"
        return f"{base}{path}"
