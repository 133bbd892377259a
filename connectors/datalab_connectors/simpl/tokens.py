"""The access token of a node: from a person's login or from client credentials, refreshed before it ends, kept mode 0600.

Keycloak gives a new refresh token with each refresh and takes none twice, so only one process refreshes at a time and the others
find what it got.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datalab.errors import PolicyRefusal, ProtocolError, SourceError
from datalab.ports.http import HttpRefused
from datalab_connectors.processes import alone
from datalab_connectors.simpl.client import NodeClient
from datalab_connectors.simpl.login import Code, obtain_code

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,16384}")
_EARLY = 20.0
"""Seconds before its end from which a token is no longer used."""
_LIFETIME = 60.0
"""Seconds that a token is good for where its answer does not say."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID Connect realm and this lab's client in it. ``secret`` is "" for a public client."""

    issuer: str
    client_id: str
    secret: str
    scope: str
    port: int = 0

    def endpoint(self, name: str) -> str:
        """Return an endpoint of the realm, as Keycloak lays them out: ``auth``, ``token`` or ``logout``."""
        return f"{self.issuer}/protocol/openid-connect/{name}"

    def __repr__(self) -> str:
        return f"Provider({self.issuer!r}, {self.client_id!r})"


@dataclass(frozen=True, slots=True)
class Tokens:
    """An access token and its refresh token ("" without one); ``until`` is when it ends, in seconds since the epoch."""

    issuer: str
    access: str
    refresh: str
    until: float

    def __repr__(self) -> str:
        return f"Tokens({self.issuer!r}, until={self.until:.0f})"


class Wallet:
    """The tokens of one connector, in ``folder``."""

    def __init__(self, provider: Provider, folder: Path, client: Callable[[], NodeClient], login: str) -> None:
        self._provider = provider
        self._path = folder / "tokens.json"
        self._client = client
        self._login = login

    def token(self, *, refused: str = "") -> str:
        """Return an access token; not the one that was ``refused``. Raise ``SourceError`` where somebody has to log in."""
        held = self._held()
        if held is not None and held.access != refused and time.time() < held.until - _EARLY:
            return held.access
        with alone(self._path.with_suffix(".lock")):
            held = self._held()  # another process may have refreshed it meanwhile
            if held is not None and held.access != refused and time.time() < held.until - _EARLY:
                return held.access
            return self._keep(self._renewed(held)).access

    def log_in(self, show: Callable[[str], None], *, seconds: float = 300.0) -> float:
        """Log a person in; return how many seconds the token is good for."""
        realm = self._provider
        code = obtain_code(
            realm.endpoint("auth"), realm.issuer, realm.client_id, realm.scope, show, port=realm.port, seconds=seconds
        )
        with alone(self._path.with_suffix(".lock")):
            return self._keep(self._redeemed(code)).until - time.time()

    def log_out(self) -> bool:
        """Forget the tokens, and end the session at the identity provider if it can be reached; False: there were none."""
        with alone(self._path.with_suffix(".lock")):
            held = self._held()
            self._path.unlink(missing_ok=True)
        if held is None:
            return False
        if held.refresh:
            with contextlib.suppress(SourceError), self._client() as client:
                client.form(self._provider.endpoint("logout"), self._named({"refresh_token": held.refresh}), (held.refresh,))
        return True

    def _renewed(self, held: Tokens | None) -> Tokens:
        if held is not None and held.refresh:
            try:
                return self._asked(
                    {"grant_type": "refresh_token", "refresh_token": held.refresh}, (held.refresh,), held.refresh
                )
            except HttpRefused as error:
                if error.status not in {400, 401}:
                    raise
        if self._provider.secret:
            return self._asked({"grant_type": "client_credentials", "scope": self._provider.scope})
        what = "the login has ended" if held is not None else "nobody is logged in"
        raise SourceError(f"{what} at the node", where=self._provider.issuer, next=f"datalab login {self._login}")

    def _redeemed(self, code: Code) -> Tokens:
        said = {
            "grant_type": "authorization_code",
            "code": code.value,
            "code_verifier": code.verifier,
            "redirect_uri": code.redirect,
        }
        return self._asked(said, (code.value, code.verifier))

    def _asked(self, said: Mapping[str, str], secrets: tuple[str, ...] = (), refresh: str = "") -> Tokens:
        with self._client() as client:
            try:
                body = client.form(self._provider.endpoint("token"), self._named(said), (*secrets, self._provider.secret))
            except HttpRefused as error:
                if error.status in {400, 401, 403} and said["grant_type"] != "refresh_token":
                    raise PolicyRefusal(
                        error.what, where=error.where, next="check client_id and secret of the connector"
                    ) from None
                raise
        return _tokens(self._provider.issuer, body.body, refresh)

    def _named(self, said: Mapping[str, str]) -> dict[str, str]:
        secret = {"client_secret": self._provider.secret} if self._provider.secret else {}
        return {**said, "client_id": self._provider.client_id, **secret}

    def _held(self) -> Tokens | None:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            held = Tokens(**json.loads(self._path.read_text("utf-8")))
            if held.issuer == self._provider.issuer and _TOKEN.fullmatch(held.access):
                return held
        return None

    def _keep(self, tokens: Tokens) -> Tokens:
        """Write the tokens for the next process; whole or not at all, and for this user only."""
        with tempfile.NamedTemporaryFile("w", dir=self._path.parent, prefix=".tokens-", delete=False) as stream:
            json.dump(asdict(tokens), stream)  # made with mode 0600
        os.replace(stream.name, self._path)  # noqa: PTH105  a str from tempfile
        return tokens


def _tokens(issuer: str, body: Any, refresh: str) -> Tokens:
    said: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    access, renewed, seconds = said.get("access_token"), said.get("refresh_token", refresh), said.get("expires_in", _LIFETIME)
    if not isinstance(access, str) or not _TOKEN.fullmatch(access) or str(said.get("token_type", "bearer")).lower() != "bearer":
        raise ProtocolError("the identity provider answered without a bearer token", where=issuer)
    lasting = float(seconds) if isinstance(seconds, int | float) and 0 < seconds < 1e8 else _LIFETIME
    kept = renewed if isinstance(renewed, str) and _TOKEN.fullmatch(renewed) else ""
    # A token whose whole life is shorter than the safety margin would never be used.
    return Tokens(issuer, access, kept, time.time() + max(lasting, _EARLY + 1.0))
