"""The hardened client as a pull under a reference needs it: the grant goes out as it was given."""

from __future__ import annotations

from datalab.ports.http import HttpClient


class GrantedClient(HttpClient):
    """A client that sends one ``Authorization`` value as it was given, whatever its scheme; make it with ``redirects=0``."""

    def _credentials(self, token: str) -> dict[str, str]:
        return {"authorization": token} if token else {}
