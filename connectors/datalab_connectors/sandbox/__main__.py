"""``python -m datalab_connectors.sandbox --state DIR --port N [--holdings DIR]``: serve until told to stop."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from pathlib import Path

from datalab.errors import DatalabError
from datalab_connectors.doorstep import HOST, Doorstep, listen
from datalab_connectors.sandbox.server import check_host, record

ALREADY_RUNNING = 3


def main(arguments: list[str] | None = None) -> int:
    """Run the server; return its exit code."""
    parser = argparse.ArgumentParser(prog="datalab_connectors.sandbox", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder for negotiations, transfers, log")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--any-port", action="store_true", help="take another port where this one is taken")
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--address", default="", help="what others call it by where something stands in front of it")
    parser.add_argument("--token-env", default="", help="variable of the environment with the token that it shows to consumers")
    parser.add_argument("--holdings", type=Path, action="append", default=[], help="folder of holdings; may be repeated")
    parser.add_argument("--page-size", type=int, default=50)
    parser.add_argument("--token-seconds", type=float, default=900.0)
    options = parser.parse_args(arguments)
    try:
        check_host(options.host)
        return _serve(options)
    except DatalabError as error:
        print(error, file=sys.stderr)  # noqa: T201  this is a command
        return error.exit_code


def _serve(options: argparse.Namespace) -> int:
    from datalab.ports import listening
    from datalab.ports.http import HttpClient, Limits, Reach
    from datalab_connectors.dsp.exchange import Exchange
    from datalab_connectors.dsp.post import Post
    from datalab_connectors.dsp.store import Store
    from datalab_connectors.dsp.transitions import PROVIDER
    from datalab_connectors.sandbox.app import build
    from datalab_connectors.sandbox.consumption import ConsumerNode
    from datalab_connectors.sandbox.provider import sandbox_provider
    from datalab_connectors.sandbox.shelf import OWN, read_shelf

    state: Path = options.state
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (state / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("a sandbox runs with this state already", file=sys.stderr)  # noqa: T201
        return ALREADY_RUNNING
    shelf = read_shelf(options.holdings or [OWN])
    door = Doorstep(options.host, options.port)
    listener = listen(door, "the sandbox's address", elsewhere=options.any_port, remedy="name another --port")
    here = f"http://{HOST}:{listener.getsockname()[1]}"
    base = options.address or here
    store = Store(state / "provider.sqlite")
    reach = Reach(hosts=frozenset((HOST, "localhost")), loopback=True)
    client = HttpClient(reach, Limits(connect=2, idle=5, seconds=10, attempts=1))
    provider = sandbox_provider(shelf, store, reach, f"{base}/2025-1", options.token_seconds, client)
    exchange = Exchange(PROVIDER, store, provider, f"{base}/2024-1")
    post = Post(store, client, exchange.act, os.environ.get(options.token_env, ""))
    exchange.wake = post.wake
    node = ConsumerNode(state, shelf, base, f"{base}/2025-1", client)
    app = build(provider, exchange, base=base, page_size=options.page_size, node=node)
    server = listening.server(app, listening.MESSAGES, log_level="warning", timeout_graceful_shutdown=5)
    record(state, here, os.getpid())
    post.start()
    node.start()
    try:
        server.run(sockets=[listener])
    finally:
        post.stop()
        node.close()
        client.close()
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
