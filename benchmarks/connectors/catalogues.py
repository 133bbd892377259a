"""A harvest of 10,000 DCAT datasets over HTTP into the index, page by page, and searches in it.

The catalogue is generated: 100 pages of Turtle linked by Hydra, on a server that is a process of its own. Ours is all of it: fetching, parsing,
cutting into records, keeping them, reading terms and quality, full text and facets. Theirs is what a script does first: rdflib parses the
same pages, and nothing else. A search is one to three words, a third of them with facets, grouped with its duplicates' names; theirs looks
for the words with LIKE. Every word stands in three quarters of
the texts, which is the worst that can be asked. CPU time of the process and of the searching thread; the wall stands beside.

The same searches by meaning, too: the words are ranked as before, and by a static model of 256 dimensions, whose vectors are drawn by lot
(what they say costs nothing); facets bind in both, and the two rankings become one. Theirs is still LIKE. Beside it stands what reading the
texts took, once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from statistics import median
from typing import Any

from benchmarks.compare import figure
from benchmarks.measure import Command, run_pairs
from benchmarks.registry import Scale
from benchmarks.row import Goal, Row

GOALS = (
    Goal("dcat-harvest", "CPU seconds to harvest and index 10,000 DCAT datasets; theirs only parses them, with rdflib", "lower", floor=20, goal=8),
    Goal("dcat-search", "CPU milliseconds that 95 of 100 searches among 10,000 datasets stay below; theirs is LIKE", "lower", floor=50, goal=10),
    Goal("dcat-search-meaning", "CPU milliseconds that 95 of 100 such searches by words and meaning stay below; theirs is LIKE", "lower", floor=50, goal=25),
)  # fmt: skip
_PER_PAGE = 100
_WORDS = [
    "traffic",
    "water",
    "air",
    "school",
    "hospital",
    "budget",
    "bicycle",
    "road",
    "forest",
    "energy",
    "solar",
    "noise",
    "tree",
    "museum",
    "election",
    "census",
    "harvest",
    "river",
    "housing",
    "tourism",
    "accident",
    "vaccine",
    "income",
    "export",
    "library",
    "weather",
    "parking",
    "waste",
    "tram",
    "ferry",
]
_PLACES = [
    "Luxembourg",
    "Berlin",
    "Paris",
    "Lyon",
    "Porto",
    "Gent",
    "Aarhus",
    "Turku",
    "Kraków",
    "Brno",
    "Graz",
    "Cork",
    "Sofia",
    "Split",
    "Riga",
    "Tartu",
]
_LICENCES = ("CC_BY_4_0", "CC0", "CC_BYNC_4_0", "ODC_BL")
_THEMES = ("TRAN", "ENVI", "HEAL", "ECON", "SOCI", "EDUC", "AGRI", "ENER")


def measure(scale: Scale) -> Iterator[Row]:
    """Harvest and search in a child of its own, by turns with rdflib and LIKE."""
    datasets = 1_000 if scale.quick else 10_000
    sides = [Command(f"benchmarks.connectors.catalogues:{name}", {"datasets": datasets}) for name in ("harvested", "parsed")]
    pairs = run_pairs(*sides, scale.pairs, scale.say)
    data = {"datasets": datasets, "pages": datasets // _PER_PAGE, "bytes": pairs.ours[0].result["bytes"]}
    for goal, name, unit in ((GOALS[0], "cpu", "CPU s"), (GOALS[1], "p95", "ms")):
        ours, theirs = (median(one.result[name] for one in getattr(pairs, side)) for side in ("ours", "theirs"))
        walls = {"cpu": ("wall", "wall_s"), "p95": ("wall_p95", "wall_p95_ms")}
        more = {walls[name][1]: round(median(one.result[walls[name][0]] for one in pairs.ours), 2)}
        packages = ("pyoxigraph", "rdflib")
        yield figure(goal, ours=ours, theirs=theirs, ratio=ours, unit=unit, data=data, packages=packages, more=more)
    ours, theirs = (
        median(one.result[name] for one in getattr(pairs, side)) for side, name in (("ours", "meaning_p95"), ("theirs", "p95"))
    )
    told = ("meaning_p50", "meaning_wall_p95", "learn_cpu", "learn_again_ms", "first_ms")
    more = {name: round(median(one.result[name] for one in pairs.ours), 2) for name in told}
    yield figure(
        GOALS[2], ours=ours, theirs=theirs, ratio=ours, unit="ms", data=data, packages=("tokenizers", "numpy"), more=more
    )


def harvested(datasets: int) -> dict[str, Any]:
    """Harvest the catalogue into a new index, then search it."""
    import tempfile
    from pathlib import Path
    from time import perf_counter, process_time

    from datalab_connectors.dcat import DcatConnector

    from datalab.services.discovery import Index, Wanted

    with tempfile.TemporaryDirectory(prefix="datalab-bench-") as folder, _Served(datasets) as (url, size):
        connector = DcatConnector("portal", {"url": url}, Path(folder, "state"))
        index = Index(Path(folder, "index.sqlite"))
        began, wall = process_time(), perf_counter()
        done = connector.harvest(lambda *_: None)
        name, _, ended = connector.state()
        taken = index.take_in("portal", name, connector.changes(0), ended)
        cpu, wall = process_time() - began, perf_counter() - wall
        assert done.datasets == taken == datasets

        def search(words: str, facets: dict[str, list[str]]) -> None:
            for hit in index.search(Wanted(words, facets, 20))[:1]:
                index.others(hit)

        times = _timed(search)
        times |= _by_meaning(index, Path(folder, "model"))
        index.close()
    return {"cpu": cpu, "wall": wall, "bytes": size, **times}


def _by_meaning(index: Any, folder: Any) -> dict[str, float]:
    """Read what the datasets mean by a model of the words that occur, then search by words and meaning as a user does."""
    from time import perf_counter, process_time

    from datalab.services.discovery import Wanted, fuse

    _write_model(folder)
    model = index.model(folder)
    began = process_time()
    index.learn(model)
    learn = process_time() - began
    began = process_time()
    assert index.learn(model) == 0
    again = process_time() - began
    began = perf_counter()
    assert index.near(Wanted("bicycle"), model, least=0.2)
    first = perf_counter() - began

    def search(words: str, facets: dict[str, list[str]]) -> None:
        wanted = Wanted(words, {**facets, "catalogue": ["portal"]}, 60)
        for hit in fuse(index.search(wanted), index.near(wanted, model, least=0.2))[:1]:
            index.others(hit)

    times = {f"meaning_{name}": value for name, value in _timed(search).items()}
    return {**times, "learn_cpu": learn, "learn_again_ms": again * 1000, "first_ms": first * 1000}


def _write_model(folder: Any) -> None:
    import numpy as np
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace

    words = ["[unk]", *(word.lower() for word in (*_WORDS, *_PLACES)), *(f"word{number}" for number in range(30_000))]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[unk]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
    folder.mkdir()
    save_file(
        {"embeddings": np.random.default_rng(7).normal(size=(len(words), 256)).astype("f4")}, folder / "model.safetensors"
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text('{"normalize": true}')


def parsed(datasets: int) -> dict[str, Any]:
    """Parse the pages with rdflib, and look for words with LIKE."""
    import sqlite3
    from time import process_time

    import rdflib

    pages = _pages(datasets, "http://127.0.0.1")
    began = process_time()
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE listing (text TEXT)")
    for page in pages:
        graph = rdflib.Graph()
        graph.parse(data=page, format="turtle")
    cpu = process_time() - began
    database.executemany("INSERT INTO listing VALUES (?)", [(_text(number),) for number in range(datasets)])

    def search(words: str, _: object) -> None:
        where = " AND ".join("text LIKE ?" for _ in words.split())
        database.execute(
            f"SELECT rowid FROM listing WHERE {where} ORDER BY length(text) LIMIT 20", [f"%{word}%" for word in words.split()]
        ).fetchall()

    return {"cpu": cpu, **_timed(search)}


def _timed(search: Any) -> dict[str, float]:
    from time import perf_counter, thread_time

    chance = random.Random(7)
    taken, waited = [], []
    for number in range(300):
        words = " ".join(chance.sample([*_WORDS, *_PLACES], 1 + number % 3))
        facets = {"theme": [chance.choice(_THEMES)], "licence": ["CC-BY-4.0", "CC0-1.0"]} if number % 3 == 0 else {}
        began, wall = thread_time(), perf_counter()
        search(words, facets)
        taken.append((thread_time() - began) * 1000)
        waited.append((perf_counter() - wall) * 1000)
    taken.sort()
    waited.sort()
    place = int(len(taken) * 0.95)
    return {"p50": taken[len(taken) // 2], "p95": taken[place], "wall_p95": waited[place]}


def _text(number: int) -> str:
    chance = random.Random(number)
    return " ".join(chance.choices([*_WORDS, *_PLACES], k=60))


def _dataset(number: int) -> str:
    text, chance = _text(number), random.Random(-number - 1)
    words = text.split()
    files = "".join(
        f'<https://data.example/d/{number}/{kind}> a dcat:Distribution ; dct:title "{kind}"@en ; dct:description "{words[1]}"@en ; '
        f"dcat:accessURL <https://data.example/{number}.{kind}> ; dcat:downloadURL <https://data.example/{number}.{kind}> ; "
        f"dct:license l:{_LICENCES[number % 4]} ; dct:format f:{kind.upper()} ; dcat:mediaType <https://www.iana.org/assignments/media-types/text/{kind}> ; "
        f'dcat:byteSize "{chance.randrange(10**7)}"^^xsd:nonNegativeInteger ; '
        f'spdx:checksum [ a spdx:Checksum ; spdx:algorithm spdx:checksumAlgorithm_sha256 ; spdx:checksumValue "{chance.randbytes(32).hex()}"^^xsd:hexBinary ] .\n'
        for kind in ("csv", "json")
    )
    keywords = ", ".join(f'"{word}"@en' for word in words[:5])
    return (
        f'<https://data.example/d/{number}> a dcat:Dataset ; dct:identifier "{number}" ; dct:title "{" ".join(words[5:10])}"@en, "{" ".join(words[10:14])}"@de ; '
        f'dct:description "{text}"@en ; dcat:keyword {keywords} ; dcat:theme t:{_THEMES[number % 8]} ; dct:accessRights r:PUBLIC ; '
        f'dct:issued "2024-01-01"^^xsd:date ; dct:modified "2026-{number % 9 + 1:02d}-11"^^xsd:date ; dct:language <http://publications.europa.eu/resource/authority/language/ENG> ; '
        f'dct:publisher <https://data.example/p/{number % 300}> ; dcat:contactPoint [ a vcard:Kind ; vcard:fn "Desk {number % 40}" ] ; '
        f"dcat:landingPage <https://data.example/page/{number}> ; dcat:distribution <https://data.example/d/{number}/csv>, <https://data.example/d/{number}/json> .\n"
        f'<https://data.example/p/{number % 300}> a foaf:Agent ; foaf:name "Office {number % 300}" .\n{files}'
    )


def _pages(datasets: int, base: str) -> list[bytes]:
    head = "".join(f"@prefix {name}: <{iri}> .\n" for name, iri in _PREFIXES.items())
    pages = []
    for place in range(0, datasets, _PER_PAGE):
        number = place // _PER_PAGE + 1
        more = f"hydra:next <{base}/catalog.ttl?page={number + 1}> ; " if place + _PER_PAGE < datasets else ""
        link = f"<{base}/catalog.ttl?page={number}> a hydra:PartialCollectionView ; {more}hydra:totalItems {datasets} .\n"
        pages.append((head + link + "".join(map(_dataset, range(place, min(place + _PER_PAGE, datasets))))).encode())
    return pages


_AUTHORITY = "http://publications.europa.eu/resource/authority/"
_PREFIXES = {
    "dcat": "http://www.w3.org/ns/dcat#", "dct": "http://purl.org/dc/terms/", "foaf": "http://xmlns.com/foaf/0.1/",
    "spdx": "http://spdx.org/rdf/terms#", "vcard": "http://www.w3.org/2006/vcard/ns#", "xsd": "http://www.w3.org/2001/XMLSchema#",
    "hydra": "http://www.w3.org/ns/hydra/core#", "t": _AUTHORITY + "data-theme/", "l": _AUTHORITY + "licence/",
    "f": _AUTHORITY + "file-type/", "r": _AUTHORITY + "access-right/",
}  # fmt: skip


class _Served:
    """The catalogue on a server in a process of its own; entering gives its address and size in bytes."""

    def __init__(self, datasets: int) -> None:
        self._datasets = datasets

    def __enter__(self) -> tuple[str, int]:
        import multiprocessing

        there, here = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(target=_serve, args=(self._datasets, there), daemon=True)
        self._process.start()
        found: tuple[str, int] = here.recv()
        return found

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()


def _serve(datasets: int, pipe: Any) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from urllib.parse import parse_qs, urlsplit

    pages: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            number = int(parse_qs(urlsplit(self.path).query).get("page", ["1"])[0])
            self.send_response(200)
            self.send_header("content-type", "text/turtle")
            self.send_header("content-length", str(len(pages[number - 1])))
            self.end_headers()
            self.wfile.write(pages[number - 1])

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    base = f"http://127.0.0.1:{server.server_address[1]}"
    pages += _pages(datasets, base)
    pipe.send((f"{base}/catalog.ttl", sum(map(len, pages))))
    server.serve_forever()
