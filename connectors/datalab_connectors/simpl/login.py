"""Logging in at the node's identity provider: OpenID Connect, authorization code with PKCE (RFC 7636), on a loopback redirect (RFC 8252).

The listener takes exactly one answer, the one with our state; everything else that finds the port gets a 404.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import html
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from datalab.errors import PolicyRefusal, SourceError, UsageError

_HOST = "127.0.0.1"
_PATH = "/callback"
_PAGE = "<!doctype html><meta charset='utf-8'><title>datalab</title><p>{}</p><p>This window can be closed.</p>"


@dataclass(frozen=True, slots=True)
class Code:
    """What a successful login gave: the code, and what is needed to redeem it."""

    value: str
    verifier: str
    redirect: str

    def __repr__(self) -> str:
        return f"Code(redirect={self.redirect!r})"


def obtain_code(
    endpoint: str,
    issuer: str,
    client_id: str,
    scope: str,
    show: Callable[[str], None],
    *,
    port: int = 0,
    seconds: float = 300.0,
) -> Code:
    """Let a person log in at ``endpoint`` in a browser; ``show`` gets the address to open.

    Raise ``PolicyRefusal`` where the identity provider says no, ``SourceError`` where nobody logs in within ``seconds``.
    """
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    answers: list[dict[str, str]] = []
    with _Listener(port, state, answers) as listener:
        redirect = f"http://{_HOST}:{listener.server_port}{_PATH}"
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect,
            "scope": scope,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        show(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}")
        deadline = time.monotonic() + seconds
        while not answers:
            left = deadline - time.monotonic()
            if left <= 0:
                raise SourceError(f"nobody logged in within {seconds:.0f} seconds", next="do it again")
            listener.timeout = min(left, 1.0)
            listener.handle_request()
    answer = answers[0]
    if answer.get("iss") and answer["iss"].rstrip("/") != issuer.rstrip("/"):  # RFC 9207: somebody else's answer
        raise SourceError("the answer came from another identity provider than the one asked", where=issuer)
    if "error" in answer or not answer.get("code"):
        said = " ".join(filter(None, (answer.get("error"), answer.get("error_description")))) or "no code came"
        raise PolicyRefusal(f"the login was refused: {said[:200]}", where=issuer)
    return Code(answer["code"], verifier, redirect)


class _Listener(HTTPServer):
    """Listens on loopback for the browser to come back."""

    def __init__(self, port: int, state: str, answers: list[dict[str, str]]) -> None:
        try:
            super().__init__((_HOST, port), _Answer)
        except OSError as error:
            raise UsageError(f"port {port} cannot be listened on: {error.strerror}", next="change redirect_port") from None
        self.state = state
        self.answers = answers

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Say nothing: whoever broke off may come again."""


class _Answer(BaseHTTPRequestHandler):
    """Reads one request; the browser's, or a stranger's, who does not keep the browser waiting for longer than ``timeout``."""

    timeout = 5.0
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self._late = threading.Timer(self.timeout, self._cut)
        self._late.daemon = True
        self._late.start()

    def finish(self) -> None:
        self._late.cancel()
        super().finish()

    def _cut(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RD)

    def do_GET(self) -> None:
        parts = urlsplit(self.path[:8192])
        said = {key: values[0] for key, values in parse_qs(parts.query, max_num_fields=20).items()}
        ours = parts.path == _PATH and hmac.compare_digest(said.get("state", "").encode(), self.server.state.encode())
        if ours and not self.server.answers:
            self.server.answers.append(said)
        text = ("The login failed." if "error" in said else "You are logged in.") if ours else "Nothing is expected here."
        body = _PAGE.format(html.escape(text)).encode()
        self.send_response(200 if ours else 404)
        for name, value in (
            ("content-type", "text/html; charset=utf-8"),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: the request line carries the code."""
