"""The content digest: one number for what a table holds, whatever file, codec or library carries it.

SHA-256 over the schema and, column by column, over canonical buffers: validity bits, then values with nulls zeroed
(fixed width), or 64-bit lengths and the bytes (strings, binary, lists). Dictionaries are decoded, string types are one type, NaN has
one form. The digest of a release is made from the digests of its shards in order, and a shard holds a fixed number of rows, so
neither parts nor workers show in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from datalab.model.canonical import canonical_json

_NOTHING = pa.Array.from_buffers(pa.large_binary(), 1, [None, pa.py_buffer(bytes(16)), pa.py_buffer(b"")])[0]
"""An empty text. Made from its buffers: turning a Python value into a scalar would import pandas, where that is installed."""


def schema_description(schema: pa.Schema) -> list[dict[str, Any]]:
    """Return the columns as {name, type, nullable}, with one name per logical type (``string`` for every string layout)."""
    return [{"name": item.name, "type": _type_name(item.type), "nullable": item.nullable} for item in schema]


def table_digest(table: pa.Table) -> str:
    """Return the content digest of the rows of ``table`` in their order (hex SHA-256)."""
    whole = hashlib.sha256(canonical_json({"columns": schema_description(table.schema), "rows": table.num_rows}))
    for column in table.columns:
        hasher = hashlib.sha256()
        _feed(hasher, column.chunks or [pa.array([], type=column.type)])
        whole.update(hasher.digest())
    return whole.hexdigest()


def release_digest(schema: Sequence[dict[str, Any]], shards: Iterable[tuple[str, int, str]]) -> str:
    """Return the digest of a release from its schema and its shards (split, rows, table digest) in order."""
    body = {
        "format": "datalab-content/1",
        "columns": list(schema),
        "shards": [[split, rows, content] for split, rows, content in shards],
    }
    return hashlib.sha256(canonical_json(body)).hexdigest()


def _feed(hasher: Any, chunks: Sequence[pa.Array]) -> None:
    """Feed the values of all ``chunks`` as one column; they are neither joined nor copied, a column may be as long as memory."""
    arrays = [_plain(chunk) for chunk in chunks]
    kind = arrays[0].type
    valid = [_booleans(array.is_valid()) for array in arrays]
    hasher.update(_bits(valid))
    if pa.types.is_null(kind):
        return
    if _is_text(kind):
        _feed_texts(hasher, arrays)
    elif pa.types.is_boolean(kind):
        hasher.update(_bits([_booleans(array) & there for array, there in zip(arrays, valid, strict=True)]))
    elif _is_list(kind) or pa.types.is_fixed_size_list(kind):
        for array, there in zip(arrays, valid, strict=True):
            hasher.update(np.where(there, _list_lengths(array), 0).astype("<i8").tobytes())
        _feed(hasher, [array.flatten() for array in arrays])
    elif pa.types.is_struct(kind):
        for children in zip(*(array.flatten() for array in arrays), strict=True):
            _feed(hasher, children)
    else:
        for array, there in zip(arrays, valid, strict=True):
            _feed_fixed(hasher, array, there)


def _feed_texts(hasher: Any, arrays: Sequence[pa.Array]) -> None:
    texts = []
    for array in arrays:
        flat = array.cast(pa.large_binary())
        flat = flat.fill_null(_NOTHING) if flat.null_count else flat
        offsets = np.frombuffer(flat.buffers()[1] or bytes(8), dtype=np.int64)[flat.offset : flat.offset + len(flat) + 1]
        hasher.update(np.diff(offsets).astype("<i8").tobytes())
        texts.append((flat, offsets))
    for flat, offsets in texts:
        if len(flat) and flat.buffers()[2] is not None:
            hasher.update(memoryview(flat.buffers()[2])[offsets[0] : offsets[-1]])


def _list_lengths(array: pa.Array) -> np.ndarray[Any, np.dtype[np.signedinteger[Any]]]:
    import pyarrow.compute as pc

    lengths = pc.list_value_length(array)
    width = lengths.type.byte_width
    return np.frombuffer(lengths.buffers()[1] or b"", dtype=f"<i{width}")[lengths.offset : lengths.offset + len(lengths)]


def _bits(booleans: Sequence[np.ndarray[Any, np.dtype[np.bool_]]]) -> bytes:
    return np.packbits(np.concatenate(booleans), bitorder="little").tobytes()


def _booleans(array: pa.BooleanArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return the values of ``array`` from its bits (any value where it is null): asking Arrow for numpy would import pandas."""
    bits = np.frombuffer(array.buffers()[1] or b"", dtype=np.uint8)
    return np.unpackbits(bits, count=array.offset + len(array), bitorder="little")[array.offset :].view(np.bool_)


def _plain(array: pa.Array) -> pa.Array:
    """Return the same values in the one layout that is hashed, where Arrow has several for a type."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(array.storage)
    if pa.types.is_dictionary(kind):
        return _plain(array.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        import pyarrow.compute as pc

        return _plain(pc.run_end_decode(array))
    if pa.types.is_map(kind):
        return array.cast(pa.list_(pa.struct([kind.key_field, kind.item_field])))
    return array


def _feed_fixed(hasher: Any, array: pa.Array, valid: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
    width = array.type.byte_width
    buffer = array.buffers()[1]
    if buffer is None or not len(array):
        return
    raw = np.frombuffer(buffer, dtype=np.uint8)[array.offset * width : (array.offset + len(array)) * width]
    rows = raw.reshape(len(array), width)
    if not valid.all():
        rows = np.where(valid[:, None], rows, np.uint8(0))
    if pa.types.is_floating(array.type):
        floats = np.ascontiguousarray(rows).view(f"<f{width}").copy()
        floats[np.isnan(floats)] = np.nan
        rows = floats.view(np.uint8)
    hasher.update(np.ascontiguousarray(rows).tobytes())


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or _is_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    of = pa.types
    return bool(of.is_list(kind) or of.is_large_list(kind) or of.is_list_view(kind) or of.is_large_list_view(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _type_name(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _type_name(kind.value_type)
    if _is_binary(kind):
        return "binary"
    if _is_text(kind):
        return "string"
    if _is_list(kind):
        return f"list<{_type_name(kind.value_type)}>"
    if pa.types.is_fixed_size_list(kind):
        return f"list<{_type_name(kind.value_type)}>[{kind.list_size}]"
    if pa.types.is_map(kind):
        return f"map<{_type_name(kind.key_type)}, {_type_name(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return "struct<" + ", ".join(f"{item.name}: {_type_name(item.type)}" for item in kind) + ">"
    return str(kind)
