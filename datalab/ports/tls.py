"""TLS as the lab's clients speak it: whom they believe, and who they say they are where a peer asks (mutual TLS).

Nothing of a private key or its password is in any message. There is no switch that turns verification off.
"""

from __future__ import annotations

import functools
import os
import ssl
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

from datalab.errors import SettingsError, SourceError
from datalab.ports.validity import check_dates

TLS_KEYS: Mapping[str, type] = {
    "client_certificate": str, "client_key": str, "client_key_password_env": str, "ca_file": str, "tls_hosts": list,
}  # fmt: skip
"""What a connector's table may say about TLS."""
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
_NO_NAME = frozenset((62, 64))
"""OpenSSL's verdicts that a certificate is for another host name, or another address (X509_V_ERR_HOSTNAME_MISMATCH, …IP_ADDRESS…)."""
_EXPIRED = 10


@dataclass(frozen=True, slots=True)
class Tls:
    """What one connector says about TLS, for ``hosts`` and no others; everywhere else the public authorities count, and no certificate is shown.

    ``ca_file`` holds the authorities to believe instead of the public ones. ``key`` is "" where the file of the certificate holds it.
    ``password_env`` names the environment variable with the key's password.
    """

    hosts: frozenset[str] = frozenset()
    certificate: str = ""
    key: str = ""
    password_env: str = ""
    ca_file: str = ""
    where: str = field(default="", compare=False)

    @classmethod
    def read(cls, table: Mapping[str, Any], addresses: Iterable[str], where: str) -> Self:
        """Read the TLS keys of a connector's table; it speaks to the hosts of ``addresses`` and to ``tls_hosts``."""
        said = {key: table[key] for key in TLS_KEYS if key in table}
        for key, value in said.items():
            if type(value) is not TLS_KEYS[key] or not value:
                words = "a list of hosts" if TLS_KEYS[key] is list else "text in quotes"
                raise SettingsError(f"{key!r} must be {words}", where=where)
        if not said:
            return cls()
        for key, needs in (("client_key", "client_certificate"), ("client_key_password_env", "client_certificate")):
            if key in said and needs not in said:
                raise SettingsError(f"{key} stands without {needs}", where=where, next=f'write {needs} = "PATH.pem"')
        if not said.keys() & {"client_certificate", "ca_file"}:
            raise SettingsError(
                "tls_hosts stands without what is for them", where=where, next="write ca_file, or client_certificate"
            )
        named = [parts for address in addresses if (parts := urlsplit(address)).hostname]
        plain = [parts.hostname for parts in named if parts.scheme != "https" and parts.hostname not in _LOOPBACK]
        if plain:
            raise SettingsError(f"{plain[0]} is not spoken to by TLS", where=where, next="write its address with https")
        hosts = [*(parts.hostname or "" for parts in named), *map(str, said.get("tls_hosts", ()))]
        if not any(hosts):
            raise SettingsError("no host is named that the certificates are for", where=where, next='write tls_hosts = ["…"]')
        return cls(
            frozenset(map(_wire, filter(None, hosts))),
            str(said.get("client_certificate", "")),
            str(said.get("client_key", "")),
            str(said.get("client_key_password_env", "")),
            str(said.get("ca_file", "")),
            where,
        )

    def covers(self, host: str) -> bool:
        """Return whether this is what to say to ``host``."""
        return _wire(host) in self.hosts

    def context(self) -> ssl.SSLContext:
        """Return the context for ``hosts``; raise ``SettingsError`` for files that will not do. A renewed file is read anew."""
        files = [(key, Path(name).expanduser()) for key, name in self._files() if name]
        stamps = tuple(_stamp(key, path, self.where) for key, path in files)
        if self.certificate:
            check_dates(Path(self.certificate).expanduser(), self._at("client_certificate"))
        return _context(self, stamps)

    def _files(self) -> tuple[tuple[str, str], ...]:
        return (("client_certificate", self.certificate), ("client_key", self.key), ("ca_file", self.ca_file))

    def _at(self, key: str) -> str:
        path = dict(self._files()).get(key, self.password_env)
        return f"{self.where}, {key}: {path}".removeprefix(", ")

    def _build(self) -> ssl.SSLContext:
        if self.ca_file:
            try:
                context = ssl.create_default_context(cafile=Path(self.ca_file).expanduser())
            except ssl.SSLError:
                raise SettingsError(
                    "the file holds no certificate in PEM form", where=self._at("ca_file"), next="ask the authority for one"
                ) from None
        else:
            context = _new_public()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate:
            self._load_key(context)
        return context

    def _load_key(self, context: ssl.SSLContext) -> None:
        holder = "client_key" if self.key else "client_certificate"
        path = Path(self.key or self.certificate).expanduser()
        _check_private(path, self._at(holder))
        asked = False

        def password() -> str:
            nonlocal asked
            asked = True
            value = os.environ.get(self.password_env, "") if self.password_env else ""
            if not value:
                raise SettingsError(
                    "the private key is encrypted"
                    + (f", and the environment has no {self.password_env}" if self.password_env else ""),
                    where=self._at(holder),
                    next="set it to the key's password"
                    if self.password_env
                    else 'write client_key_password_env = "NAME", an environment variable with its password; for S3 store it without one',
                )
            return value

        try:
            context.load_cert_chain(Path(self.certificate).expanduser(), path, password)
        except ssl.SSLError as error:
            if error.reason in {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"}:
                self._fail(
                    "the private key does not belong to the client certificate", holder, "name the key that it was issued for"
                )
            if asked:
                self._fail("the private key does not open with its password", holder, f"check {self.password_env}")
            self._fail("the file holds no private key in PEM form", holder, "name the key in client_key")

    def _fail(self, what: str, key: str, next: str) -> NoReturn:
        raise SettingsError(what, where=self._at(key), next=next) from None


@functools.cache
def public() -> ssl.SSLContext:
    """Return the one context of the process for the public authorities: reading them takes longer than a negotiation."""
    return _new_public()


def handshake_failure(error: BaseException, host: str, tls: Tls) -> SourceError | None:
    """Return what went wrong between the two sides' certificates, in words; None where it was something else."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, ssl.SSLError):
        found = found.__cause__ or found.__context__  # the pool of httpcore takes the cause away
    if found is None:
        return None
    if isinstance(found, ssl.SSLCertVerificationError):
        code, said = found.verify_code, found.verify_message
        if code in _NO_NAME:
            advice = "check the address in datalab.toml"
        elif code == _EXPIRED:
            advice = "tell whoever runs it"
        elif tls.covers(host) and tls.ca_file:
            advice = "check that ca_file holds the authority that issued it"
        else:
            advice = "if its authority is a private one, name that authority's certificate in ca_file"
        return SourceError(f"the certificate of {host} is not accepted: {said[:200]}", where=host, next=advice)
    reason = found.reason or ""
    if reason in {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SSL_VERSION"}:
        return SourceError("the peer does not speak TLS 1.2 or later", where=host, next="tell whoever runs it")
    shows = bool(tls.covers(host) and tls.certificate)
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason or "HANDSHAKE_FAILURE" in reason):
        said = reason.partition("ALERT_")[2].replace("_", " ").lower()
        if shows:
            return SourceError(
                f"the peer does not take the client certificate: {said}",
                where=host,
                next="ask whoever runs it which authority it trusts",
            )
        return SourceError(
            f"the peer demands a client certificate: {said}",
            where=host,
            next="name it in client_certificate; for a host other than the connector's own, also in tls_hosts",
        )
    return None


@functools.lru_cache(maxsize=32)
def _context(tls: Tls, stamps: tuple[tuple[int, int, int], ...]) -> ssl.SSLContext:  # noqa: ARG001 - part of the key
    return tls._build()  # noqa: SLF001


def _new_public() -> ssl.SSLContext:
    import httpx

    context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _stamp(key: str, path: Path, where: str) -> tuple[int, int, int]:
    """Return what changes when a file does; raise ``SettingsError`` where it cannot be read."""
    try:
        with path.open("rb") as stream:
            found = os.fstat(stream.fileno())
    except OSError as error:
        raise SettingsError(
            f"the file cannot be read: {error.strerror}",
            where=f"{where}, {key}: {path}",
            next="check the path and who may read it",
        ) from None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _check_private(path: Path, where: str) -> None:
    """Refuse a key of ours that others on this machine can read, as ssh does; one that belongs to another account is its owner's affair."""
    found = path.stat()
    if found.st_uid == os.getuid() and found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(
            f"others on this machine can read the private key (mode {stat.S_IMODE(found.st_mode):04o})",
            where=where,
            next=f"chmod 600 {path}",
        )


def _wire(host: str) -> str:
    """Return a host as it is spoken of on the wire."""
    try:
        return host.encode("idna").decode().lower() if not host.isascii() else host.lower()
    except UnicodeError:
        return host.lower()
