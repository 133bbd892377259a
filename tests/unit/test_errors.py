from __future__ import annotations

import pickle

import pytest

from datalab import errors
from datalab.errors import DatalabError, MissingExtra, NotFound, SchemaError


def test_an_error_says_what_where_and_what_next() -> None:
    error = DatalabError("the file is empty", where="landing/a.csv", next="fetch it again")
    assert str(error).splitlines() == ["the file is empty", "  where: landing/a.csv", "  next:  fetch it again"]
    assert str(DatalabError("the file is empty")) == "the file is empty"


@pytest.mark.parametrize(
    ("kind", "code"),
    [("UsageError", 2), ("SettingsError", 2), ("SchemaError", 2), ("NotFound", 2), ("PolicyRefusal", 3), ("SourceError", 4)]
    + [
        ("ProtocolError", 4),
        ("ReadError", 4),
        ("GateFailed", 1),
        ("VerificationFailed", 1),
        ("ConservationError", 1),
        ("RunFailed", 1),
    ],
)
def test_exit_codes_are_part_of_the_interface(kind: str, code: int) -> None:
    assert getattr(errors, kind).exit_code == code


def test_every_error_of_the_tree_is_drawn_in_the_docstring() -> None:
    kinds = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, DatalabError)]
    assert [name for name in kinds if name not in errors.__doc__] == []


@pytest.mark.parametrize(
    ("name", "available", "hint"),
    [
        ("contry", ["country", "name"], "did you mean 'country'?"),
        ("zzz", ["b", "a"], "available: a, b"),
        ("zzz", [], "there are none yet"),
        ("zzz", [f"c{n:02d}" for n in range(20)], "available: c00, c01, c02, c03, c04, c05, c06, c07, c08, c09, c10, c11, …"),
    ],
)
def test_a_missing_name_comes_with_the_closest_ones(name: str, available: list[str], hint: str) -> None:
    assert NotFound.among("pipeline", name, available).next == hint
    assert SchemaError.column(name, available).next == hint


def test_errors_cross_process_boundaries_whole() -> None:
    error = NotFound.among("pipeline", "demp", ["demo"], where="datalab run")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (NotFound, str(error))


def test_a_missing_extra_names_the_command() -> None:
    assert MissingExtra.needed("sdv", "the SDV engine").next == "pip install 'aif-datalab[sdv]'"
