"""The identity provider of the sandbox: a realm in the shape of Keycloak's that knows no passwords, for trying a login.

It checks what a client can get wrong (redirect, state of a code, PKCE, secret, a refresh token used twice) and nobody's identity.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

REALM = "/auth/realms/participant"
PUBLIC_CLIENT = "frontend-cli"
CLIENT = "datalab"
CLIENT_SECRET = "sandbox-only"  # noqa: S105  it opens a sandbox on loopback, and the documentation names it
_LARGEST = 16 << 10
_MOST = 1000
_CODE_SECONDS = 60.0


class Realm:
    """Codes and tokens, in memory: a restart ends every login. ``seconds`` is how long an access token is good for."""

    def __init__(self, seconds: float = 300.0) -> None:
        self.seconds = seconds
        self._codes: dict[str, tuple[str, str, str, float]] = {}
        self._access: dict[str, float] = {}
        self._refresh: dict[str, str] = {}

    def takes(self, request: Request) -> bool:
        """Whether a request carries an access token of this realm that has not ended."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._access.get(token, 0.0) > time.time()

    def routes(self) -> list[Route]:
        """Return the endpoints of the realm."""
        base = f"{REALM}/protocol/openid-connect"
        return [
            Route(f"{base}/auth", self._authorise, methods=["GET"]),
            Route(f"{base}/token", self._token, methods=["POST"]),
            Route(f"{base}/logout", self._logout, methods=["POST"]),
        ]

    async def _authorise(self, request: Request) -> Response:
        asked = request.query_params
        redirect = asked.get("redirect_uri", "")
        if asked.get("client_id") != PUBLIC_CLIENT or urlsplit(redirect).hostname != "127.0.0.1":
            return _refusal(400, "invalid_request", "unknown client or redirect")  # never redirect to a stranger
        if (
            asked.get("response_type") != "code"
            or asked.get("code_challenge_method") != "S256"
            or not asked.get("code_challenge")
        ):
            said = {"error": "invalid_request", "error_description": "this realm wants a code with PKCE (S256)"}
        else:
            code = secrets.token_urlsafe(24)
            _forget(self._codes)
            self._codes[code] = (PUBLIC_CLIENT, redirect, asked["code_challenge"], time.time() + _CODE_SECONDS)
            said = {"code": code}
        state = {"state": asked["state"]} if "state" in asked else {}
        return RedirectResponse(f"{redirect}?{urlencode({**said, **state})}", status_code=302)

    async def _token(self, request: Request) -> Response:
        asked = await _form(request)
        client = asked.get("client_id", "")
        if client == CLIENT and not hmac.compare_digest(asked.get("client_secret", "").encode(), CLIENT_SECRET.encode()):
            return _refusal(401, "unauthorized_client", "Invalid client or Invalid client credentials")
        match asked.get("grant_type"):
            case "authorization_code":
                return self._redeem(asked)
            case "refresh_token":
                if self._refresh.pop(asked.get("refresh_token", ""), None) != client:
                    return _refusal(400, "invalid_grant", "Token is not active")
                return self._give(client, refresh=True)
            case "client_credentials" if client == CLIENT:
                return self._give(client, refresh=False)
        return _refusal(400, "unsupported_grant_type", "Unsupported grant_type")

    async def _logout(self, request: Request) -> Response:
        self._refresh.pop((await _form(request)).get("refresh_token", ""), None)
        return JSONResponse({})

    def _redeem(self, asked: Mapping[str, str]) -> Response:
        client, redirect, challenge, until = self._codes.pop(asked.get("code", ""), ("", "", "", 0.0))
        digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        proven = hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)
        if not proven or until < time.time() or (client, redirect) != (asked.get("client_id"), asked.get("redirect_uri")):
            return _refusal(400, "invalid_grant", "Code not valid")
        return self._give(client, refresh=True)

    def _give(self, client: str, *, refresh: bool) -> Response:
        access, renewed = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        _forget(self._access)
        self._access[access] = time.time() + self.seconds
        body = {"access_token": access, "token_type": "Bearer", "expires_in": self.seconds}
        if refresh:
            _forget(self._refresh)
            self._refresh[renewed] = client
            body["refresh_token"] = renewed
        return JSONResponse(body, headers={"cache-control": "no-store"})


def _forget(held: dict[str, object] | dict[str, float] | dict[str, str] | dict[str, tuple[str, str, str, float]]) -> None:
    """Forget the oldest of too many."""
    while len(held) >= _MOST:
        held.pop(next(iter(held)))


async def _form(request: Request) -> dict[str, str]:
    raw = b""
    async for block in request.stream():
        raw += block
        if len(raw) > _LARGEST:
            return {}
    return {key: values[0] for key, values in parse_qs(raw.decode("utf-8", "replace"), max_num_fields=40).items()}


def _refusal(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=status)
