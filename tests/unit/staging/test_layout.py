"""How releases are named, and what a reference may not do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.errors import NotFound, UsageError
from datalab.staging.layout import Store, find_release
from datalab.staging.manifest import read_manifest


def test_a_name_means_the_newest_version(press):
    press.publish(version="1")
    second = press.publish(version="2", start=100)
    assert find_release("bicycles", press.store) == second
    assert find_release("bicycles@latest", press.store) == second


def test_versions_are_ordered_as_numbers(press):
    for version in ("2", "9", "10"):
        press.publish(version=version, start=int(version) * 100)
    assert press.store.versions("bicycles") == [2, 9, 10]
    assert find_release("bicycles", press.store).name == "10"


def test_a_release_is_found_by_version_digest_path_and_manifest(press, release):
    digest = read_manifest(release).digest
    for reference in (
        "bicycles@1",
        f"bicycles@{digest}",
        f"bicycles@{digest[:12]}",
        str(release),
        str(release / "manifest.json"),
    ):
        assert find_release(reference, press.store) == release


def test_a_digest_that_only_has_digits_is_not_taken_for_a_version(press, release):
    with pytest.raises(NotFound, match="no version named '000000000000'"):
        find_release("bicycles@000000000000", press.store)


@pytest.mark.parametrize(
    ("reference", "hint"),
    [("bicycle", "did you mean 'bicycles'"), ("bicycles@7", "available: 1"), ("bicycles@abcdefabcdef", "available: 1")],
)
def test_a_wrong_name_or_version_says_what_there_is(press, release, reference, hint):
    with pytest.raises(NotFound) as caught:
        find_release(reference, press.store)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "..",
        "../bicycles",
        "bicycles@../1",
        "bicycles/1",
        "Bicycles",
        "bicycles@",
        "bicycles@1@1",
        "bicycles@-1",
        "a\x00b",
        "@1",
    ],
)
def test_a_reference_cannot_climb_out_or_be_half_written(press, release, reference):
    with pytest.raises(UsageError):
        find_release(reference, press.store)


@given(st.text(max_size=40))
def test_any_text_is_a_release_or_a_plain_error(tmp_path_factory, reference):
    store = Store(tmp_path_factory.getbasetemp() / "no-home")
    with pytest.raises(UsageError):
        find_release(reference, store)


def test_a_name_that_is_too_long_for_the_filesystem_is_a_plain_error(press):
    with pytest.raises(UsageError):
        find_release("a" * 5000, press.store)


def test_folders_without_a_manifest_are_no_versions(press, release):
    (press.store.releases / "bicycles" / "3").mkdir()
    (press.store.releases / "bicycles" / ".building-4").mkdir()
    assert press.store.versions("bicycles") == [1]


def test_names_are_those_with_a_candidate_or_a_release(press, release):
    press.publish(press.store.candidate("trains", "ab" * 32), version="", name="trains")
    assert press.store.names() == ["bicycles", "trains"]
    assert press.store.candidate_folders("trains") == [press.store.candidates / "trains" / ("ab" * 8)]
