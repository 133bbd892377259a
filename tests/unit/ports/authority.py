"""A certification authority for tests, and a peer that asks for its certificates: what it issues is real, its keys are small."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates into ``folder``; ``file`` is its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self.name = name
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / f"{name}.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
        )
        own = (
            self._begin(self._subject, self._key, -DAY, DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        )
        self.file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(
        self, name: str, *hosts: str, start: dt.timedelta = -DAY, end: dt.timedelta = DAY, password: str = "", mode: int = 0o600
    ) -> Issued:
        """Issue a certificate for ``hosts`` (names or addresses; none: for a client), valid from ``start`` to ``end`` from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        built = (
            self._begin(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, start, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if hosts:
            built = built.add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False)
        issued = Issued(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        issued.certificate.write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        lock = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        issued.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock))
        issued.key.chmod(mode)
        return issued

    def _begin(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, start: dt.timedelta, end: dt.timedelta
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + start)
            .not_valid_after(now + end)
        )


class Peer:
    """An HTTPS server; ``shown`` has the names on the certificates that its clients showed, None for none."""

    def __init__(self, issued, trusts=None, *, demands=True, answer=b"{}", status="200 OK", versions=()):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(issued.certificate, issued.key)
        if trusts:
            self.context.load_verify_locations(trusts.file)
            self.context.verify_mode = ssl.CERT_REQUIRED if demands else ssl.CERT_OPTIONAL
        for name, version in versions:
            setattr(self.context, name, version)
        self.shown = []
        self.versions = []
        self.failures = []
        self.answer, self.status, self.location = answer, status, ""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            raw.settimeout(5)
            with raw, contextlib.suppress(OSError):
                self._one(raw)

    def _one(self, raw):
        link = self.context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
        try:
            link.do_handshake()
        except ssl.SSLError as error:
            self.failures.append(error.reason)
            plain = socket.socket(fileno=link.detach())
            with plain:  # what was sent after our alert is read, or the kernel throws the alert away
                plain.settimeout(1)
                while plain.recv(65536):
                    pass
            return
        with link:
            subject = dict(entry[0] for entry in (link.getpeercert() or {}).get("subject", ()))
            self.shown.append(subject.get("commonName"))
            self.versions.append(link.version())
            head = b""
            while b"\r\n\r\n" not in head:
                head += link.recv(65536)
            where = f"location: {self.location}\r\n" if self.location else ""
            said = f"HTTP/1.1 {self.status}\r\n{where}content-length: {len(self.answer)}\r\nconnection: close\r\n\r\n"
            link.sendall(said.encode() + self.answer)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
