"""Heavy libraries have one door each, and looking at datalab opens none of them."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOORS = {
    "great_expectations": {"datalab.quality.gx"},
    "presidio_analyzer": {"datalab.services.scrubbing.presidio"},
    "sdv": {"datalab.services.synthesis.sdv"},
    "apache_beam": {"datalab.engine.beam.parts", "datalab.engine.beam.worker_pool", "datalab.engine.beam.workers"},
    # What these libraries take or what an AI developer asks for is a pandas frame.
    "pandas": {"datalab.quality.gx", "datalab.services.synthesis.sdv", "datalab.staging.reader"},
}
HEAVY = (*DOORS, "dagster", "polars", "pyarrow", "numpy", "scipy", "sklearn", "spacy", "s3fs", "httpx", "jinja2", "starlette")


def modules() -> dict[str, ast.Module]:
    """Return all modules of the product, parsed, by dotted name."""
    found = {}
    for base in (ROOT, ROOT / "connectors"):
        for path in [*base.glob("datalab/**/*.py"), *base.glob("datalab_connectors/**/*.py")]:
            name = ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(tree: ast.AST) -> set[str]:
    """Return the top-level names of everything imported anywhere in ``tree`` except for type checking."""
    names = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            names |= set().union(*(imported(other) for other in node.orelse), set())
        elif isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {(node.module or "").partition(".")[0]} if not node.level else set()
        else:
            names |= imported(node)
    return names


@pytest.mark.parametrize("library", sorted(DOORS))
def test_each_heavy_library_is_imported_through_its_door_only(library: str) -> None:
    users = {name for name, tree in modules().items() if library in imported(tree)}
    assert users <= DOORS[library]


def test_only_the_orchestration_imports_dagster() -> None:
    users = {name for name, tree in modules().items() if imported(tree) & {"dagster", "dagster_webserver", "dagster_graphql"}}
    assert {name for name in users if not name.startswith("datalab.orchestration")} == set()


@pytest.mark.parametrize("module", ["datalab", "datalab.cli.main"])
def test_importing_it_loads_nothing_heavy(module: str) -> None:
    assert importlib.util.find_spec("datalab") is not None
    code = f"import sys, {module}; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_listed_and_unknown_ones_refused() -> None:
    import datalab

    assert set(datalab.__all__) <= set(dir(datalab))
    assert datalab.Pipeline.__name__ == "Pipeline"
    with pytest.raises(AttributeError, match="no attribute 'pipeline'"):
        _ = datalab.pipeline
