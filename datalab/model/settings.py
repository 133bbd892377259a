"""The lab's settings: one ``datalab.toml``, found by path, overridable by environment, with secrets only by reference."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datalab.errors import NotFound, SettingsError

FILE_NAME = "datalab.toml"
_REACH = ("hosts", "ca_file", "client_certificate", "client_key", "client_key_password_env", "tls_hosts")
"""What ``[publish]`` says about what is sent: the keys about TLS are those of a connector's table."""
_SECTIONS = {
    "lab": {"name", "home", "pipelines", "expectations", "participant", "territory", "actor"},
    "engine": {"kind", "runner", "runner_options", "workers", "worker_memory_mb", "attempts", "part_seconds", "reference_mb"},
    "ledger": {"url"},
    "sdv": {"accept_busl", "offering"},
    "publish": {"listen", "address", "consumers", *_REACH},
    "discovery": {"model", "similarity"},
    "connectors": None,
    "secrets": None,
    "groups": None,
    "accept": {"UsagePurpose", "FrameworkAgreement", "Membership"},
    "places": None,
}
_KINDS: Mapping[str, type] = {
    "engine": int,
    "engine.kind": str,
    "engine.runner": str,
    "engine.runner_options": dict,
    "connectors": dict,
    "publish.consumers": dict,
    "publish.hosts": list,
    "publish.tls_hosts": list,
    "sdv.accept_busl": bool,
    "discovery.similarity": float,
    "groups": list,
    "accept": list,
    "places": dict,
}
"""The type of a section's values, or of one key; text where nothing stands here."""
_LISTS = ("groups", "accept")
_WORDS = {
    str: "text in quotes",
    int: "a whole number",
    float: "a number with a decimal point",
    bool: "true or false",
    dict: "a section of its own",
    list: "a list of texts",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one lab. Relative paths are relative to the folder of ``datalab.toml``.

    ``territory`` is the ISO 3166-1 alpha-2 code of the country whose ground the lab's filesystem stands on. ``actor`` is who
    acts when nobody is named. ``connectors`` are tables of the form {"kind": …, …} by name; ``secrets`` are references by
    name: ``env:NAME``, ``file:PATH`` or ``home:PATH`` (in the lab's home). ``groups`` are the participants that belong to a
    group which terms name; ``accept`` the Catena-X terms that the lab accepts, by left operand; ``places`` are tables
    {"path": …, "territory": …}: on whose ground a storage stands (a country, or a NUTS region).
    """

    root: Path
    name: str = "Data Lab"
    home: Path = Path(".datalab")
    pipelines: Path = Path("pipelines")
    expectations: Path = Path("expectations")
    participant: str = "did:web:datalab.example"
    territory: str = ""
    actor: str = ""
    engine: str = "local"
    """``kind`` in ``[engine]``: local, or beam with its ``runner`` and that runner's options (``datalab run --engine`` overrides)."""
    runner: str = ""
    runner_options: Mapping[str, str] = field(default_factory=dict)
    workers: int = 0
    """Worker processes; 0 means one per core."""
    worker_memory_mb: int = 0
    """Limit of a worker's data segment in MiB; 0 means none."""
    attempts: int = 3
    """How often a part is given to a worker before the rows that kill it are searched for."""
    part_seconds: int = 3600
    """What a part of a map stage may take before it counts as hung; 0 means any time."""
    reference_mb: int = 64
    """Size in MiB up to which a reference table is given whole to every worker; a larger one is joined by exchange."""
    ledger_url: str = ""
    """``sqlite:///…`` or ``postgresql://…``; "" means a SQLite file in ``home``."""
    sdv_accept_busl: bool = False
    sdv_offering: str = "commercial"
    publish_listen: str = "127.0.0.1:8765"
    """Where ``datalab serve`` listens: host and port."""
    publish_address: str = ""
    """As others reach it, for example ``https://lab.example/dsp``; "" means as it listens."""
    publish_consumers: Mapping[str, str] = field(default_factory=dict)
    """Who may ask for what is published: participants, each with the name of the secret that its requests are signed with."""
    publish_reach: Mapping[str, Any] = field(default_factory=dict)
    """Where what ``datalab serve`` sends may go, and who it says it is there: ``hosts``, and what a connector's table says about TLS."""
    discovery_model: Path | None = None
    """A folder with a static model (Model2Vec's format) by which `datalab discover` finds datasets in other words; None means words only."""
    discovery_similarity: float = 0.2
    """How near (cosine, 0 to 1) a dataset's meaning must be to what is looked for."""
    connectors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    accept: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    places: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def path(self, value: Path) -> Path:
        """Return ``value`` as an absolute path."""
        return value if value.is_absolute() else self.root / value

    def secret(self, name: str) -> bytes:
        """Return the bytes of a secret; the error names the reference and never the value."""
        if name not in self.secrets:
            raise NotFound.among("secret", name, self.secrets, where=f"{FILE_NAME}, [secrets]")
        scheme, _, place = self.secrets[name].partition(":")
        if scheme == "env":
            value = os.environ.get(place, "").encode()
        elif scheme in {"file", "home"}:
            path = self.path(Path(place)) if scheme == "file" else self.path(self.home) / place
            value = path.read_bytes().strip() if path.is_file() else b""
        else:
            raise SettingsError(
                f"secret {name!r} must be a reference",
                where=f"{FILE_NAME}, [secrets]",
                next="write env:NAME, file:PATH or home:PATH",
            )
        if len(value) < 16:
            raise SettingsError(
                f"secret {name!r} is missing or shorter than 16 bytes",
                where=self.secrets[name],
                next="set it, for example from: python3 -c 'import secrets; print(secrets.token_hex(32))'",
            )
        return value


def find_settings(start: Path | None = None) -> Settings:
    """Find ``datalab.toml`` from ``start`` upwards (or at ``DATALAB_CONFIG``); without one, use defaults in ``start``."""
    named = os.environ.get("DATALAB_CONFIG")
    if named:
        path = Path(named)
        if not path.is_file():
            raise SettingsError("the settings file does not exist", where=named, next="correct DATALAB_CONFIG or unset it")
        return load_settings(path)
    folder = (start or Path.cwd()).resolve()
    for place in (folder, *folder.parents):
        if (place / FILE_NAME).is_file():
            return load_settings(place / FILE_NAME)
    return _overridden(Settings(root=folder))


def load_settings(path: Path) -> Settings:
    """Read one settings file, strictly: an unknown section or key is an error that names the known ones."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError("the settings file cannot be read", where=str(path), next=str(error.strerror)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"not valid TOML: {error}", where=str(path), next="correct the line it names") from None
    values: dict[str, Any] = {}
    for section, table in tables.items():
        _check_section(section, table, path)
        if _SECTIONS[section] is None or section == "accept":
            values[section] = table
        else:
            prefix = f"{section}_" if section in {"ledger", "publish", "sdv", "discovery"} else ""
            values |= {prefix + key: value for key, value in table.items()}
    values["publish_reach"] = {key: values.pop(f"publish_{key}") for key in _REACH if f"publish_{key}" in values}
    values |= {
        section: {name: tuple(items) for name, items in values[section].items()} for section in _LISTS if section in values
    }
    for key in ("home", "pipelines", "expectations", "discovery_model"):
        if key in values:
            values[key] = Path(values[key])
    if "kind" in values:
        values["engine"] = values.pop("kind")
    if "runner_options" in values:
        values["runner_options"] = {key: str(value) for key, value in values["runner_options"].items()}
    return _overridden(Settings(root=path.resolve().parent, **values))


def _check_section(section: str, table: object, path: Path) -> None:
    if section not in _SECTIONS:
        raise NotFound.among("section", section, _SECTIONS, where=str(path))
    if not isinstance(table, dict):
        raise SettingsError(f"{section!r} must be a section", where=str(path), next=f"write [{section}] on a line of its own")
    known = _SECTIONS[section]
    for key, value in table.items():
        if known is not None and key not in known:
            raise NotFound.among("key", key, known, where=f"{path}, [{section}]")
        kind = _KINDS.get(f"{section}.{key}", _KINDS.get(section, str))
        if type(value) is not kind:
            raise SettingsError(f"{key!r} must be {_WORDS[kind]}", where=f"{path}, [{section}]")
        _check_inside(section, key, value, path)


def _check_inside(section: str, key: str, value: Any, path: Path) -> None:
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise SettingsError(f"{key!r} must be {_WORDS[list]}", where=f"{path}, [{section}]")
    if (section, value) == ("discovery", ""):
        raise SettingsError(
            f"{key!r} is empty", where=f"{path}, [{section}]", next="name the model's folder, or remove the line"
        )
    if isinstance(value, float) and not 0 <= value <= 1:
        raise SettingsError(f"{key!r} must lie between 0 and 1", where=f"{path}, [{section}]")
    if section != "places":
        return
    if set(value) != {"path", "territory"} or not all(isinstance(item, str) and item for item in value.values()):
        raise SettingsError(
            f"{key!r} must say path and territory, both as text",
            where=f"{path}, [places]",
            next='write for example scratch = { path = "/scratch", territory = "FI" }',
        )


def _overridden(settings: Settings) -> Settings:
    """Apply ``DATALAB_HOME``, ``DATALAB_ACTOR``, ``DATALAB_WORKERS`` and ``DATALAB_LEDGER_URL``."""
    import dataclasses

    changes: dict[str, Any] = {}
    if home := os.environ.get("DATALAB_HOME"):
        changes["home"] = Path(home)
    if actor := os.environ.get("DATALAB_ACTOR"):
        changes["actor"] = actor
    if url := os.environ.get("DATALAB_LEDGER_URL"):
        changes["ledger_url"] = url
    if workers := os.environ.get("DATALAB_WORKERS"):
        if not workers.isdecimal():
            raise SettingsError(f"DATALAB_WORKERS is {workers!r}", next="give a whole number, 0 for one per core")
        changes["workers"] = int(workers)
    return dataclasses.replace(settings, **changes) if changes else settings
