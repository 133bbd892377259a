"""The text chain with data-juicer's operators on its own dataset class, one process. It may install nothing while it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from benchmarks.peers import language_model
from benchmarks.workplace import workplace

RECIPE: list[dict[str, dict[str, Any]]] = [
    {"fix_unicode_mapper": {"normalization": "NFC"}},
    {"whitespace_normalization_mapper": {}},
    {"language_id_score_filter": {"lang": "", "min_score": 0.0}},
    {"words_num_filter": {"min_num": 50, "max_num": 100_000}},
    {"alphanumeric_filter": {"min_ratio": 0.6}},
    {"special_characters_filter": {"max_ratio": 0.4}},
    {"clean_email_mapper": {"repl": "<EMAIL>"}},
    {"clean_ip_mapper": {"repl": "<IP>"}},
    {
        "document_minhash_deduplicator": {
            "tokenization": "space",
            "window_size": 5,
            "num_permutations": 112,
            "num_bands": 14,
            "num_rows_per_band": 8,
            "jaccard_threshold": 0.8,
        }
    },
]


def run(files: Sequence[str]) -> dict[str, Any]:
    """Load Parquet, run the recipe operator by operator, write Parquet."""
    with workplace() as root:
        (root / "models").mkdir()
        (root / "models" / "lid.176.bin").symlink_to(language_model())  # else it is fetched from the network
        os.environ["DATA_JUICER_EXTERNAL_MODELS_HOME"] = str(root / "models")
        os.environ["DATA_JUICER_CACHE_HOME"] = os.environ["HF_HOME"] = str(root / "cache")
        return _run([str(path) for path in files], root)


def _run(files: list[str], root: Path) -> dict[str, Any]:
    from datasets import load_dataset
    from loguru import logger

    logger.remove()
    _stand_in()
    from data_juicer.utils.lazy_loader import LazyLoader

    LazyLoader._install_package = staticmethod(_refuse)  # noqa: SLF001 - no setting turns it off
    from data_juicer.core.data import NestedDataset
    from data_juicer.ops import load_ops

    loaded = load_dataset("parquet", data_files=files, split="train", cache_dir=str(root / "cache"))
    operators = load_ops([{name: {**given, "num_proc": 1} for name, given in step.items()} for step in RECIPE])
    done = NestedDataset(loaded).process(operators, work_dir=str(root), open_monitor=False)
    done.to_parquet(str(root / "out.parquet"))
    return {"kept": len(done)}


class _Hollow(type):
    """A class in which every name is such a class again."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Hollow(name, (), {"__init__": lambda *_, **__: None})


class _Nothing(ModuleType):
    """A module in which every name is an empty class."""

    __path__: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(_Hollow(self.__name__, (), {}), name)


def _stand_in() -> None:
    """Put empty modules where data-juicer imports Ray and torch although none of these operators uses them.

    Without them it would install both, several gigabytes, in the middle of a run.
    """
    for name in ("ray", "ray.data", "ray.util", "ray.util.placement_group", "torch"):
        sys.modules[name] = _Nothing(name)
        sys.modules[name].__spec__ = ModuleSpec(name, None, is_package=True)
    ray, torch = vars(sys.modules["ray"]), vars(sys.modules["torch"])
    ray["remote"] = lambda *given, **_: given[0] if given else lambda made: made
    ray["is_initialized"] = lambda: False
    torch["set_num_threads"] = lambda _: None
    torch["cuda"] = SimpleNamespace(is_available=lambda: False, device_count=lambda: 0, empty_cache=lambda: None)


def _refuse(package: str, *_: Any) -> bool:
    raise ImportError(f"{package} is not installed, and nothing is installed during a measurement")
