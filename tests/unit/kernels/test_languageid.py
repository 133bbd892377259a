"""Language identification: accuracy on a text nobody here wrote, agreement with the model's own code, hostile input."""

# ruff: noqa: RUF001 - texts in other scripts than Latin are the point

from __future__ import annotations

import os
import re
from pathlib import Path

import polars as pl
import pytest

from datalab.errors import NotFound, UsageError
from datalab.kernels import languageid


@pytest.fixture(scope="module")
def sentences() -> pl.DataFrame:
    data = os.environ.get("DATALAB_REFERENCE_DATA")
    if not data:
        pytest.skip("DATALAB_REFERENCE_DATA is not set: the UDHR texts are needed")
    rows = [
        (path.stem, sentence.strip())
        for path in sorted((Path(data) / "samples" / "udhr").glob("*.txt"))
        for sentence in re.split(r"(?<=[.!?;])\s+|\n+", path.read_text("utf-8"))
        if len(sentence.strip()) >= 20
    ]
    return pl.DataFrame(rows, schema=["declared", "text"], orient="row")


def test_all_24_languages_are_told_apart(sentences):
    found = sentences.with_columns(languageid.identify(sentences["text"]))
    accuracy = found.group_by("declared").agg((pl.col("declared") == pl.col("language")).mean().alias("right"))
    assert accuracy.height == 24
    assert accuracy["right"].mean() >= 0.995
    assert accuracy["right"].min() >= 0.97


def test_same_answer_as_the_model_s_own_code(sentences):
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(languageid.EU24)
    texts = sentences["text"].gather_every(9)
    found = languageid.identify(texts)
    for text, language, confidence in zip(texts, found["language"], found["confidence"], strict=True):
        expected, score = model.classify(text)
        assert language == expected
        assert abs(confidence - score) < 0.002


def test_a_text_gets_the_same_answer_in_any_company():
    texts = [
        "Alle Menschen sind frei und gleich an Würde geboren.",
        "ALLE MENSCHEN SIND FREI",
        "Всички хора се раждат свободни",
    ]
    alone = [languageid.identify(pl.Series([text])).row(0) for text in texts]
    assert languageid.identify(pl.Series(texts * 3 + ["x" * 5000])).rows()[:9] == alone * 3
    assert [language for language, _ in alone] == ["de", "de", "bg"]


def test_no_letters_no_language():
    empty = pl.Series(["", None, "12345 !?", "\n", "\0"], dtype=pl.String)
    assert languageid.identify(empty).rows() == [(None, 0.0)] * 5
    assert languageid.identify(pl.Series([], dtype=pl.String)).height == 0


def test_hostile_texts_are_answered():
    hostile = pl.Series(["a" * 1_000_000, "漢" * 5000, "\ufffd\ufeffe", "x", "e" + "\u0301" * 3000])
    assert languageid.identify(hostile)["language"].is_in(languageid.EU24).all()


def test_only_the_languages_asked_for():
    text = pl.Series(["All human beings are born free and equal"])
    assert languageid.identify(text, ("fr", "de"))["language"].item() in {"fr", "de"}
    with pytest.raises(NotFound, match="klingon"):
        languageid.identify(text, ("klingon",))
    with pytest.raises(UsageError):
        languageid.identify(text, ())


def whole_texts(lengths: tuple[int, ...]) -> pl.DataFrame:
    folder = Path(os.environ.get("DATALAB_REFERENCE_DATA", "")) / "samples" / "udhr"
    if not folder.is_dir():
        pytest.skip("DATALAB_REFERENCE_DATA is not set: the UDHR texts are needed")
    rows = [
        (path.stem, path.read_text("utf-8")[first : first + length])
        for path in sorted(folder.glob("*.txt"))
        for length in lengths
        for first in range(0, 8000, 977)
    ]
    return pl.DataFrame(rows, schema=["declared", "text"], orient="row")


def read_whole(texts: pl.Series, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    with monkeypatch.context() as patch:
        patch.setattr(languageid, "WINDOW", 1_000_000)
        return languageid.identify(texts)


def test_two_windows_say_what_the_whole_head_says(monkeypatch):
    texts = whole_texts((400, 1000))
    windowed, whole = languageid.identify(texts["text"]), read_whole(texts["text"], monkeypatch)
    assert (windowed["language"] == whole["language"]).all()
    assert (windowed["language"] == texts["declared"]).mean() >= 0.999


@pytest.mark.parametrize("boilerplate", [130, 300, 500])
def test_a_beginning_in_another_language_does_not_decide(monkeypatch, boilerplate):
    texts = whole_texts((1000 - boilerplate,))["text"]
    other = whole_texts((boilerplate,)).reverse()["text"]
    mixed = pl.select(pl.lit(other) + "\n" + pl.lit(texts)).to_series()
    assert (languageid.identify(mixed)["language"] == read_whole(mixed, monkeypatch)["language"]).mean() >= 0.99
