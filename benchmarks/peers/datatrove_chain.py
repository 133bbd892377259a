"""The text chain as a user of datatrove writes it: one cleaning executor, then the four of MinHash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import language_model
from benchmarks.workplace import workplace


def run(files: Sequence[str]) -> dict[str, Any]:
    """Clean, identify, judge, replace addresses, write Parquet; then signatures, buckets, clusters, filter. One task, no pool."""
    from datatrove.executor.local import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.filters import GopherQualityFilter, LanguageFilter
    from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from datatrove.utils.lid import FT176LID
    from datatrove.utils.logging import logger

    class _Packaged(FT176LID):
        """The model of the wheel: datatrove itself would fetch it from the network."""

        @property
        def model(self) -> Any:
            from fasttext.FastText import _FastText

            self._model = self._model or _FastText(str(language_model()))
            return self._model

    logger.remove()
    with workplace() as root:
        listed = root / "files.txt"
        listed.write_text("\n".join(Path(path).name for path in files))
        source = ParquetReader(str(Path(files[0]).parent), paths_file=str(listed))
        language = LanguageFilter(label_only=True)
        language.model = _Packaged(k=1)
        quality = GopherQualityFilter(min_stop_words=None, max_avg_word_length=12, max_non_alpha_words_ratio=0.6)
        clean = [
            source,
            FTFYFormatter(normalization="NFC"),
            language,
            quality,
            PIIFormatter(only_remove_public_ips=False),
            ParquetWriter(str(root / "clean"), compression="zstd"),
        ]
        config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
        again = ParquetReader(str(root / "clean"))
        stages = [
            (1, clean),
            (1, [again, MinhashDedupSignature(str(root / "signatures"), config=config)]),
            (config.num_buckets, [MinhashDedupBuckets(str(root / "signatures"), str(root / "buckets"), config=config)]),
            (1, [MinhashDedupCluster(str(root / "buckets"), str(root / "removed"), config=config)]),
            (1, [again, MinhashDedupFilter(str(root / "removed")), ParquetWriter(str(root / "out"), compression="zstd")]),
        ]
        for number, (tasks, pipeline) in enumerate(stages):
            LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=str(root / f"log-{number}")).run()
        return {"cleaned": _rows(root / "clean"), "kept": _rows(root / "out")}


def _rows(folder: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet"))
