"""One query over all catalogues: merged, the same dataset once, nobody waits for the slow, the broken are named."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest
from datalab_connectors.dcat import DcatConnector
from datalab_connectors.files import FilesConnector

from datalab.errors import NotFound, SettingsError, SourceError
from datalab.lab import open_lab
from datalab.lab.discover import catalogue_states, discover, refresh
from datalab.lab.watch import Silent
from datalab.model.agreement import Intent
from datalab.model.settings import Settings
from datalab.services.discovery import Wanted
from tests.unit.connectors.dcat_worlds import dataset, turtle
from tests.unit.services.meaning_models import write_model

RESEARCH = Intent("https://w3id.org/dpv#ScientificResearch", "count", territory="LU")
SELLING = Intent("https://w3id.org/dpv#CommercialPurpose", "sell", territory="LU", commercial=True)
DOI = 'dct:identifier "https://doi.org/10.1234/trains" ;'


class Told(Silent):
    def __init__(self):
        self.said = []

    def say(self, what):
        self.said.append(what)


class Hanging(FilesConnector):
    """A catalogue that does not answer."""

    def search(self, query):
        time.sleep(3)
        return iter(())


@pytest.fixture
def lab(tmp_path):
    tables = {"city": {"kind": "dcat"}, "country": {"kind": "dcat"}, "own": {"kind": "files"}}
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "trains.csv").write_text("a\n1\n")
    settings = Settings(root=tmp_path, connectors=tables, actor="steward", ledger_url=f"sqlite:///{tmp_path}/ledger.sqlite")
    with open_lab(settings) as opened:
        texts = {
            "city": turtle(
                dataset("trains", more=DOI), dataset("boats", licence="<https://creativecommons.org/licenses/by-nc/4.0/>")
            ),
            "country": turtle(
                dataset("x7", title="Trains of the city", more=DOI),
                dataset("closed", more="dct:accessRights right:NON_PUBLIC ;"),
            ),
        }
        for name, text in texts.items():
            (tmp_path / f"{name}.ttl").write_text(text)
            opened._connectors[name] = DcatConnector(name, {"url": str(tmp_path / f"{name}.ttl")}, tmp_path / "state" / name)
        opened._connectors["own"] = FilesConnector("own", {"root": str(tmp_path / "own")}, tmp_path / "state")
        yield opened


def hits(found):
    return [hit.offer.dataset for hit in found.hits]


def test_all_catalogues_are_searched_and_the_same_dataset_is_one_hit(lab):
    found = discover(lab, Wanted("trains"), face=Silent())
    assert sorted(hits(found)) == ["city:https://data.example/trains", "own:trains.csv"]
    [hit] = [hit for hit in found.hits if hit.also]
    assert hit.also == ("country:https://data.example/x7",)
    assert not found.silent


def test_facets_and_catalogues_choose(lab):
    assert hits(discover(lab, Wanted(facets={"licence": ["CC-BY-NC-4.0"]}), face=Silent())) == [
        "city:https://data.example/boats"
    ]
    assert hits(discover(lab, Wanted("trains"), face=Silent(), catalogues=["own"])) == ["own:trains.csv"]
    found = discover(lab, Wanted(facets={"access": ["NON_PUBLIC"]}), face=Silent())
    assert hits(found) == ["country:https://data.example/closed"]
    assert dict(found.facets["access"]) == {"NON_PUBLIC": 1}
    with pytest.raises(NotFound, match="citty"):
        discover(lab, Wanted(), face=Silent(), catalogues=["citty"])


def test_the_limit_is_of_the_whole(lab):
    assert len(discover(lab, Wanted(limit=2), face=Silent()).hits) == 2


@pytest.mark.parametrize(("intent", "expected"), [(RESEARCH, True), (SELLING, False)])
def test_a_hit_says_what_its_terms_answer(lab, intent, expected):
    [hit] = discover(lab, Wanted("boats"), face=Silent(), intent=intent).hits
    assert hit.decision.permitted is expected
    [closed] = discover(lab, Wanted("closed"), face=Silent(), intent=intent).hits
    assert not closed.decision.permitted


def test_a_slow_catalogue_stops_nobody_and_is_named(lab, tmp_path):
    lab._connectors["own"] = Hanging("own", {"root": str(tmp_path)}, tmp_path / "state")
    told, began = Told(), time.monotonic()
    found = discover(lab, Wanted("trains"), face=told, patience=1)
    assert time.monotonic() - began < 2.8
    assert hits(found) == ["city:https://data.example/trains"]
    assert "own" in found.silent
    assert told.said == [f"connector own: {found.silent['own']}"]


def test_a_broken_catalogue_is_found_in_its_copy(lab, tmp_path):
    discover(lab, Wanted("trains"), face=Silent())
    (tmp_path / "city.ttl").write_text("this is no catalogue")
    assert "city:https://data.example/trains" in hits(discover(lab, Wanted("trains"), face=Silent()))
    done = refresh(lab, face=Silent())
    assert "no Turtle" in done["city"]
    assert done["country"].datasets == 2
    assert set(done) == {"city", "country"}


def test_a_refresh_changes_what_is_found(lab, tmp_path):
    discover(lab, Wanted(), face=Silent())
    (tmp_path / "city.ttl").write_text(turtle(dataset("planes")))
    assert refresh(lab, ["city"], face=Silent())["city"].gone == 2
    assert hits(discover(lab, Wanted("planes"), face=Silent())) == ["city:https://data.example/planes"]
    assert "city:https://data.example/boats" not in hits(discover(lab, Wanted(), face=Silent()))
    assert catalogue_states(lab)["city"][0] == 1


def test_when_no_catalogue_answers_it_is_an_error(lab, tmp_path):
    for name in ("city", "country", "own"):
        lab._connectors[name] = DcatConnector(name, {"url": str(tmp_path / "nowhere.ttl")}, tmp_path / "none" / name)
    with pytest.raises(SourceError, match="no catalogue answered"):
        discover(lab, Wanted("trains"), face=Silent())


def test_a_sample_of_a_dataset_is_profiled_where_its_licence_permits_it(lab, tmp_path):
    from datalab import Pipeline, Purpose, Release, Source
    from datalab.errors import PolicyRefusal
    from datalab.lab.discover import profile_source
    from tests.conformance.connectors.faulty import site

    def pipeline(purpose):
        return Pipeline(
            name="trial", title="Trial", owner="steward@datalab.example", purpose=Purpose("https://w3id.org/dpv#" + purpose, "Look"),
            legal_basis="", source=Source(dataset="city:https://data.example/boats"), steps=[], release=Release(licence="CC0-1.0", description="x"),
        )  # fmt: skip

    with site() as web:
        web.pages["/boats.csv"] = ("text/csv", b"kind,length\n" + b"ferry,80\n" * 30)
        files = f"dcat:downloadURL <{web.url}/boats.csv> ;"
        text = turtle(dataset("boats", licence="<https://creativecommons.org/licenses/by-nc/4.0/>", files=files))
        web.pages["/catalog.ttl"] = ("text/turtle", text.encode())
        lab._connectors["city"] = DcatConnector("city", {"url": f"{web.url}/catalog.ttl"}, tmp_path / "web")
        profile, faults = profile_source(lab, pipeline("ScientificResearch"), rows=20, face=Silent())
        assert (profile.rows, faults) == (20, 0)
        assert set(profile.columns) == {"kind", "length"}
        with pytest.raises(PolicyRefusal, match="CommercialUse"):
            profile_source(lab, pipeline("CommercialPurpose"), rows=20, face=Silent())
    kinds = [event.body["kind"] for event in lab.ledger.events() if event.type == "agreement.concluded"]
    assert kinds == ["licence"]


# --- by meaning: with a model that is constructed, so that words of one idea lie near each other ---


class Answering(FilesConnector):
    """A catalogue that answers any question with all that it has."""

    def search(self, query):
        return super().search(dataclasses.replace(query, text=""))


@pytest.fixture
def knowing(lab, tmp_path):
    """The lab with a model, bicycles in a copied catalogue and in one that is asked each time."""
    write_model(tmp_path / "models" / "small")
    (tmp_path / "city.ttl").write_text(
        turtle(
            dataset("counts", title="Bicycle counts"),
            dataset("census", title="Cyclist traffic census"),
            dataset("velos", title="Comptages de vélos", licence="<https://creativecommons.org/licenses/by-nc/4.0/>"),
            dataset("stays", title="Hospital stays"),
        )
    )
    (tmp_path / "own" / "cyclists.csv").write_text("a\n1\n")
    (tmp_path / "own" / "boats.csv").write_text("a\n1\n")
    lab._connectors["own"] = Answering("own", {"root": str(tmp_path / "own")}, tmp_path / "state")
    lab.settings = dataclasses.replace(lab.settings, discovery_model=Path("models/small"), discovery_similarity=0.3)
    return lab


def ways(found):
    return {hit.offer.dataset.rpartition("/")[2]: hit.by for hit in found.hits}


def test_without_a_model_nothing_says_why_and_other_words_are_not_found(knowing):
    knowing.settings = dataclasses.replace(knowing.settings, discovery_model=None)
    found = discover(knowing, Wanted("bicycle counts"), face=Silent(), catalogues=["city", "country"])
    assert ways(found) == {"counts": ()}
    assert all(hit.similarity == 0 for hit in found.hits)


def test_other_words_are_found_in_copies_and_among_what_was_answered(knowing):
    found = discover(knowing, Wanted("bicycle counts"), face=Silent())
    assert hits(found)[0] == "city:https://data.example/counts"
    assert ways(found) == {
        "counts": ("words", "meaning"),
        "census": ("meaning",),
        "velos": ("meaning",),
        "own:cyclists.csv": ("catalogue", "meaning"),
        "own:boats.csv": ("catalogue",),
        "own:trains.csv": ("catalogue",),
        "closed": ("meaning",),  # its title is "Counts closed"
    }
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)


def test_filters_bind_what_is_found_by_meaning(knowing):
    wanted = Wanted("bicycle counts", {"licence": ["CC-BY-NC-4.0"]})
    found = discover(knowing, wanted, face=Silent())
    assert ways(found) == {"velos": ("meaning",)}
    assert dict(found.facets["licence"]) == {"CC-BY-NC-4.0": 1}
    assert ways(discover(knowing, Wanted("bicycle"), face=Silent(), catalogues=["country"])) == {}
    assert len(discover(knowing, Wanted("bicycle counts", limit=2), face=Silent()).hits) == 2


def test_a_search_without_words_needs_no_model(knowing, tmp_path):
    (tmp_path / "models" / "small" / "model.safetensors").unlink()
    assert discover(knowing, Wanted(), face=Silent()).hits
    with pytest.raises(SettingsError, match=r"no file model\.safetensors"):
        discover(knowing, Wanted("bicycle"), face=Silent())


def test_a_refresh_reads_what_is_new(knowing, tmp_path):
    refresh(knowing, face=Silent())
    (tmp_path / "city.ttl").write_text(turtle(dataset("rue", title="Forest")))
    refresh(knowing, ["city"], face=Silent())
    assert ways(discover(knowing, Wanted("arbres"), face=Silent(), catalogues=["city"])) == {"rue": ("meaning",)}
    assert ways(discover(knowing, Wanted("cyclists"), face=Silent(), catalogues=["city"])) == {}


def test_a_model_that_comes_later_reads_what_is_there(knowing):
    with_model = knowing.settings
    knowing.settings = dataclasses.replace(with_model, discovery_model=None)
    refresh(knowing, face=Silent())
    knowing.settings = with_model
    assert "velos" in ways(discover(knowing, Wanted("bicycle"), face=Silent()))
