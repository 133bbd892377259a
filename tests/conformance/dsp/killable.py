"""A provider and a consumer that kill themselves, once, right after they wrote a certain state: the product's own parts else.

    killable.py provider STATE_FOLDER PORT HOLDINGS KIND STATE
    killable.py consumer STATE_FOLDER URL VERSION WHAT KIND STATE

Without KIND and STATE nothing is killed. The provider makes a counter-offer first, so that OFFERED and ACCEPTED are reached too.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import signal
import sys
from pathlib import Path

from datalab_connectors.dsp import exchange
from datalab_connectors.dsp.connector import DspConnector
from datalab_connectors.dsp.provider import Provider
from datalab_connectors.dsp.store import Store
from datalab_connectors.sandbox import __main__ as sandbox
from datalab_connectors.sandbox import provider as sandbox_provider

from datalab.model.agreement import Intent
from datalab.policy import decide_acquisition
from datalab.ports.landing import Landing

RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "count bicycles", territory="LU")


def arm(folder, kind, state):
    """Kill this process once, as soon as a process of ``kind`` was written in ``state``."""
    marker = Path(folder) / f"killed-{kind}-{state}"
    reached = []
    save, change = Store.save, exchange.Exchange._change

    def saving(store, process):
        save(store, process)
        if (process.kind, process.state) == (kind, state):
            reached.append(process)

    def changing(side):
        inner = change(side)

        class Watching:
            def __enter__(self):
                return inner.__enter__()

            def __exit__(self, *details):
                done = inner.__exit__(*details)
                if reached and not marker.exists():
                    marker.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return done

        return Watching()

    if not marker.exists():
        Store.save, exchange.Exchange._change = saving, changing


class Bargaining(Provider):
    """Meets every first request with an offer of its own, of the same terms."""

    def opened(self, process, said, caller):
        opened = super().opened(process, said, caller)
        return dataclasses.replace(opened, due="counter") if opened.due == "agree" else opened


def provider(state, port, holdings):
    sandbox_provider.Provider = Bargaining
    return sandbox.main(["--state", state, "--port", port, "--holdings", holdings])


def consumer(state, url, version, what):
    connector = DspConnector(
        "space",
        {"url": url, "version": version, "patience": 20, "transport": "push" if what == "push" else "pull"},
        Path(state),
    )
    offer = connector.offer("a")
    decision = decide_acquisition(offer, RESEARCH, moment=dt.datetime.now(dt.UTC), actor="steward")
    agreement = connector.negotiate(offer, RESEARCH, decision)
    print("agreement", agreement.id, flush=True)
    if what in {"fetch", "push"}:
        landing = Landing(Path(state) / "landing")
        [found] = connector.fetch(agreement, offer, "", landing, decision, lambda *_: None)
        print("landed", found.sha256, flush=True)
    return 0


if __name__ == "__main__":
    role, *rest = sys.argv[1:]
    count = 3 if role == "provider" else 4
    if rest[count:]:
        arm(rest[0], *rest[count:])
    sys.exit({"provider": provider, "consumer": consumer}[role](*rest[:count]))
