from __future__ import annotations

from pathlib import Path

import pytest

from datalab.errors import SettingsError
from datalab.ports.secrets import secret


def test_a_reference_is_read_anew_each_time(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("first-token\n")
    assert secret(f"file:{tmp_path / 'token'}", "here") == "first-token"
    (tmp_path / "token").write_text("second-token\n")
    assert secret(f"file:{tmp_path / 'token'}", "here") == "second-token"
    monkeypatch.setenv("A_TOKEN", "third-token")
    assert secret("env:A_TOKEN", "here") == "third-token"


@pytest.mark.parametrize(
    "reference", ["wJalrXUtnFEMIK7MDENG", "", "env:", "env:NOT_SET_AT_ALL", f"file:{Path('/nowhere/at/all')}", "s3:x"]
)
def test_what_is_no_reference_is_refused_and_not_shown(reference):
    with pytest.raises(SettingsError) as caught:
        secret(reference, "here")
    assert "wJalr" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "two\nlines", "bell\a"])
def test_a_secret_is_one_line_of_text(tmp_path, content):
    (tmp_path / "token").write_text(content)
    with pytest.raises(SettingsError) as caught:
        secret(f"file:{tmp_path / 'token'}", "here")
    assert "lines" not in str(caught.value)
