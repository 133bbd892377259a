"""Texts as vectors, by a static model on the lab's own disk: the only module that imports tokenizers and safetensors.

The folder is in Model2Vec's format (https://github.com/MinishLab/model2vec): ``model.safetensors`` holds a vector for every word of
``tokenizer.json``, and the vector of a text is the mean of its words'. These two files are read and nothing else, so no pickle is ever
opened; nothing is ever fetched. The vectors are mapped into memory: of half a million, only those of words that a text holds are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datalab.errors import MissingExtra, SettingsError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Vectors = NDArray[np.float32]
WEIGHTS, VOCABULARY = "model.safetensors", "tokenizer.json"
_LARGEST = {WEIGHTS: 8 << 30, VOCABULARY: 512 << 20}
_PICKLES = frozenset((".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz"))
_KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I8": "<i1"}
_NUMBERS = {"I64": "<i8", "I32": "<i4"}
_TENSORS = {"embeddings": _KINDS, "embedding.weight": _KINDS, "weights": _KINDS, "mapping": _NUMBERS}
"""``embedding.weight`` is what Sentence Transformers calls the same matrix. A vocabulary that was quantised has ``mapping`` and ``weights``."""
_MOST_DIMENSIONS = 4096
_MOST_WORDS = 512
_MOST_LETTERS = 4000
"""How much of a text is read: what a dataset is about stands at its beginning."""
_ROWS = 1 << 14
_DESCRIPTION = 0.5
"""What the description weighs beside title and keywords: it is longer, and its mean is more of everything."""
_WHERE = "datalab.toml, [discovery] model"
_HOW = (
    "name a folder with a static model in Model2Vec's format, for example of minishlab/potion-multilingual-128M: fetch model.safetensors "
    "and tokenizer.json where you may, and copy them there; datalab fetches no model. Or remove the setting"
)


class Examined(NamedTuple):
    """What is known of files that were read whole: the digest of their content, and the word (-1: none) that stands for unknown ones."""

    digest: str
    unknown: int


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was opened. ``digest`` names its content: vectors of another one are not comparable."""

    digest: str
    dimensions: int
    _unknown: int = field(repr=False)
    _tokenizer: Tokenizer = field(repr=False)
    _tensors: Mapping[str, NDArray[Any]] = field(repr=False)

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return one row per text, of length 1, or all zeros for a text of which the model knows no word."""
        plain = [text[:_MOST_LETTERS].encode("utf-8", "replace").decode() for text in texts]
        found = np.zeros((len(texts), self.dimensions), np.float32)
        with np.errstate(all="ignore"):
            for row, told in enumerate(self._tokenizer.encode_batch_fast(plain, add_special_tokens=False)):
                words = np.array([word for word in told.ids if word != self._unknown], np.int64)
                found[row] = self._rows(words).sum(axis=0)
        return _unit(found)

    def datasets(self, titles: Sequence[str], descriptions: Sequence[str]) -> Vectors:
        """Return the vectors of datasets: ``titles`` (with keywords) count whole, descriptions half, however long they are."""
        return _unit(self.vectors(titles) + np.float32(_DESCRIPTION) * self.vectors(descriptions))

    def _rows(self, words: NDArray[np.int64]) -> Vectors:
        mapping, weights = self._tensors.get("mapping"), self._tensors.get("weights")
        rows = self._tensors["embeddings"][words if mapping is None else mapping[words]].astype(np.float32)
        return rows if weights is None else rows * weights[words, None].astype(np.float32)


def open_model(folder: Path, examined: MutableMapping[str, Examined]) -> Model:
    """Open the model in ``folder``.

    ``examined`` remembers files that were read whole before, by names, sizes and times: looking at all numbers of a large model takes
    seconds. Raise ``SettingsError`` for a folder that holds no whole model, ``MissingExtra`` without the libraries.
    """
    try:
        return _open(folder, examined)
    except OSError as error:
        raise _broken(f"its files cannot be read: {error.strerror}", folder) from None


def _open(folder: Path, examined: MutableMapping[str, Examined]) -> Model:
    mark = _mark(folder)
    try:
        import safetensors  # noqa: F401
        import tokenizers  # noqa: F401
    except ImportError:
        raise MissingExtra.needed("embeddings", "searching by meaning") from None
    tensors = _read_tensors(folder / WEIGHTS)
    vectors = tensors.setdefault("embeddings", tensors.pop("embedding.weight", np.zeros(0)))
    if vectors.ndim != 2 or not 0 < vectors.shape[1] <= _MOST_DIMENSIONS:
        raise _broken(f"{WEIGHTS} holds no matrix 'embeddings' of 1 to {_MOST_DIMENSIONS} dimensions", folder)
    tokenizer = _read_tokenizer(folder / VOCABULARY)
    if mark not in examined:
        _examine(folder, tokenizer, **tensors)
        examined[mark] = Examined(_digest(folder), _unknown(folder, tokenizer))
    return Model(examined[mark].digest, int(vectors.shape[1]), examined[mark].unknown, tokenizer, tensors)


def _mark(folder: Path) -> str:
    """Return what tells that files are the ones of before, without reading them."""
    if not folder.is_dir():
        raise SettingsError("there is no folder with a model for searching by meaning", where=f"{_WHERE}: {folder}", next=_HOW)
    marks = []
    for name, largest in _LARGEST.items():
        path = folder / name
        if not path.is_file():
            pickled = sorted(other.name for other in folder.iterdir() if other.suffix.lower() in _PICKLES)
            more = f"; {pickled[0]} may run code when it is opened, and is not" if pickled else ""
            raise _broken(f"the model has no file {name}{more}", folder)
        found = path.stat()
        if found.st_size > largest:
            raise _broken(f"{name} is larger than {largest >> 20} MiB", folder)
        marks.append([name, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev])
    return hashlib.sha256(json.dumps(marks).encode()).hexdigest()


def _read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a file, mapped. The library judges the file first: ranges that overlap, leave holes or lie beyond its end."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
        with path.open("rb") as file:
            head = int.from_bytes(file.read(8), "little")
            told = json.loads(file.read(head))
    except (SafetensorError, OSError, ValueError) as error:
        raise _broken(f"{path.name} is no whole file in the safetensors format: {error}", path.parent) from None
    found = {}
    for name, kinds in _TENSORS.items():
        if one := told.get(name):
            if one["dtype"] not in kinds:
                raise _broken(f"{name!r} is of type {one['dtype']}, not one of {', '.join(kinds)}", path.parent)
            if 0 in one["shape"]:
                raise _broken(f"{name!r} is empty", path.parent)
            place = 8 + head + one["data_offsets"][0]
            mapped = np.memmap(path, kinds[one["dtype"]], "r", place, tuple(one["shape"]))
            found[name] = np.asarray(mapped)
    return found


def _read_tokenizer(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
        tokenizer.no_padding()
        tokenizer.enable_truncation(_MOST_WORDS)
    except BaseException as error:  # a panic of the library in Rust is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise _broken(f"{path.name} cannot be read: {str(error)[:200]}", path.parent) from None
    return tokenizer


def _unknown(folder: Path, tokenizer: Tokenizer) -> int:
    """Return the word that stands for all that are not known: it means nothing."""
    told = json.loads((folder / VOCABULARY).read_bytes())["model"]
    named = told.get("unk_token")
    found = tokenizer.token_to_id(named) if isinstance(named, str) else told.get("unk_id")
    return found if isinstance(found, int) else -1


def _examine(
    folder: Path,
    tokenizer: Tokenizer,
    embeddings: NDArray[Any],
    weights: NDArray[Any] | None = None,
    mapping: NDArray[Any] | None = None,
) -> None:
    """Look at every number of a model: a vector for each word, all finite."""
    words = tokenizer.get_vocab()
    rows = len(embeddings) if mapping is None else len(mapping)
    if not words or max(words.values()) >= rows or (mapping is None and len(words) != rows):
        raise _broken(f"the model has {len(words)} words and {rows} vectors for them", folder)
    if mapping is not None and (mapping.ndim != 1 or mapping.min() < 0 or mapping.max() >= len(embeddings)):
        raise _broken("its 'mapping' leads beyond its vectors", folder)
    if weights is not None and (weights.ndim != 1 or len(weights) < rows):
        raise _broken(f"its 'weights' are not one number for each of {rows} words", folder)
    for part in (embeddings, weights):
        for place in range(0, 0 if part is None else len(part), _ROWS):
            if part is not None and not np.isfinite(part[place : place + _ROWS]).all():
                raise _broken("it holds numbers that are not finite (NaN or infinite)", folder)


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in _LARGEST:
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _unit(found: NDArray[Any]) -> Vectors:
    """Return the rows at length 1; what has no length, or none that is a number, becomes zeros."""
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        good = np.isfinite(lengths) & (lengths > 1e-6)
        return np.where(good, found / np.where(good, lengths, 1), 0).astype(np.float32)


def _broken(what: str, folder: Path) -> SettingsError:
    return SettingsError(f"the model for searching by meaning cannot be used: {what}", where=f"{_WHERE}: {folder}", next=_HOW)
