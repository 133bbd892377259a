"""What an AI developer gets: rows that are what the manifest says, with their terms, or a refusal."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from datalab import open_dataset
from datalab.errors import NotFound, PolicyRefusal, SchemaError, UsageError, VerificationFailed
from datalab.staging.manifest import read_manifest

SHARD = "data/train/part-00001.parquet"


@pytest.fixture
def dataset(press, release):
    return open_dataset("bicycles", home=press.home, quiet=True)


def spoil(path):
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def test_it_opens_by_name_version_digest_and_path(press, release):
    digest = read_manifest(release).digest
    for reference in ("bicycles", "bicycles@1", f"bicycles@{digest[:16]}", release, str(release)):
        assert open_dataset(reference, home=press.home, quiet=True).polars().height == 75


def test_it_says_what_it_is(dataset):
    assert dataset.splits == {"train": 65, "test": 10}
    assert dataset.columns == ["id", "name"]
    assert len(dataset) == 75
    assert repr(dataset).startswith("<Dataset bicycles@1 {train: 65, test: 10} ")


def test_terms_are_shown_on_standard_error_unless_quiet(press, release, capsys):
    open_dataset("bicycles", home=press.home)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "Bicycles (bicycles@1), licence CC0-1.0. Say where it is from.\n")
    open_dataset("bicycles", home=press.home, quiet=True)
    assert capsys.readouterr().err == ""


def test_arrow_polars_and_pandas_hold_the_same_rows(dataset):
    table = dataset.arrow()
    assert table.schema == pa.schema({"id": pa.int64(), "name": pa.string()})
    assert table["id"].to_pylist() == list(range(75))
    assert dataset.polars().to_arrow().cast(table.schema) == table
    assert dataset.pandas()["id"].tolist() == table["id"].to_pylist()
    assert dataset.pandas()["name"].isna().sum() == table["name"].null_count


def test_a_split_and_columns_can_be_chosen(dataset):
    assert dataset.arrow("test", columns=["name"]).column_names == ["name"]
    assert dataset.polars("test")["id"].to_list() == list(range(65, 75))
    assert dataset.pandas("train", columns=["name", "id"]).columns.tolist() == ["name", "id"]


def test_batches_are_bounded_and_complete(dataset):
    batches = list(dataset.batches(batch_rows=7))
    assert max(batch.num_rows for batch in batches) <= 7
    assert pa.Table.from_batches(batches) == dataset.arrow()


def test_batches_come_one_shard_at_a_time(dataset, release):
    """The second shard is only looked at when the first has been read."""
    spoil(release / SHARD)
    batches = dataset.batches("train", batch_rows=1_000)
    assert sum(next(batches).num_rows for _ in range(1)) > 0
    with pytest.raises(VerificationFailed, match="part-00001"):
        list(batches)


@pytest.mark.parametrize(
    ("ask", "kind", "hint"),
    [
        (lambda data: data.arrow("tran"), NotFound, "did you mean 'train'"),
        (lambda data: data.polars("train", columns=["nam"]), SchemaError, "did you mean 'name'"),
        (lambda data: list(data.batches("dev")), NotFound, "available: test, train"),
    ],
)
def test_a_wrong_name_gets_a_hint(dataset, ask, kind, hint):
    with pytest.raises(kind) as caught:
        ask(dataset)
    assert hint in str(caught.value)


def test_a_candidate_is_refused(press):
    folder = press.publish(press.store.candidate("bicycles", "c" * 64), version="")
    with pytest.raises(PolicyRefusal, match="nobody has approved it"):
        open_dataset(folder, home=press.home)
    with pytest.raises(NotFound):
        open_dataset("bicycles", home=press.home)


def terms(valid_until):
    return {"in_words": ["Until then."], "valid_until": valid_until, "policies": []}


def test_expired_terms_are_refused(press):
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    press.publish(terms=terms(past))
    with pytest.raises(PolicyRefusal, match="the terms of bicycles@1 ended"):
        open_dataset("bicycles", home=press.home)


@pytest.mark.parametrize("until", ["2999-01-01T00:00:00Z", "2999-01-01T00:00:00+00:00", "2999-01-01"])
def test_terms_that_still_run_are_shown_with_their_end(press, until):
    press.publish(terms=terms(until))
    assert f"Valid until {until}" in open_dataset("bicycles", home=press.home, quiet=True).terms_in_short


@pytest.mark.parametrize("until", ["2001-01-01", "2001-01-01T00:00:00", "soon"])
def test_an_end_without_time_zone_or_sense_is_no_licence(press, until):
    press.publish(terms=terms(until))
    with pytest.raises(PolicyRefusal):
        open_dataset("bicycles", home=press.home)


def test_an_altered_shard_is_refused_at_first_read_and_not_before(dataset, release):
    spoil(release / SHARD)
    assert dataset.polars("test").height == 10
    for read in (dataset.arrow, dataset.polars, dataset.pandas):
        with pytest.raises(VerificationFailed, match=SHARD):
            read("train")


def test_a_missing_shard_is_named(dataset, release):
    (release / SHARD).unlink()
    with pytest.raises(VerificationFailed, match=SHARD):
        dataset.arrow()


def test_missing_terms_are_an_error(dataset, release):
    assert dataset.terms == "Say where it is from.\n"
    (release / "TERMS.md").unlink()
    with pytest.raises(VerificationFailed, match="terms are missing"):
        _ = dataset.terms


def test_altered_terms_are_an_error(dataset, release):
    (release / "TERMS.md").write_text("Do as you like.\n")
    with pytest.raises(VerificationFailed, match=r"TERMS\.md"):
        _ = dataset.terms


def test_an_altered_manifest_is_refused(press, release):
    spoil(release / "manifest.json")
    with pytest.raises(VerificationFailed):
        open_dataset("bicycles", home=press.home)


def test_it_pickles_and_checks_anew_where_it_arrives(dataset, release):
    dataset.arrow()
    there = pickle.loads(pickle.dumps(dataset))
    assert there.arrow() == dataset.arrow()
    spoil(release / SHARD)
    with pytest.raises(VerificationFailed):
        pickle.loads(pickle.dumps(dataset)).arrow()


def test_an_empty_reference_is_a_usage_error(press):
    with pytest.raises(UsageError):
        open_dataset("", home=press.home)


def test_a_dataset_without_rows_still_has_its_columns(press, monkeypatch):
    monkeypatch.setattr("tests.unit.staging.conftest.SPLITS", (("train", 0),))
    press.publish()
    dataset = open_dataset("bicycles", home=press.home, quiet=True)
    assert dataset.polars().columns == ["id", "name"]
    assert list(dataset.batches()) in ([], [dataset.arrow().to_batches()])
