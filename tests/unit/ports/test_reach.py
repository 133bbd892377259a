"""Where a client may go: plain addresses of public hosts, and private ones only by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from datalab.errors import SourceError
from datalab.ports.http import HttpClient, Limits
from datalab.ports.reach import Reach

FAST = Limits(connect=1, idle=0.5, seconds=1.5, attempts=1)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/x", Path("/etc/passwd").as_uri(), "http://", "gopher://x", "http://user:pass@example.org/", "http://a b/",
        "http://[::1", "http://127.0.0.1:99999/", "javascript:alert(1)", "http://example.org/\nHost: x",
    ],
)  # fmt: skip
def test_only_plain_addresses(url):
    with HttpClient(Reach(loopback=True), FAST) as client, pytest.raises(SourceError):
        client.get(url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "192.168.1.1", "172.16.0.1",
        "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "0.0.0.0", "224.0.0.1", "[64:ff9b::a9fe:a9fe]",
        "localhost",
    ],
)  # fmt: skip
def test_private_places_are_out_of_reach_by_default(host):
    with HttpClient(Reach(), FAST) as client, pytest.raises(SourceError, match=r"out of reach|resolved|failed"):
        client.get(f"http://{host}:1/")


def test_a_listed_host_may_be_private_but_not_the_metadata_service():
    reach = Reach(hosts=frozenset({"intranet", "169.254.169.254"}))
    reach.check_address("intranet", "10.1.2.3")
    with pytest.raises(SourceError):
        reach.check_address("169.254.169.254", "169.254.169.254")
    with pytest.raises(SourceError, match="not one of those"):
        reach.check_url("https://example.org/")
