"""Listening where others reach us, and what is told where that cannot be."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest
from datalab_connectors.doorstep import Doorstep, Serving, listen
from datalab_connectors.processes import alive, alone

from datalab.errors import UsageError


def test_the_address_that_others_are_told():
    assert Doorstep().reached(81) == "http://127.0.0.1:81"
    assert Doorstep("::1").reached(81) == "http://[::1]:81"
    assert Doorstep("0.0.0.0", 80, "https://lab.example/").reached(80) == "https://lab.example"


def test_a_port_that_is_taken_is_told_or_another_is_taken():
    with listen(Doorstep(), "the callback address") as first:
        door = Doorstep(port=first.getsockname()[1])
        with pytest.raises(UsageError, match="the callback address cannot be listened on") as caught:
            listen(door, "the callback address")
        assert (str(door.port) in caught.value.where, "change listen" in caught.value.next) == (True, True)
        with listen(door, "the callback address", elsewhere=True) as other:
            assert other.getsockname()[1] != door.port


def test_a_host_that_is_not_ours_is_told():
    with pytest.raises(UsageError, match="cannot be listened on"):
        listen(Doorstep("192.0.2.1"), "the landing address", elsewhere=True)


def test_what_is_served_is_served_until_it_is_closed():
    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    ended = threading.Event()
    serving = Serving(application, listen(Doorstep(), "x"), "doorstep-test", ended=ended.set)
    assert httpx.get(Doorstep().reached(serving.port)).status_code == 204
    serving.close(wait=5)
    assert ended.is_set()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", serving.port), timeout=1).close()


def test_a_process_that_ended_is_not_alive():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert [alive(pid) for pid in (os.getpid(), child.pid, 0)] == [True, False, False]


def test_one_at_a_time(tmp_path):
    order = []

    def work(name):
        with alone(tmp_path / "state" / "a.lock"):
            order.append(name)
            time.sleep(0.05)
            order.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "".join(order) in {"aabb", "bbaa"}
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
