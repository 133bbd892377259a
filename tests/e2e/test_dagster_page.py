"""``datalab dev`` as a person uses it: the page is opened, a pipeline is materialised from it, its figures are seen, Ctrl-C ends all.

With DATALAB_SCREENSHOTS set to a folder, the browser test leaves its pictures there.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.unit.orchestration.house import environment, make_house

pytestmark = pytest.mark.slow

LOCATION = "datalab.orchestration.definitions"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LAUNCH = """mutation($job: String!, $config: RunConfigData!) { launchRun(executionParams: {
  selector: {repositoryName: "__repository__", repositoryLocationName: "LOCATION", jobName: $job}, runConfigData: $config})
  { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }""".replace("LOCATION", LOCATION)
RUN = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status tags { key value } } } }"
RUNS = "{ runsOrError { ... on Runs { results { runId status } } } }"
ASSET = """query($path: [String!]!) { assetNodes(assetKeys: [{path: $path}]) {
  assetMaterializations(limit: 1) { metadataEntries { __typename label
    ... on IntMetadataEntry { intValue } ... on MarkdownMetadataEntry { mdStr } ... on TextMetadataEntry { text }
    ... on TableColumnLineageMetadataEntry { lineage { columnName columnDeps { assetKey { path } columnName } } } } }
  assetChecksOrError { ... on AssetChecks { checks { name blocking executionForLatestMaterialization { status } } } } } }"""


class Dev:
    """``datalab dev`` on a small lab, in its own process."""

    def __init__(self, root: Path) -> None:
        self.house = make_house(root)
        self.house.people(2000)
        command = [sys.executable, "-m", "datalab.cli", "dev", "--port", "0"]
        more = {"DAGSTER_HOME": "", "PYTHONUNBUFFERED": "1"}
        self.log = root / "dev.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=root, env=environment(**more), stdout=log, stderr=subprocess.STDOUT)
        found = self.wait(lambda: re.search(r"answers at (\S+)", self.log.read_text()), "Dagster to answer")
        self.url = found[1]

    def wait(self, condition, what: str, seconds: float = 90):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.25)
        raise AssertionError(f"waited in vain for {what}:\n{self.log.read_text()[-3000:]}")

    def ask(self, query: str, **variables: object):
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            told = json.load(answer)
        assert "errors" not in told, told["errors"]
        return told["data"]

    def launch(self, job: str, config: object = None) -> str:
        answer = self.ask(LAUNCH, job=job, config=config or {})["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def ended(self, run: str) -> dict:
        """Wait until a run has ended; return its status and tags."""

        def state():
            told = self.ask(RUN, id=run)["runOrError"]
            return told if told["status"] in {"SUCCESS", "FAILURE", "CANCELED"} else None

        return self.wait(state, f"run {run}")

    def asset(self, name: str) -> tuple[dict[str, dict], dict[str, dict]]:
        """Return metadata and checks of the latest materialisation."""
        (node,) = self.ask(ASSET, path=["town-people", name])["assetNodes"]
        entries = {entry["label"]: entry for made in node["assetMaterializations"] for entry in made["metadataEntries"]}
        return entries, {check["name"]: check for check in node["assetChecksOrError"].get("checks", [])}

    def children(self) -> list[int]:
        """Return the processes that belong to this one, by walking /proc."""
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        found = [self.process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return found[1:]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    made = Dev(tmp_path_factory.mktemp("lab"))
    yield made
    made.process.poll() is None and made.stop()


def test_a_run_launched_through_the_page_s_interface(dev):
    state = dev.ended(dev.launch("town_people", {"resources": {"lab": {"config": {"requested_by": "Ada"}}}}))

    assert state["status"] == "SUCCESS"
    assert {"key": "business_operation", "value": "town-people"} in state["tags"]
    cleaning, _ = dev.asset("cleaning")
    assert cleaning["dagster/row_count"]["intValue"] == 1834
    assert "| 01 cleaning.required | dropped | missing | 100 |" in cleaning["rows left out"]["mdStr"]
    lineage = {
        entry["columnName"]: entry["columnDeps"] for entry in dev.asset("enrichment")[0]["dagster/column_lineage"]["lineage"]
    }
    assert lineage["note_words"] == [{"assetKey": {"path": ["town-people", "cleaning"]}, "columnName": "note"}]
    _, checks = dev.asset("candidate")
    assert checks["gate"] == {"name": "gate", "blocking": True, "executionForLatestMaterialization": {"status": "SUCCEEDED"}}


def test_the_approval_is_a_job_too(dev):
    state = dev.ended(dev.launch("approve", {"pipeline": "town-people", "approver": "Ada, compliance officer"}))

    assert state["status"] == "SUCCESS"
    assert (dev.house.root / ".datalab" / "releases" / "town-people" / "1" / "manifest.json").is_file()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_pipeline_is_materialised_by_a_click(dev, tmp_path):
    dev.house.people(1500)
    before = {run["runId"] for run in dev.ask(RUNS)["runsOrError"]["results"]}
    with chromium(tmp_path) as browser:
        browser.open(f"{dev.url}/locations/{LOCATION}/asset-groups/town_people/lineage")
        button = "[...document.querySelectorAll('button')].find(b => b.innerText.startsWith('Materialize all') && !b.disabled)"
        dev.wait(lambda: browser.value(f"!!{button}"), "the button")
        browser.value(f"{button}.click()")

        def new():
            return [run["runId"] for run in dev.ask(RUNS)["runsOrError"]["results"] if run["runId"] not in before]

        (run,) = dev.wait(new, "the run")
        assert dev.ended(run)["status"] == "SUCCESS"
        for name, place, words in (
            ("lineage", f"/locations/{LOCATION}/asset-groups/town_people/lineage", "candidate"),
            ("run", f"/runs/{run}", "Success"),
            ("cleaning", "/assets/town-people/cleaning?view=events", "duplicate-key"),
            ("columns", "/assets/town-people/enrichment", "note_words"),
            ("checks", "/assets/town-people/candidate?view=checks", "conservation"),
        ):
            browser.open(dev.url + place)
            dev.wait(lambda words=words: words in (browser.value("document.body?.innerText") or ""), words, 30)
            browser.picture(name)
        outside = browser.value(
            f"performance.getEntriesByType('resource').map(e => e.name).filter(n => n.startsWith('http') && !n.startsWith('{dev.url}'))"
        )
    assert outside == []


def test_nothing_outlives_a_killed_parent(tmp_path):
    made = Dev(tmp_path)
    children = made.children()
    assert len(children) >= 4

    made.process.kill()
    made.process.wait()

    made.wait(lambda: not [pid for pid in children if alive(pid)], "all children to end", 60)


def test_ctrl_c_ends_everything(dev):
    children = dev.children()
    assert len(children) >= 4

    assert dev.stop() == 0

    assert [pid for pid in children if alive(pid)] == []
    assert "Dagster has ended" in dev.log.read_text()


def alive(pid: int) -> bool:
    """Whether a process is there and is not just waiting for its end to be noticed."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


@contextlib.contextmanager
def chromium(folder: Path):
    """A headless Chromium, spoken to through its DevTools protocol."""
    from websockets.sync.client import connect

    flags = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update"
    flags += f" disable-sync remote-debugging-port=0 window-size=1500,1000 user-data-dir={folder / 'profile'}"
    command = [CHROMIUM, *(f"--{flag}" for flag in flags.split()), "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            port = next(found[1] for line in process.stderr if (found := re.search(r"listening on ws://[^:]+:(\d+)", line)))
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=30) as answer:
                page = next(tab for tab in json.load(answer) if tab["type"] == "page")
            with connect(page["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Browser(socket, Path(os.environ.get("DATALAB_SCREENSHOTS", folder)))
        finally:
            process.terminate()


class Browser:
    """One page of it."""

    def __init__(self, socket, pictures: Path) -> None:
        self.socket, self.pictures = socket, pictures
        self.numbers = itertools.count(1)
        self.call("Page.enable")

    def call(self, method: str, **parameters):
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self.socket.recv(timeout=60))).get("id") != number:
            pass
        return answer["result"]

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def value(self, expression: str):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self, name: str) -> None:
        time.sleep(1.5)  # the page fades its content in
        data = self.call("Page.captureScreenshot", format="png")["data"]
        (self.pictures / f"dagster-{name}.png").write_bytes(base64.b64decode(data))
