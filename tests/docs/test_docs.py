"""Documents that cannot rot: what they print is run, what they name exists, what exists is named."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import datalab
from datalab.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
RELEASE = """
mkdir -p .datalab/keys
python -c "import secrets; print(secrets.token_hex(32))" > .datalab/keys/pseudonyms
datalab run company-register
datalab approve company-register --as "Ada Example, compliance officer"
"""


def load(name: str) -> ModuleType:
    """Import a module beside this one: tests are not a package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tutorial = load("tutorial")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return tutorial.environment(tmp_path_factory.mktemp("shell"), ROOT)


@pytest.fixture
def lab(tmp_path: Path, shell: dict[str, str]) -> Iterator[Path]:
    """The demo's lab before anything has happened in it."""
    yield demo_lab(tmp_path)
    stop_sandbox(tmp_path, shell)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, shell: dict[str, str]) -> Iterator[Path]:
    """The demo's lab with one release."""
    lab = demo_lab(tmp_path_factory.mktemp("released"))
    subprocess.run(["bash", "-euc", RELEASE], cwd=lab, env=shell, check=True, capture_output=True)
    yield lab
    stop_sandbox(lab, shell)


def demo_lab(folder: Path) -> Path:
    for name in ("pipelines", "expectations"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "datalab.toml", folder)
    return folder


def stop_sandbox(lab: Path, shell: dict[str, str]) -> None:
    subprocess.run(["datalab", "sandbox", "stop"], cwd=lab, env=shell, check=True, capture_output=True)


def test_the_stewards_tutorial_runs_from_an_empty_folder(tmp_path, shell):
    tutorial.follow(DOCS / "tutorial-steward.md", tmp_path, shell)


def test_the_ai_developers_tutorial_runs_on_a_release(released, shell):
    tutorial.follow(DOCS / "tutorial-ai-developer.md", released, shell)


def test_the_way_to_a_slurm_cluster_runs_as_far_as_there_is_none(lab, shell):
    (lab / ".datalab" / "keys").mkdir(parents=True)
    (lab / ".datalab" / "keys" / "pseudonyms").write_text("0123456789abcdef" * 2)
    tutorial.follow(DOCS / "how-to" / "slurm.md", lab, shell)


@pytest.mark.parametrize(
    "page", ["connect-dcat.md", "connect-files.md", "connect-s3.md", "connect-rest.md", "connect-simpl.md", "connect-tls.md"]
)
def test_the_ways_to_connect_run(tmp_path, shell, page):
    tutorial.follow(DOCS / "how-to" / page, tmp_path, shell)


def test_the_way_to_prepare_text_runs(tmp_path, shell):
    tutorial.follow(DOCS / "how-to" / "web-text.md", tmp_path, shell)


def test_the_compliance_officers_tutorial_runs(lab, shell):
    (lab / ".datalab" / "keys").mkdir(parents=True)
    (lab / ".datalab" / "keys" / "pseudonyms").write_text("0123456789abcdef" * 2)
    tutorial.follow(DOCS / "tutorial-compliance-officer.md", lab, shell)


def test_the_commands_of_the_readme_run(released, shell):
    shutil.rmtree(released / "pulled", ignore_errors=True)
    for block in tutorial.blocks(README):
        if block.language == "sh" and "make demo" not in block.body:
            subprocess.run(["bash", "-euc", block.body], cwd=released, env=shell, check=True, capture_output=True)
        elif block.language == "python" and "import datalab" in block.body:
            subprocess.run([sys.executable, "-c", block.body], cwd=released, env=shell, check=True, capture_output=True)


def test_a_tutorial_that_says_what_does_not_happen_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```sh\necho one\n```\n\n```text\ntwo\n```\n")
    with pytest.raises(AssertionError, match=r"line 5: this was not printed: \['two'\]"):
        tutorial.follow(page, tmp_path, {"PATH": "/usr/bin:/bin"})


def test_the_readme_is_short_and_names_both_commands():
    assert len(README.splitlines()) <= 150
    assert "make demo" in README
    assert "make test" in README
    assert "python3 develop.py demo" in README


def test_the_pipeline_in_the_readme_is_the_real_one():
    excerpt = next(block for block in tutorial.blocks(README) if "Source(" in block.body)
    real = (ROOT / "pipelines" / "company_register.py").read_text(encoding="utf-8")
    left_out = "    ...,"
    assert [line for line in excerpt.body.splitlines() if line not in (left_out, *real.splitlines())] == []
    assert f"which is {len(real.splitlines())} lines in all" in README


@pytest.mark.parametrize(("package", "module"), [("apache-beam", "apache_beam"), ("s3fs", "s3fs")])
def test_what_the_readme_calls_unused_is_unused(package, module):
    code = [path for top in ("datalab", "connectors") for path in (ROOT / top).rglob("*.py")]
    imported = [path.name for path in code if re.search(rf"^\s*(import|from) {module}\b", path.read_text(), re.MULTILINE)]
    assert (f"| {package} | **not used yet**" in README) == (imported == [])


def test_relative_links_and_pictures_lead_somewhere():
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    broken = []
    for page in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            target, _, anchor = link.partition("#")
            if "://" in target:
                continue
            path = (page.parent / target).resolve() if target else page
            if not path.exists() or (anchor and anchor not in anchors(path)):
                broken.append(f"{page.name}: {link}")
    assert broken == []


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_command_is_in_the_documents():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [name for name, text in COMMANDS.items() if f"| `datalab {name}` | {text} |" not in index] == []


def test_every_decision_is_in_the_index_and_says_what_was_measured():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in sorted((DOCS / "decisions").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        number, title = re.match(r"# ([0-9]+)\. (.+)\n", text).groups()
        assert page.name.startswith(f"{int(number):04d}-")
        assert f"- [{int(number):04d}](decisions/{page.name}) {title}\n" in index
        assert "**Context.**" in text
        assert "**Decision.**" in text


def test_the_reference_is_up_to_date():
    reference = load("reference")
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "write it anew: python tests/docs/reference.py"


def test_the_reference_holds_every_public_name_and_every_step():
    reference = load("reference")
    text = reference.PAGE.read_text(encoding="utf-8")
    headings = set(re.findall(r"^##+ (.+)$", text, re.MULTILINE))
    wanted = set(datalab.__all__) | {
        f"{service}.{step.__name__}" for service in reference.SERVICES for step in reference.public_steps(service)
    }
    assert wanted - headings == set()
    assert len(wanted) > 30
