"""What a file is, by the end of its name: the format that reads it and its media type. Shared by files, S3 and REST."""

from __future__ import annotations

from pathlib import PurePosixPath

_WRAPPERS = {".gz", ".zip", ".zst"}
_FORMATS = {
    ".csv": ("csv", "text/csv"),
    ".tsv": ("csv", "text/tab-separated-values"),
    ".tab": ("csv", "text/tab-separated-values"),
    ".jsonl": ("jsonl", "application/x-ndjson"),
    ".ndjson": ("jsonl", "application/x-ndjson"),
    ".parquet": ("parquet", "application/vnd.apache.parquet"),
    ".arrow": ("arrow", "application/vnd.apache.arrow.file"),
    ".feather": ("arrow", "application/vnd.apache.arrow.file"),
    ".txt": ("text", "text/plain"),
}
_MEDIA_TYPES = {media_type: kind for kind, media_type in _FORMATS.values()} | {
    "application/csv": "csv",
    "application/jsonl": "jsonl",
    "application/jsonlines": "jsonl",
    "application/x-parquet": "parquet",
    "application/parquet": "parquet",
    "application/vnd.apache.arrow.stream": "arrow",
}


def kind_of(name: str) -> tuple[str, str]:
    """Return format and media type of a file name, ("", "") where its ending is not known."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes if suffix.lower() not in _WRAPPERS]
    return _FORMATS.get(suffixes[-1], ("", "")) if suffixes else ("", "")


def kind_of_media(media_type: str) -> str:
    """Return the format of a media type (parameters ignored), "" where it is not known."""
    return _MEDIA_TYPES.get(media_type.partition(";")[0].strip().lower(), "")


def shown_name(name: str) -> str:
    """Return a foreign name as it may stand in a record or on a terminal: without line breaks and control characters."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name)
