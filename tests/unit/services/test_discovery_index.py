"""The index: words and facets over all catalogues, the same dataset once, changes in order."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.model.offer import Distribution, Fitness, Offer
from datalab.model.policy import Policy
from datalab.ports.connector import Change
from datalab.services.discovery import Index, Wanted, names_of, together

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


def offer(name, *, catalogue="a", title="", description="", formats=("csv",), licence="CC-BY-4.0", keywords=(), **fitness):
    return Offer(
        connector=catalogue, dataset_id=name, offer_id="o", title=title or name, description=description, holder="City", policy=Policy("p"),
        distributions=tuple(Distribution(kind, kind, "") for kind in formats), licence=licence, keywords=keywords, fitness=Fitness(**fitness),
    )  # fmt: skip


def filled(*offers, path=None):
    index = Index(path)
    for catalogue in dict.fromkeys(one.connector for one in offers):
        index.take_in(
            catalogue, "copy", (Change(n, one.dataset_id, one) for n, one in enumerate(offers, 1) if one.connector == catalogue)
        )
    return index


def ids(found):
    return [hit.dataset for hit in found]


def test_words_in_the_title_count_most_and_all_must_occur():
    index = filled(
        offer("1", description="trains and buses"), offer("2", title="Trains", description="buses"), offer("3", title="Boats")
    )
    assert ids(index.search(Wanted("trains buses"), now=NOW)) == ["2", "1"]
    assert ids(index.search(Wanted("train"), now=NOW)) == ["2", "1"]
    assert not index.search(Wanted("trains boats"), now=NOW)


def test_marks_on_letters_do_not_matter():
    assert ids(filled(offer("1", title="Vélos à Łódź")).search(Wanted("velos"), now=NOW)) == ["1"]


@given(st.text(max_size=30))
def test_any_text_can_be_asked(text):
    filled(offer("1")).search(Wanted(text), now=NOW)


def test_fresh_and_well_described_datasets_come_first_where_the_text_is_alike():
    index = filled(
        offer("old", title="Trains", modified="2001-01-01", quality=0.5),
        offer("new", title="Trains", modified="2026-11-01", quality=0.5),
        offer("bare", title="Trains", modified="2026-11-01", quality=0.0),
    )
    assert ids(index.search(Wanted("trains"), now=NOW)) == ["new", "bare", "old"]
    assert ids(index.search(Wanted(), now=NOW))[-1] == "old"


def test_facets_choose_and_are_counted():
    index = filled(
        offer("1", formats=("csv", "parquet"), themes=("TRAN",)),
        offer("2", formats=("csv",), licence="CC0-1.0", themes=("HEAL",)),
        offer("3", catalogue="b", formats=("xml",), themes=("TRAN",)),
    )
    assert ids(index.search(Wanted(facets={"format": ["CSV"], "theme": ["tran"]}), now=NOW)) == ["1"]
    assert set(ids(index.search(Wanted(facets={"catalogue": ["a", "b"], "licence": ["CC-BY-4.0"]}), now=NOW))) == {"1", "3"}
    counted = index.facets(Wanted(facets={"theme": ["TRAN"]}))
    assert counted["format"] == [("csv", 1), ("parquet", 1), ("xml", 1)]
    assert counted["catalogue"] == [("a", 1), ("b", 1)]


def test_changes_replace_and_remove(tmp_path):
    index = filled(offer("1", title="Trains"), offer("2", title="Boats"), path=tmp_path / "index.sqlite")
    index.take_in("a", "copy", [Change(3, "1", offer("1", title="Buses")), Change(4, "2", None)])
    assert ids(index.search(Wanted("buses"), now=NOW)) == ["1"]
    assert not index.search(Wanted("trains"), now=NOW)
    assert not index.search(Wanted("boats"), now=NOW)
    assert index.position("a") == ("copy", 4)
    index.close()
    again = Index(tmp_path / "index.sqlite")
    assert again.position("a") == ("copy", 4)
    assert again.catalogues() == [("a", 1, "")]
    again.close()


def test_a_copy_made_anew_replaces_the_old_one():
    index = filled(offer("1"), offer("2"))
    index.take_in("a", "another", [Change(1, "3", offer("3"))])
    assert ids(index.search(Wanted(), now=NOW)) == ["3"]


def test_where_else_a_dataset_is_listed():
    index = filled(offer("1", names=("https://doi.org/10.1234/ABC",)), offer("x", catalogue="b", names=("doi:10.1234/abc",)))
    [hit] = index.search(Wanted(facets={"catalogue": ["a"]}), now=NOW)
    assert index.others(hit) == [("b", "x")]


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (("https://x.example/d/1",), ("http://www.x.example/d/1/",), True),
        (("550e8400-e29b-41d4-a716-446655440000",), ("urn:uuid:550e8400-e29b-41d4-a716-446655440000",), False),
        (("550e8400-e29b-41d4-a716-446655440000",), ("550E8400-E29B-41D4-A716-446655440000",), True),
        (("42",), ("42",), True),  # of the same publisher
        (("42",), ("43",), False),
    ],
)
def test_datasets_are_the_same_by_their_names(one, two, same):
    a, b = (offer(str(number), names=names) for number, names in enumerate((one, two)))
    assert bool(set(names_of(a)) & set(names_of(b))) == same


def test_a_number_of_one_publisher_is_not_that_of_another():
    import dataclasses

    a = offer("1", names=("42",))
    assert not set(names_of(a)) & set(names_of(dataclasses.replace(a, holder="County")))


def test_landing_pages_join_datasets_of_different_catalogues_only():
    page = ["page:x.example/p"]
    assert together([("1", "a", page), ("2", "a", page)]) == [["1"], ["2"]]
    assert together([("1", "a", page), ("2", "b", page)]) == [["1", "2"]]
    assert names_of(offer("1", pages=("https://portal.example/",))) == []


@given(st.lists(st.tuples(st.integers(), st.sampled_from("ab"), st.lists(st.sampled_from("xyz"), max_size=2)), max_size=12))
def test_grouping_loses_and_doubles_nobody(items):
    numbered = [((place, item), catalogue, names) for place, (item, catalogue, names) in enumerate(items)]
    groups = together(numbered)
    assert sorted(item for group in groups for item in group) == sorted(item for item, _, _ in numbered)
    for group in groups:
        assert group == sorted(group)
