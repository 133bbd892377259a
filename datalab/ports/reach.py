"""How far the lab's HTTP client reaches: which hosts, which address ranges, and for how long.

Addresses in messages come from a counterparty, and names can resolve to anything. So the address is checked where the
connection is made, after the name was resolved, and the connection goes to exactly the address that was checked.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
import typing
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpcore

from datalab.errors import SourceError
from datalab.ports.tls import Tls

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_READ = 120 << 10
"""Bytes; beyond 128 KiB the allocator asks the kernel for every block."""
_RECORD = 16 << 10
"""Bytes of the longest TLS record."""
_METADATA = frozenset(
    map(ipaddress.ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"))
)
"""Where clouds tell a machine its secrets, besides the link-local address: Alibaba, Azure, Oracle, AWS, Google."""
_SITE_LOCAL = ipaddress.IPv6Network("fec0::/10")
"""The private range before RFC 3879, which the standard library takes for global."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a client may go.

    ``hosts`` are the only hosts allowed, and they may stand in a private range; without any, every public host is.
    ``loopback`` opens this machine's own addresses. Link-local, multicast and unspecified addresses and the metadata services of
    clouds are never reached. ``tls`` says who the client is there, and whom it believes.
    """

    hosts: frozenset[str] = frozenset()
    loopback: bool = False
    tls: Tls = field(default_factory=Tls)

    def check_url(self, url: str) -> None:
        """Raise ``SourceError`` for a URL that is not plain http(s) to a host within reach."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            parts, host = urlsplit(""), ""
        if parts.scheme not in {"http", "https"} or not host or any(ord(sign) <= 32 for sign in url):
            raise SourceError("only http and https addresses are fetched", where=shown(url))
        if parts.username or parts.password:
            raise SourceError("an address must not carry credentials", where=shown(url))
        if self.hosts and host not in self.hosts and not (self.loopback and _is_loopback(host)):
            raise SourceError(f"the host {host!r} is not one of those allowed", where=shown(url), next=_SETTING)

    def check_address(self, host: str, address: str) -> None:
        """Raise ``SourceError`` for an address that ``host`` resolved to and that is out of reach."""
        real = _real(ipaddress.ip_address(address.partition("%")[0]))
        if real.is_loopback:
            allowed = self.loopback
        elif real.is_link_local or real.is_multicast or real.is_unspecified or real.is_reserved or real in _METADATA:
            allowed = False
        else:
            allowed = (real.is_global and not (real.version == 6 and real in _SITE_LOCAL)) or host in self.hosts
        if not allowed:
            raise SourceError(f"the host {host!r} stands at an address that is out of reach ({real})", next=_SETTING)


_SETTING = "list it under hosts in datalab.toml (the connector's table, or [publish]) if it is meant to be reached"


def shown(url: str) -> str:
    """Return a URL as it may be shown: without credentials, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(an address that cannot be read)"
    return f"{parts.scheme}://{host}{port}{parts.path}"[:200]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _real(address: Address) -> Address:
    """Return the IPv4 address inside an IPv6 one that carries it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        teredo = address.teredo[1] if address.teredo else None
        return address.ipv4_mapped or address.sixtofour or teredo or address
    return address


class Deadline(threading.local):
    """The moment (monotonic seconds) by which the request of this thread must be over."""

    at: float = float("inf")

    def left(self, timeout: float | None) -> float:
        """Return the seconds that one network operation may take; raise ``ReadTimeout`` when there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time allowed is over")
        return left if timeout is None else min(timeout, left)


class GuardedBackend(httpcore.NetworkBackend):
    """Opens connections only to checked addresses; no operation outlives the deadline of its request."""

    def __init__(self, reach: Reach, deadline: Deadline) -> None:
        self._reach = reach
        self._deadline = deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[typing.Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve, check every address, connect to the first that answers."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host!r} cannot be resolved: {error}") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            self._reach.check_address(host, address)
        failure: Exception = httpcore.ConnectError(f"{host!r} has no address")
        for address in addresses:
            try:
                stream = self._inner.connect_tcp(address, port, self._deadline.left(timeout), local_address, socket_options)
                return Stream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class Stream(httpcore.NetworkStream):
    """A connection whose every read and write ends by the deadline: a peer that drips bytes gains no time."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, more than asked for where it is: what is done per read costs more than the bytes."""
        return self._inner.read(max(max_bytes, _READ), self._deadline.left(timeout))

    def gather(self, view: memoryview, timeout: float) -> int:
        """Read into ``view`` what is there, waiting for the first of it; return how much that is, 0 at the end."""
        link = self._inner.get_extra_info("socket")
        try:
            if (left := self._deadline.left(timeout)) != link.gettimeout():  # to set it is a system call
                link.settimeout(left)
            count = size = int(link.recv_into(view))
            if isinstance(link, ssl.SSLSocket):  # it gives one record at a time
                link.settimeout(0)
                while size == _RECORD and count < len(view):
                    size = int(link.recv_into(view[count:]))
                    count += size
        except TimeoutError:
            raise httpcore.ReadTimeout("nothing came in the time allowed") from None
        except ssl.SSLWantReadError:
            pass
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error
        return count

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it."""
        self._inner.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Go on under TLS."""
        return Stream(self._inner.start_tls(ssl_context, server_hostname, self._deadline.left(timeout)), self._deadline)

    def get_extra_info(self, info: str) -> typing.Any:
        """Return what the connection below knows."""
        return self._inner.get_extra_info(info)
