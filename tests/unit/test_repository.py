"""Rules of the repository that no linter knows."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from datalab.model.settings import load_settings

ROOT = Path(__file__).parents[2]
LOCKS = ("build", "lab", "dev")


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: the files of the repository cannot be told from others")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def texts() -> dict[str, str]:
    found = {}
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data[:8192] and len(data) < 5_000_000:
            found[str(path.relative_to(ROOT))] = data.decode(errors="replace")
    return found


def lock(name: str) -> list[str]:
    return re.split(r"\n(?=\S)", (ROOT / "requirements" / f"{name}.txt").read_text().strip())


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    here = {str(ROOT), str(ROOT.parent) + "/", str(Path.home()) + "/."}
    home = re.compile(r"/(?:home|Users)/(?!USER\b)[a-z][a-z0-9_.-]*/|/root/")
    own = "tests/unit/test_repository.py"
    found = [
        name for name, text in texts().items() if name != own and (home.search(text) or any(place in text for place in here))
    ]
    assert found == []


def test_no_file_names_a_package_index() -> None:
    address = re.compile(
        r"^\s*(?:--)?(?:extra-)?(?:index-url|find-links)|file:/|https?://\S+\.(?:whl|crate|jar)\b", re.MULTILINE
    )
    own = "tests/unit/test_repository.py"  # which spells them out
    assert [name for name, text in texts().items() if name != own and address.search(text)] == []


def test_modules_are_small_rooms_with_names_of_their_own() -> None:
    python = {name: text for name, text in texts().items() if name.endswith(".py")}
    assert [name for name, text in python.items() if text.count("\n") > 400] == []
    assert [name for name in python if re.fullmatch(r"(utils?|helpers?|common|misc|manager)", Path(name).stem)] == []


@pytest.mark.parametrize("name", [*LOCKS, "peers"])
def test_every_locked_package_has_an_exact_version_and_hashes(name: str) -> None:
    entry = re.compile(r"[A-Za-z0-9._-]+==[^ ;]+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+")
    assert [line for line in lock(name) if not entry.fullmatch(line)] == []


@pytest.mark.parametrize("name", [*LOCKS, "peers"])
def test_no_lock_brings_torch_or_cuda(name: str) -> None:
    heavy = re.compile(r"(torch|triton|nvidia|cuda|cupy|jax|tensorflow)\b", re.IGNORECASE)
    assert [line.split("==")[0] for line in lock(name) if heavy.match(line)] == []


def test_the_locks_agree_and_developers_have_all_that_the_lab_has() -> None:
    versions = {name: {tuple(line.split(" \\")[0].split("==", 1)) for line in lock(name)} for name in LOCKS}
    assert versions["lab"] <= versions["dev"]
    assert versions["build"] <= versions["dev"]


def test_every_direct_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    groups += project["dependency-groups"].values()
    wanted = {re.match(r"[A-Za-z0-9._-]+", item).group() for group in groups for item in group if isinstance(item, str)}
    explained = (ROOT / "docs" / "dependencies.md").read_text()
    assert sorted(name for name in wanted - {"aif-datalab"} if f"`{name}`" not in explained) == []


def test_links_between_documents_lead_somewhere() -> None:
    documents = {ROOT / name: text for name, text in texts().items() if name.endswith(".md")}
    links = [(path, link) for path, text in documents.items() for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)]
    inner = [(path, link) for path, link in links if "://" not in link and not link.startswith("mailto:")]
    assert [f"{path.name}: {link}" for path, link in inner if not (path.parent / link).exists()] == []


def test_what_the_project_promises_is_there() -> None:
    for name in ("LICENSE", "README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/dependencies.md"):
        assert (ROOT / name).is_file(), name
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]


def test_the_makefile_and_the_script_have_the_same_verbs() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    listed = subprocess.run(["python3", "develop.py", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    verbs = set(re.findall(r"^  ([a-z]+) ", listed, re.MULTILINE))
    assert targets == verbs - {"setup"}


def test_the_settings_at_the_root_are_valid() -> None:
    settings = load_settings(ROOT / "datalab.toml")
    assert settings.connectors["sandbox"]["kind"] == "sandbox"
    assert all(reference.startswith(("file:", "env:", "home:")) for reference in settings.secrets.values())
