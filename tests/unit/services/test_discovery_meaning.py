"""Search by meaning: vectors once for each text, facets bind, one ranking of words and meaning."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sqlite3

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalab.model.offer import Distribution, Fitness, Offer
from datalab.model.policy import Policy
from datalab.ports.connector import Change
from datalab.services.discovery import Found, Index, Wanted, fuse, open_model, vectors
from tests.unit.services.meaning_models import write_model

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def model(folder):
    return open_model(folder, {})


def offer(name, title, description="", *, catalogue="a", kind="csv", keywords=()):
    return Offer(
        connector=catalogue, dataset_id=name, offer_id="o", title=title, description=description, holder="City", policy=Policy("p"),
        distributions=(Distribution(kind, kind, ""),), licence="CC-BY-4.0", keywords=keywords, fitness=Fitness(),
    )  # fmt: skip


CITY = [
    offer("1", "Bicycle counts"),
    offer("2", "Cyclist traffic census"),
    offer("3", "Comptages de vélos", kind="xml"),
    offer("4", "Hospital stays"),
    offer("5", "", ""),
    offer("6", "Qwxz"),
]


def filled(*offers, path=None, copy="copy"):
    index = Index(path)
    put(index, *offers, copy=copy)
    return index


def put(index, *offers, copy="copy"):
    index.take_in("a", copy, [Change(number, one.dataset_id, one) for number, one in enumerate(offers, 1)])


def names(found):
    return [one.dataset for one in found]


def test_other_words_and_another_language_are_found_and_say_why(model):
    index = filled(*CITY)
    assert index.learn(model) == 6
    found = index.near(Wanted("bicycle counts"), model, least=0.5)
    assert names(found) == ["1", "3", "2"]
    assert [one.by for one in found] == [("words", "meaning"), ("meaning",), ("meaning",)]
    assert all(one.similarity == one.score > 0.5 for one in found)
    assert names(index.search(Wanted("bicycle counts"), now=NOW)) == ["1"]


def test_facets_bind_and_count_what_is_near(model):
    index = filled(*CITY)
    index.learn(model)
    found = index.near(Wanted("bicycle", {"format": ["XML"]}), model, least=0.5)
    assert names(found) == ["3"]
    assert index.near(Wanted("bicycle", {"catalogue": []}), model, least=0.5)
    assert not index.near(Wanted("bicycle", {"catalogue": ["b"]}), model, least=0.5)
    near = index.near(Wanted("bicycle"), model, least=0.5)
    assert index.facets(Wanted("bicycle"), near=near)["format"] == [("csv", 2), ("xml", 1)]
    assert index.facets(Wanted("bicycle"))["format"] == [("csv", 1)]


@pytest.mark.parametrize("text", ["", "  ", "?!", "qwxz", "[UNK]", "\ud800"])
def test_a_question_without_a_known_word_is_near_to_nothing(model, text):
    index = filled(*CITY)
    index.learn(model)
    assert index.near(Wanted(text), model, least=0.0) == []


def test_texts_without_meaning_are_near_to_nothing(model):
    index = filled(*CITY)
    index.learn(model)
    assert not {"5", "6"} & set(names(index.near(Wanted("bicycle"), model, least=0.01)))


def test_only_what_changed_is_read_again(model, tmp_path):
    index = filled(*CITY, path=tmp_path / "index.sqlite")
    assert index.learn(model) == 6
    assert index.learn(model) == 0
    put(index, dataclasses.replace(CITY[0], licence="CC0-1.0"), offer("4", "Ferry harbour"))
    assert index.learn(model) == 1
    assert names(index.near(Wanted("boats"), model, least=0.5)) == ["4"]
    assert not index.near(Wanted("patients"), model, least=0.5)
    index.take_in("a", "copy", [Change(9, "4", None)])
    assert not index.near(Wanted("boats"), model, least=0.5)
    index.take_in("a", "anew", [Change(1, one.dataset_id, one) for one in CITY])
    assert index.learn(model) == 1
    index.close()
    again = Index(tmp_path / "index.sqlite")
    assert again.learn(model) == 0
    assert len(again.near(Wanted("vélos"), model, least=0.5)) == 3
    again.close()


def test_equal_texts_are_read_once(model):
    assert filled(offer("1", "Trees"), offer("2", "Trees"), offer("3", "Trees", "of the city")).learn(model) == 2


def test_another_model_reads_everything_anew_and_leaves_nothing_of_the_first(model, tmp_path):
    index = filled(*CITY, path=tmp_path / "index.sqlite")
    index.learn(model)
    other = index.model(write_model(tmp_path / "other", seed=2))
    assert not index.near(Wanted("bicycle"), other, least=0.1)
    assert index.learn(other) == 6
    assert len(index.near(Wanted("bicycle"), other, least=0.4)) == 3
    assert not index.near(Wanted("bicycle"), model, least=0.1)
    with sqlite3.connect(tmp_path / "index.sqlite") as database:
        assert database.execute("SELECT count(DISTINCT model), count(*) FROM vector").fetchone() == (1, 6)
    database.close()
    index.close()


def test_a_cut_is_gone_on_from(model, monkeypatch):
    monkeypatch.setattr(vectors, "_BATCH", 2)
    index = filled(*CITY)

    class Cut(Exception):
        pass

    def cut(*_):
        raise Cut

    monkeypatch.setattr(vectors, "_QUIET_SECONDS", -1)
    with pytest.raises(Cut):
        index.learn(model, cut)
    told = []
    assert index.learn(model, lambda *one: told.append(one)) == 4
    assert told == [("reading what datasets mean", 2, 4), ("reading what datasets mean", 4, 4)]


def test_what_is_quick_shows_no_progress(model):
    told = []
    filled(*CITY).learn(model, lambda *one: told.append(one))
    assert told == []


def test_two_indexes_on_one_file_see_each_others_work(model, tmp_path):
    one, two = filled(*CITY, path=tmp_path / "index.sqlite"), Index(tmp_path / "index.sqlite")
    one.learn(model)
    assert len(two.near(Wanted("bicycle"), model, least=0.5)) == 3
    one.take_in("a", "copy", [Change(9, "3", None)])
    assert names(two.near(Wanted("bicycle"), model, least=0.5)) == ["1", "2"]
    one.close()
    two.close()


def test_a_damaged_vector_is_made_anew(model, tmp_path):
    index = filled(*CITY, path=tmp_path / "index.sqlite")
    index.learn(model)
    with sqlite3.connect(tmp_path / "index.sqlite") as database:
        database.execute("UPDATE vector SET vector = x'00' WHERE id IN (SELECT vector FROM meaning WHERE listing = 1)")
    database.close()
    assert names(index.near(Wanted("bicycle"), model, least=0.5)) == ["3", "2"]
    assert index.learn(model) == 1
    assert len(index.near(Wanted("bicycle"), model, least=0.5)) == 3
    index.close()


def test_the_index_remembers_that_it_looked_through_a_model(folder, tmp_path, monkeypatch):
    from datalab.services.discovery import embedding

    first = Index(tmp_path / "index.sqlite")
    digest = first.model(folder).digest
    first.close()
    monkeypatch.delattr(embedding, "_examine")
    monkeypatch.delattr(embedding, "_digest")
    again = Index(tmp_path / "index.sqlite")
    assert again.model(folder).digest == digest
    again.close()


def test_of_those_without_the_words_only_the_nearest_are_shown(model):
    index = filled(*(offer(str(number), "Cyclist census") for number in range(40)), offer("x", "Bicycle counts"))
    index.learn(model)
    found = index.near(Wanted("bicycle counts"), model, least=0.2)
    assert len(found) == 21
    assert found[0].dataset == "x"
    assert len(index.near(Wanted("bicycle counts", limit=5), model, least=0.2)) == 5
    assert index.near(Wanted("bicycle counts", limit=0), model, least=0.2) == []


def test_nearness_is_the_cosine_that_numpy_computes(model):
    index = filled(*CITY)
    index.learn(model)
    texts = model.datasets([f"{one.title}. " for one in CITY], ["" for _ in CITY])
    told = {one.dataset: one.similarity for one in index.near(Wanted("census of cyclists"), model, least=0.3)}
    right = texts @ model.vectors(["census of cyclists"])[0]
    assert told == pytest.approx(
        {one.dataset_id: round(float(near), 4) for one, near in zip(CITY, right, strict=True) if near >= 0.3}
    )
    assert np.isfinite(right).all()


# --- one ranking of two ---


def hit(name, *by):
    return Found("a", name, 0.0, by=by, similarity=0.5 if "meaning" in by else 0.0)


def test_fusion_is_the_sum_of_reciprocal_ranks():
    found = fuse([hit("x", "words"), hit("y", "words")], [hit("y", "meaning"), hit("z", "meaning")])
    assert names(found) == ["y", "x", "z"]
    assert [one.by for one in found] == [("words", "meaning"), ("words",), ("meaning",)]
    assert [one.score for one in found] == [round(score / (2 / 61), 4) for score in (1 / 62 + 1 / 61, 1 / 61, 1 / 62)]
    assert [one.similarity for one in found] == [0.5, 0.0, 0.5]


rankings = st.lists(st.lists(st.sampled_from("abcdefg"), unique=True), min_size=1, max_size=3)


@given(rankings)
def test_fusion_loses_and_doubles_nobody_and_scores_fall(given_rankings):
    found = fuse(*[[hit(name) for name in ranking] for ranking in given_rankings])
    assert sorted(names(found)) == sorted({name for ranking in given_rankings for name in ranking})
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


@given(rankings)
def test_what_is_before_another_in_every_ranking_stays_before_it(given_rankings):
    found = names(fuse(*[[hit(name) for name in ranking] for ranking in given_rankings]))
    for one in found:
        for two in found:
            if all(
                one in ranking and (two not in ranking or ranking.index(one) < ranking.index(two)) for ranking in given_rankings
            ):
                assert found.index(one) < found.index(two) or one == two
