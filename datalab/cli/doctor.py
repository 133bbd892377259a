"""``datalab doctor``."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from datalab.cli.output import json_option, print_json, print_table
from datalab.errors import DatalabError

if TYPE_CHECKING:
    from datalab.model.settings import Settings

Finding = tuple[str, str, str]
_PARTS = {
    "polars": "lab",
    "great_expectations": "quality",
    "presidio_analyzer": "presidio",
    "sdv": "sdv",
    "apache_beam": "beam",
    "dagster": "dagster",
    "tokenizers": "embeddings",
}
_ROOM = 5 << 30


@click.command("doctor")
@json_option
def command(as_json: bool) -> int:
    """Check this installation and this lab; exit code 1 when something is wrong."""
    findings = list(_findings())
    if as_json:
        print_json([{"what": what, "status": status, "detail": detail} for what, status, detail in findings])
    else:
        print_table(["", "what", "detail"], [(status, what, detail) for what, status, detail in findings])
    return int(any(status == "wrong" for _, status, _ in findings))


def _findings() -> Iterator[Finding]:
    yield "python", "ok", f"{platform.python_version()} on {platform.machine()}, {sys.prefix}"
    for module, extra in _PARTS.items():
        present = find_spec(module) is not None
        yield module, "ok" if present else "absent", "" if present else f"optional: pip install 'aif-datalab[{extra}]'"
    from datalab.model.settings import find_settings

    try:
        settings = find_settings()
    except DatalabError as error:
        yield "settings", "wrong", str(error)
        return
    yield "settings", "ok", str(settings.root)
    checks: dict[str, Callable[[Settings], str]] = {
        "disk": _disk,
        "ledger": _ledger,
        "pipelines": _pipelines,
        "secrets": _secrets,
        "connectors": _connectors,
        "search by meaning": _meaning,
    }
    for what, check in checks.items():
        try:
            yield what, "ok", check(settings)
        except DatalabError as error:
            yield what, "wrong", str(error)


def _disk(settings: Settings) -> str:
    home = settings.path(settings.home)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(home).free
    if free < _ROOM:
        raise DatalabError(f"only {free >> 20} MiB are free", where=str(home), next="make room before the next run")
    return f"{free >> 30} GiB free at {home}"


def _ledger(settings: Settings) -> str:
    from datalab.lab import open_lab

    with open_lab(settings) as lab:
        head = lab.ledger.verify()
    return f"{head.sequence if head else 0} events, the chain holds"


def _pipelines(settings: Settings) -> str:
    from datalab.lab.pipelines import find_pipelines

    return ", ".join(find_pipelines(settings)) or f"none in {settings.path(settings.pipelines)}"


def _secrets(settings: Settings) -> str:
    for name in settings.secrets:
        settings.secret(name)
    return ", ".join(settings.secrets) or "none"


def _connectors(settings: Settings) -> str:
    from datalab.lab import open_lab

    with open_lab(settings) as lab:
        return ", ".join(f"{name} ({type(lab.connector(name)).__name__})" for name in settings.connectors) or "none"


def _meaning(settings: Settings) -> str:
    from datalab.services.discovery import open_model

    if settings.discovery_model is None:
        return "not set up: datalab discover looks for words"
    return f"{open_model(settings.path(settings.discovery_model), {}).dimensions} dimensions, {settings.discovery_model}"
