"""A small static model, constructed: words of one idea lie near each other because they were put there. Format and library are the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

IDEAS = {
    "bicycle": ("bicycle", "bicycles", "cyclist", "cyclists", "vélos", "cyclistes", "bike"),
    "count": ("count", "counts", "census", "comptages", "number"),
    "road": ("traffic", "road", "roads", "rue"),
    "hospital": ("hospital", "stays", "patients", "clinic"),
    "tree": ("tree", "trees", "forest", "arbres"),
    "ship": ("boats", "ferry", "harbour", "ships"),
}
DIMENSIONS = 16


def write_model(folder: Path, *, seed: int = 1, dtype: str = "f4", **more: object) -> Path:
    """Write the model in Model2Vec's format and return its folder; ``more`` are further tensors."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace

    chance = np.random.default_rng(seed)
    directions = np.linalg.qr(chance.normal(size=(DIMENSIONS, DIMENSIONS)))[0]
    words, vectors = ["[UNK]"], [np.zeros(DIMENSIONS)]
    for direction, members in zip(directions, IDEAS.values(), strict=False):
        for word in members:
            words.append(word)
            vectors.append(direction + chance.normal(scale=0.05, size=DIMENSIONS))
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
    folder.mkdir(parents=True, exist_ok=True)
    matrix = np.array(vectors)
    matrix = (matrix * 100).astype(dtype) if dtype == "i1" else matrix.astype(dtype)
    save_file({"embeddings": matrix, **more}, folder / "model.safetensors")
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text('{"normalize": true}')
    return folder
