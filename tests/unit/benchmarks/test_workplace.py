from __future__ import annotations

from benchmarks import workplace


def test_a_child_that_is_measured_leaves_its_files_to_who_measures(tmp_path, monkeypatch):
    monkeypatch.setenv(workplace.PLACE, str(tmp_path))
    with workplace.workplace() as first, workplace.workplace() as second:
        (first / "kept").touch()
    assert (first / "kept").is_file()
    assert first.parent == second.parent == tmp_path
    assert first != second


def test_anybody_else_finds_nothing_left(tmp_path, monkeypatch):
    monkeypatch.setattr(workplace, "CACHE", tmp_path / "cache")
    with workplace.workplace() as place:
        (place / "made").touch()
    assert list((tmp_path / "cache").iterdir()) == []
