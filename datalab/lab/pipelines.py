"""The finder: every module-level ``Pipeline`` in the pipelines folder, by name."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from datalab.errors import DatalabError, NotFound, UsageError
from datalab.model.pipeline import Pipeline
from datalab.model.settings import Settings


@dataclass(frozen=True, slots=True)
class Found:
    """A pipeline and the file it was found in."""

    pipeline: Pipeline
    path: Path


def find_pipelines(settings: Settings) -> dict[str, Found]:
    """Load ``pipelines/**/*.py`` and return the pipelines by name; a file that cannot be loaded is an error that names the line."""
    folder = settings.path(settings.pipelines)
    found: dict[str, Found] = {}
    for path in sorted(folder.rglob("*.py")):
        if path.name.startswith("_"):
            continue
        for value in vars(_load(path, folder)).values():
            if not isinstance(value, Pipeline):
                continue
            known = found.get(value.name)
            if known and known.pipeline is not value and known.pipeline != value:
                raise UsageError(
                    f"two pipelines are named {value.name!r}",
                    where=f"{known.path.name} and {path.name}",
                    next="rename one of them",
                )
            if not known:
                found[value.name] = Found(value, path)
    return found


def find_pipeline(name: str, settings: Settings) -> Pipeline:
    """Return one pipeline by name."""
    found = find_pipelines(settings)
    if name not in found:
        raise NotFound.among("pipeline", name, found, where=str(settings.path(settings.pipelines)))
    return found[name].pipeline


def _load(path: Path, folder: Path) -> object:
    """Import a steward's file as ``pipelines.NAME``, so that workers can import it too."""
    root = str(folder.parent)
    if root not in sys.path:
        sys.path.insert(0, root)
    name = ".".join([folder.name, *path.relative_to(folder).with_suffix("").parts])
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except DatalabError as error:
        del sys.modules[name]
        raise type(error)(error.what, where=f"{path}: {error.where}".rstrip(": "), next=error.next) from None
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = _line(error, path)
        raise UsageError(f"{type(error).__name__}: {error}", where=f"{path}{line}", next="correct the pipeline file") from error
    return module


def _line(error: BaseException, path: Path) -> str:
    trace, line = error.__traceback__, getattr(error, "lineno", None)
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f", line {line}" if line else ""
