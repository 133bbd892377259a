"""A provider inside the test process, in parts, and a server for whatever application stands before it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import SimpleNamespace


@contextlib.contextmanager
def provider_parts(folder, holdings):
    """Make a provider that is not served yet: listener, url, shelf, store, client, side, exchange, post (not started)."""
    from datalab_connectors.dsp.exchange import Exchange
    from datalab_connectors.dsp.post import Post
    from datalab_connectors.dsp.store import Store
    from datalab_connectors.dsp.transitions import PROVIDER
    from datalab_connectors.sandbox.provider import sandbox_provider
    from datalab_connectors.sandbox.shelf import read_shelf

    from datalab.ports.http import HttpClient, Limits, Reach

    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    shelf, store = read_shelf([holdings]), Store(folder / "provider.sqlite")
    reach = Reach(frozenset({"127.0.0.1"}), loopback=True)
    client = HttpClient(reach, Limits(connect=1, idle=2, seconds=5, attempts=1))
    side = sandbox_provider(shelf, store, reach, f"{url}/2025-1", 60.0, client)
    exchange = Exchange(PROVIDER, store, side, f"{url}/2024-1")
    post = Post(store, client, exchange.act)
    exchange.wake = post.wake
    yield SimpleNamespace(
        listener=listener, url=url, shelf=shelf, store=store, client=client, side=side, exchange=exchange, post=post
    )
    if post._thread.is_alive():
        post.stop()
    client.close()
    store.close()
    listener.close()


@contextlib.contextmanager
def served(application, listener):
    """Serve an application until the block ends."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(application, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield
    server.should_exit = True
    thread.join()
