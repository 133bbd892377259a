"""The report in a real browser: it renders without JavaScript and without asking anybody for anything, on screen and as PDF."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from datalab.governance.ledger import SqliteLedger
from datalab.governance.report import render_report
from tests.unit.governance.evidence_example import example

pytestmark = pytest.mark.browser
_BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    if _BROWSER is None:
        pytest.skip("no Chromium is installed")
    place = tmp_path_factory.mktemp("browser")
    with SqliteLedger(place / "ledger.sqlite") as ledger:
        evidence = example(place / "release", ledger)
    path = place / "report.html"
    path.write_text(render_report(evidence), encoding="utf-8")
    return path


def browse(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    profile = page.parent / f"profile-{len(list(page.parent.glob('profile-*')))}"
    return subprocess.run(
        [_BROWSER, *_FLAGS, f"--user-data-dir={profile}", *options, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def addresses(log: str) -> set[str]:
    """The hosts in a network log, without those that the browser asks about itself."""
    hosts = set(re.findall(r'"url":"(?:https?|wss?)://([^/"]*)', log))
    return hosts - {"update.googleapis.com", "clients2.google.com", "clientservices.googleapis.com", "accounts.google.com"}


def test_it_asks_nobody_for_anything(page):
    tempted = page.with_name("tempted.html")
    tempted.write_text('<!doctype html><title>t</title><img src="http://127.0.0.1:9/seen.png">', encoding="utf-8")
    asked = {}
    for path in (page, tempted):
        log = path.with_suffix(".json")
        browse(path, "--dump-dom", f"--log-net-log={log}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        asked[path.stem] = addresses(log.read_text(encoding="utf-8", errors="replace"))
    assert "127.0.0.1:9" in asked["tempted"], "the log does not show what a page asks for"
    assert asked["report"] == set()


def test_it_renders_on_a_wide_and_on_a_narrow_screen(page):
    """The page's own policy forbids scripts, so what is shown here is shown without them."""
    dom = browse(page, "--dump-dom").stdout
    assert "default-src 'none'" in dom
    assert "Messages to a public service" in dom
    for width in (1280, 420):
        picture = page.parent / f"{width}.png"
        browse(page, f"--window-size={width},1600", f"--screenshot={picture}")
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert picture.stat().st_size > 20_000


def test_as_pdf_every_page_names_the_head_of_the_ledger(page):
    paper = page.parent / "report.pdf"
    browse(page, "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    assert paper.read_bytes()[:5] == b"%PDF-"
    if shutil.which("pdftotext") is None:
        pytest.skip("poppler-utils is not installed: the pages are not read")
    text = subprocess.run(
        ["pdftotext", "-layout", str(paper), "-"], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    pages = text.rstrip("\f").split("\f")
    assert 5 <= len(pages) <= 20
    assert all("ledger head" in one for one in pages)
    assert sum("What it asks" in one for one in pages) > 1, "the head of a long table is repeated on each page"
