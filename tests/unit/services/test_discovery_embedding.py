"""The door to the model: what a folder must hold, what is refused, and texts of every kind."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalab.errors import MissingExtra, SettingsError
from datalab.services.discovery import open_model
from tests.unit.services.meaning_models import DIMENSIONS, write_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def model(folder):
    return open_model(folder, {})


def similarity(model, one, two):
    a, b = model.vectors([one, two])
    return float(a @ b)


def test_words_of_one_idea_are_near_and_others_are_not(model):
    assert similarity(model, "bicycle counts", "Comptages vélos") > 0.9
    assert similarity(model, "bicycle counts", "hospital stays") < 0.3
    assert model.dimensions == DIMENSIONS


TEXTS = ["cyclist traffic census", "boats", "Trees, trees and a ferry in the qwxz", "bicycle " * 20, ""]


def theirs(folder):
    """Return what Model2Vec itself makes of the texts."""
    from model2vec import StaticModel

    return StaticModel.from_pretrained(folder, force_download=False, normalize=True).encode(TEXTS)


def test_it_gives_what_model2vec_gives(folder, model):
    assert np.allclose(model.vectors(TEXTS), theirs(folder), atol=1e-6)


@pytest.mark.parametrize("kind", ["Unigram", "Bpe", "WordPiece"])
def test_tokenizers_of_every_kind_give_what_model2vec_gives(tmp_path, kind):
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer({"Unigram": models.Unigram, "Bpe": models.BPE, "WordPiece": models.WordPiece}[kind]())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace() if kind == "Unigram" else pre_tokenizers.Whitespace()
    more = {"unk_token": "<unk>"} if kind == "Unigram" else {}
    trainer = getattr(trainers, f"{kind}Trainer")(vocab_size=60, special_tokens=["<unk>"], show_progress=False, **more)
    tokenizer.train_from_iterator(["cyclist traffic census boats trees ferry bicycle"] * 20, trainer)
    if kind != "Unigram":
        tokenizer.model.unk_token = "<unk>"
    tokenizer.enable_padding()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text("{}")
    matrix = np.random.default_rng(1).normal(size=(tokenizer.get_vocab_size(), 8)).astype("f4")
    save_file({"embeddings": matrix}, tmp_path / "model.safetensors")
    assert np.allclose(open_model(tmp_path, {}).vectors(TEXTS), theirs(tmp_path), atol=1e-5)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1"])
def test_models_of_every_precision(tmp_path, dtype):
    assert similarity(open_model(write_model(tmp_path, dtype=dtype), {}), "bicycle", "cyclist") > 0.9


def test_a_quantised_vocabulary_is_followed(tmp_path):
    """Model2Vec may keep fewer vectors than words: `mapping` leads from one to the other, `weights` weigh the words."""
    from safetensors.numpy import load_file, save_file

    folder = write_model(tmp_path)
    matrix = load_file(folder / "model.safetensors")["embeddings"]
    few = {"embeddings": matrix[1:8].copy(), "mapping": np.arange(len(matrix)) % 7, "weights": np.linspace(0.1, 1, len(matrix))}
    save_file(few, folder / "model.safetensors")
    assert np.allclose(open_model(folder, {}).vectors(TEXTS), theirs(folder), atol=1e-6)


def test_a_static_model_of_sentence_transformers_is_read_too(tmp_path, model):
    from safetensors.numpy import load_file, save_file

    folder = write_model(tmp_path)
    save_file({"embedding.weight": load_file(folder / "model.safetensors")["embeddings"]}, folder / "model.safetensors")
    (folder / "config.json").unlink()
    assert np.array_equal(open_model(folder, {}).vectors(TEXTS), model.vectors(TEXTS))


@given(st.lists(st.text(max_size=40), max_size=4))
@settings(max_examples=40)
def test_every_text_has_a_vector_of_length_one_or_none(model, texts):
    found = model.vectors(texts)
    assert found.shape == (len(texts), DIMENSIONS)
    lengths = np.linalg.norm(found, axis=1)
    assert ((np.abs(lengths - 1) < 1e-4) | (lengths == 0)).all()


@pytest.mark.parametrize("text", ["", " \n", "\ud800", "qwxz", "\0", "[UNK]"])
def test_a_text_without_a_known_word_is_zeros(model, text):
    assert not model.vectors([text]).any()


def test_a_long_description_costs_no_more_than_its_beginning(model):
    long = "bicycle " * 130_000
    assert np.allclose(model.vectors([long]), model.vectors(["bicycle"]), atol=1e-5)
    title = model.datasets(["hospital"], [long])[0]
    assert title @ model.vectors(["hospital"])[0] > title @ model.vectors(["bicycle"])[0]


def test_the_digest_is_of_the_content_and_read_once(tmp_path):
    examined = {}
    first = open_model(write_model(tmp_path / "one"), examined).digest
    assert open_model(write_model(tmp_path / "two"), {}).digest == first
    assert open_model(write_model(tmp_path / "three", seed=2), {}).digest != first
    [mark] = examined
    examined[mark] = examined[mark]._replace(digest="remembered")
    assert open_model(tmp_path / "one", examined).digest == "remembered"
    write_model(tmp_path / "one", seed=3)
    assert open_model(tmp_path / "one", examined).digest not in {first, "remembered"}


def refused(folder, words):
    with pytest.raises(SettingsError, match=words) as caught:
        open_model(folder, {})
    assert "Model2Vec's format" in caught.value.next
    assert str(folder) in caught.value.where


def test_a_folder_that_is_not_there_is_an_error_that_says_how_to_get_one(tmp_path):
    refused(tmp_path / "minishlab" / "potion-base-8M", "no folder")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "no folder")


def test_a_folder_that_cannot_be_read(tmp_path):
    refused(tmp_path / ("x" * 300), "cannot be read: File name too long|no folder")
    folder = write_model(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to("tokenizer.json")
    refused(folder, r"no file tokenizer\.json")
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")
    refused(folder, r"no file model\.safetensors")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_every_file_must_be_there(tmp_path, name):
    (write_model(tmp_path) / name).unlink()
    refused(tmp_path, f"no file {name}")


class Bomb:
    def __reduce__(self):
        return os.mkdir, (f"{os.environ['BOMB']}/gone-off",)


def test_pickles_are_never_opened(tmp_path, monkeypatch):
    monkeypatch.setenv("BOMB", str(tmp_path))
    folder = write_model(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    refused(folder, "pytorch_model.bin may run code when it is opened, and is not")
    (folder / "pytorch_model.bin").rename(folder / "model.safetensors")
    refused(folder, "no whole file in the safetensors format")
    assert not (tmp_path / "gone-off").exists()


def header(**tensors):
    told = json.dumps(tensors).encode()
    return len(told).to_bytes(8, "little") + told


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\3\4",
        (1 << 62).to_bytes(8, "little") + b"{}",
        header(embeddings={"dtype": "F32", "shape": [1 << 40, 16], "data_offsets": [0, 1 << 46]}),
        header(embeddings={"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 8]}) + bytes(8),
        header(embeddings={"dtype": "F32", "shape": [2, 2], "data_offsets": [4, 20]}) + bytes(20),
        header(embeddings={"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}) + bytes(15),
    ],
    ids=["empty", "zip", "endless header", "huge", "short", "hole", "cut"],
)
def test_a_broken_file_of_vectors(tmp_path, content):
    (write_model(tmp_path) / "model.safetensors").write_bytes(content)
    refused(tmp_path, "no whole file in the safetensors format")


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"other": np.zeros((2, 2), "f4")}, "no matrix"),
        ({"embeddings": np.zeros(4, "f4")}, "no matrix"),
        ({"embeddings": np.zeros((0, 4), "f4")}, "empty"),
        ({"embeddings": np.zeros((2, 0), "f4")}, "empty"),
        ({"embeddings": np.zeros((2, 5000), "f4")}, "no matrix"),
        ({"embeddings": np.zeros((2, 4), "i8")}, "of type I64"),
        ({"embeddings": np.zeros((2, 4), "f4")}, "words and 2 vectors"),
        ({"embeddings": np.full((29, 4), np.nan, "f4")}, "not finite"),
        ({"embeddings": np.full((29, 4), np.inf, "f2")}, "not finite"),
        ({"embeddings": np.ones((29, 4), "f4"), "weights": np.full(29, np.nan, "f4")}, "not finite"),
        ({"embeddings": np.ones((29, 4), "f4"), "weights": np.ones(3, "f4")}, "weights"),
        ({"embeddings": np.ones((29, 4), "f4"), "mapping": np.full(29, 29, "i8")}, "beyond its vectors"),
        ({"embeddings": np.ones((29, 4), "f4"), "mapping": np.full(29, -1, "i8")}, "beyond its vectors"),
        ({"embeddings": np.ones((29, 4), "f4"), "mapping": np.ones((29, 2), "i8")}, "beyond its vectors"),
        ({"embeddings": np.ones((29, 4), "f4"), "mapping": np.ones(29, "f4")}, "of type F32"),
    ],
)
def test_vectors_that_do_not_fit(tmp_path, tensors, words):
    from safetensors.numpy import save_file

    folder = write_model(tmp_path)
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    assert len(vocabulary) == 29
    save_file(tensors, folder / "model.safetensors")
    refused(folder, words)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"version": "1.0", "model": {"type": "None"}}', "[" * 100_000, "\udcff"]
)
def test_a_broken_tokenizer(tmp_path, text):
    (write_model(tmp_path) / "tokenizer.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(tmp_path, "tokenizer.json cannot be read")


def test_without_the_library_the_error_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra) as caught:
        open_model(folder, {})
    assert caught.value.next == "pip install 'aif-datalab[embeddings]'"


def test_neither_the_network_nor_a_hub_is_asked(folder):
    """In a process of its own: sockets are forbidden, and the library's client for its hub is never loaded."""
    code = (
        "import sys\n"
        "def watch(event, args):\n"
        "    if event.startswith('socket.') or event in ('pickle.find_class',): raise SystemExit(event)\n"
        "from pathlib import Path\n"
        "from datalab.services.discovery import open_model\n"
        "assert not {'tokenizers', 'safetensors'} & set(sys.modules)\n"
        "sys.addaudithook(watch)\n"
        f"print(open_model(Path({str(folder)!r}), {{}}).vectors(['bicycle']).shape)\n"
        "print(sorted({'huggingface_hub', 'hf_xet', 'model2vec', 'torch'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:2] == ["(1, 16)", "[]"], done.stdout + done.stderr
