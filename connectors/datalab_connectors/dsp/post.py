"""Delivering what is owed: one thread that acts on due processes and posts letters until they arrive.

What takes long (a push) is done in threads of its own, one per process, so that messages do not wait for it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from datalab.errors import DatalabError, SourceError, StorageFailed
from datalab.ports.http import HttpClient, HttpRefused
from datalab_connectors.dsp.store import Letter, Process, Store

log = logging.getLogger(__name__)
_ATTEMPTS = 60
_LONGEST = 5.0
SLOW = frozenset(("push",))
_EARLY = frozenset((404, 409))
"""What a peer answers that has not yet done its own part of the move before: it is told again, a few times."""
_EARLY_ATTEMPTS = 4


class Post:
    """Acts and delivers in the background. ``act`` is called for each due process and must change it.

    ``hindered`` hears when the store cannot be written; without it, the log is told once.
    """

    def __init__(
        self,
        store: Store,
        client: HttpClient,
        act: Callable[[Process], None],
        token: str = "",
        hindered: Callable[[StorageFailed], None] | None = None,
    ) -> None:
        self._store = store
        self._client = client
        self._act = act
        self.token = token
        self._busy: set[str] = set()
        self._hindered = hindered
        self._told = False
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="dsp-post", daemon=True)

    def start(self) -> None:
        """Begin; what was owed before is taken up."""
        self._wake.set()
        self._thread.start()

    def wake(self) -> None:
        """Say that there is something to do."""
        self._wake.set()

    def stop(self) -> None:
        """Stop, after one last try to deliver what is owed."""
        self._stop = True
        self._wake.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stop:
            self._wake.wait(0.2)
            self._wake.clear()
            try:
                self._round()
            except StorageFailed as error:
                self._hinder(error)
            except Exception:
                log.exception("the post could not finish a round")
                time.sleep(0.2)
        with contextlib.suppress(StorageFailed):  # what is owed stays owed
            for letter in self._store.letters(time.time()):
                self._deliver(letter)

    def _hinder(self, error: StorageFailed) -> None:
        """Tell whoever waits that nothing can be kept, so that it need not wait in vain; then go on, should there be room again."""
        if self._hindered is not None:
            self._hindered(error)
        elif not self._told:
            log.warning("the post cannot go on: %s", error.what)
        self._told = True
        time.sleep(1.0)

    def _round(self) -> None:
        for process in self._store.due():
            if process.pid in self._busy:
                continue
            if process.due in SLOW:
                self._busy.add(process.pid)
                threading.Thread(target=self._act_slowly, args=(process,), name=f"dsp-{process.due}", daemon=True).start()
            else:
                self._act(process)
        while not self._stop and (letters := self._store.letters(time.time())):
            for letter in letters:
                self._deliver(letter)

    def _act_slowly(self, process: Process) -> None:
        try:
            self._act(process)
        except Exception:
            log.exception("a %s could not be finished", process.due)
            time.sleep(_LONGEST)
        finally:
            self._busy.discard(process.pid)
            self._wake.set()

    def _deliver(self, letter: Letter) -> None:
        try:
            self._client.post(letter.url, dict(letter.message), token=self.token, repeat=True)
        except HttpRefused as error:
            if error.status >= 500 or error.status == 429 or (error.status in _EARLY and letter.attempts < _EARLY_ATTEMPTS):
                self._put_off(letter, error)
                return
            log.warning("a %s was refused: %s", letter.message.get("@type"), error.what)
        except SourceError as error:
            self._put_off(letter, error)
            return
        self._store.delivered(letter)

    def _put_off(self, letter: Letter, error: DatalabError) -> None:
        if letter.attempts + 1 >= _ATTEMPTS:
            log.warning("a %s was given up: %s", letter.message.get("@type"), error.what)
            self._store.delivered(letter)
        else:
            self._store.later(letter, time.time() + min(_LONGEST, 0.1 * 2**letter.attempts))
