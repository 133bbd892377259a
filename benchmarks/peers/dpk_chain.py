"""The text chain with Data Prep Kit's transforms, in one process: language, quality, filter, ids, fuzzy deduplication."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers import language_model
from benchmarks.workplace import workplace

_KEEP = [
    "docq_total_words >= 50",
    "docq_mean_word_len BETWEEN 3 AND 12",
    "docq_symbol_to_word_ratio <= 0.1",
    "docq_bullet_point_ratio <= 0.9",
    "docq_ellipsis_line_ratio <= 0.3",
    "docq_alphabet_word_ratio >= 0.8",
]


def run(files: Sequence[str]) -> dict[str, Any]:
    """Annotate and filter file by file, then the four steps of fuzzy deduplication over the folder, 14 bands of 8."""
    import dpk_doc_quality.transform as quality_module
    import pyarrow as pa
    import pyarrow.parquet as pq
    from dpk_doc_id.transform import DocIDTransform, IDGenerator, doc_column_name_key, id_generator_key, int_column_name_key
    from dpk_fdedup.transform_python import Fdedup
    from dpk_filter.transform import (
        FilterTransform,
        filter_columns_to_drop_key,
        filter_criteria_key,
        filter_logical_operator_key,
    )
    from dpk_lang_id.transform import LangIdentificationTransform, content_column_name_key, model_kind_key, model_url_key

    logging.disable(logging.WARNING)
    words = Path(quality_module.__file__).parent / "ldnoobw" / "en"
    language = LangIdentificationTransform(
        {content_column_name_key: "text", model_kind_key: "fasttext", model_url_key: str(language_model())}
    )
    quality = quality_module.DocQualityTransform(
        {
            quality_module.text_lang_key: "en",
            quality_module.doc_content_column_key: "text",
            quality_module.bad_word_filepath_key: str(words),
        }
    )
    chosen = FilterTransform({filter_criteria_key: _KEEP, filter_logical_operator_key: "AND", filter_columns_to_drop_key: []})
    numbers = DocIDTransform(
        {doc_column_name_key: "text", int_column_name_key: "int_id_column", id_generator_key: IDGenerator(0)}
    )
    with workplace() as root:
        (root / "clean").mkdir()
        cleaned = 0
        for path in files:
            table = pq.read_table(path)
            for transform in (language, quality, chosen, numbers):
                [table, *_], _facts = transform.transform(table)
            table = table.cast(
                pa.schema([field if field.name != "int_id_column" else field.with_type(pa.int64()) for field in table.schema])
            )
            pq.write_table(table, root / "clean" / Path(path).name, compression="zstd")
            cleaned += table.num_rows
        status = Fdedup(
            input_folder=str(root / "clean"),
            output_folder=str(root / "out"),
            contents_column="text",
            document_id_column="int_id_column",
            num_permutations=112,
            num_bands=14,
            num_minhashes_per_band=8,
            jaccard_similarity_threshold=0.8,
            operation_mode="filter_duplicates",
        ).transform()
        kept = sum(pq.read_metadata(path).num_rows for path in (root / "out" / "cleaned").rglob("*.parquet"))
        if status or not kept:
            raise RuntimeError("fuzzy deduplication wrote nothing")
        return {"cleaned": cleaned, "kept": kept}
