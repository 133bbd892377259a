from __future__ import annotations

from pathlib import Path

import pytest

from datalab.errors import NotFound, SettingsError
from datalab.model.settings import Settings, find_settings, load_settings

SECRET = "a-key-that-nobody-may-read"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "HOME", "ACTOR", "WORKERS", "LEDGER_URL"):
        monkeypatch.delenv(f"DATALAB_{name}", raising=False)


def written(folder: Path, text: str) -> Path:
    path = folder / "datalab.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_sections_are_read(tmp_path: Path) -> None:
    text = '[lab]\nhome = "state"\nterritory = "DE"\n[engine]\nworkers = 3\n[ledger]\nurl = "sqlite:///x"\n[sdv]\naccept_busl = true\n'
    settings = load_settings(written(tmp_path, text + '[connectors.box]\nkind = "sandbox"\n[secrets]\nkey = "env:KEY"\n'))
    assert settings.path(settings.home) == tmp_path / "state"
    assert (settings.territory, settings.workers, settings.ledger_url) == ("DE", 3, "sqlite:///x")
    assert settings.sdv_accept_busl
    assert settings.connectors == {"box": {"kind": "sandbox"}}
    assert settings.discovery_model is None


def test_a_model_for_discovery_is_a_folder_beside_the_settings(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, '[discovery]\nmodel = "models/small"\nsimilarity = 0.3\n'))
    assert settings.path(settings.discovery_model) == tmp_path / "models" / "small"
    assert settings.discovery_similarity == 0.3


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('[lab]\nteritory = "DE"\n', "no key named 'teritory'", "did you mean 'territory'?"),
        ("[enginee]\n", "no section named 'enginee'", "did you mean 'engine'?"),
        ("lab = 3\n", "'lab' must be a section", "write [lab] on a line of its own"),
    ],
)
def test_a_misspelt_setting_is_an_error_with_a_hint(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises((NotFound, SettingsError), match=r"named|section") as caught:
        load_settings(written(tmp_path, text))
    assert caught.value.what == message
    assert caught.value.next == hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[engine]\nworkers = "four"\n', "'workers' must be a whole number"),
        ("[engine]\nworkers = true\n", "'workers' must be a whole number"),
        ("[lab]\nhome = 5\n", "'home' must be text in quotes"),
        ("[sdv]\naccept_busl = 1\n", "'accept_busl' must be true or false"),
        ("[discovery]\nmodel = 5\n", "'model' must be text in quotes"),
        ('[discovery]\nmodel = ""\n', "'model' is empty"),
        ('[discovery]\nsimilarity = "high"\n', "'similarity' must be a number with a decimal point"),
        ("[discovery]\nsimilarity = 1.5\n", "'similarity' must lie between 0 and 1"),
        ("[discovery]\nsimilarity = nan\n", "'similarity' must lie between 0 and 1"),
        ("[connectors]\nbox = 1\n", "'box' must be a section of its own"),
        ("[secrets]\nkey = 12345678\n", "'key' must be text in quotes"),
        ("[lab\n", "not valid TOML"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(written(tmp_path, text))


def test_the_environment_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOME": "/srv/lab", "ACTOR": "ada", "WORKERS": "7", "LEDGER_URL": "sqlite:///y"}.items():
        monkeypatch.setenv(f"DATALAB_{name}", value)
    settings = load_settings(written(tmp_path, '[lab]\nactor = "bob"\n[engine]\nworkers = 1\n'))
    assert (str(settings.home), settings.actor, settings.workers, settings.ledger_url) == ("/srv/lab", "ada", 7, "sqlite:///y")


@pytest.mark.parametrize("workers", ["-1", "two", "1.5", "²"])
def test_a_wrong_number_of_workers_in_the_environment_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("DATALAB_WORKERS", workers)
    with pytest.raises(SettingsError, match="DATALAB_WORKERS"):
        load_settings(written(tmp_path, ""))


def test_the_file_is_found_upwards_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, '[lab]\nname = "above"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_settings(below).name == "above"
    monkeypatch.setenv("DATALAB_CONFIG", str(tmp_path / "datalab.toml"))
    assert find_settings(Path("/")).name == "above"
    monkeypatch.setenv("DATALAB_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match="does not exist"):
        find_settings()


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path)


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaks) -> None:
    leaks.watch(SECRET, "the key of a test")
    monkeypatch.setenv("KEY", SECRET)
    (tmp_path / "key").write_text(SECRET + "\n")
    settings = Settings(root=tmp_path, secrets={"a": "env:KEY", "b": "file:key"})
    assert settings.secret("a") == settings.secret("b") == SECRET.encode()


def test_no_error_and_no_form_of_the_settings_holds_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT", "tooshort")
    settings = Settings(root=tmp_path, secrets={"raw": SECRET, "short": "env:SHORT", "none": "file:none"})
    said = repr(settings)
    for name in ("raw", "short", "none", "rwa"):
        with pytest.raises((SettingsError, NotFound)) as caught:
            settings.secret(name)
        said += str(caught.value) + repr(caught.value)
    assert SECRET not in said
    assert "tooshort" not in said
    assert "did you mean 'raw'?" in said
