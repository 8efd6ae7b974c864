"""Parquet files that say what made them, the same bytes for the same content."""

import io
import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.durable import write_durably

_KEY = b"painlake"


def write_parquet(path: Path, frame: pl.DataFrame, provenance: dict[str, Any] | None = None) -> bytes:
    """Write a frame; the same frame and provenance give the same bytes.

    Args:
        path: where; replaced atomically.
        frame: the rows, in their order.
        provenance: what made them, kept in the file's own metadata.

    Returns:
        The file's bytes.
    """
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    if provenance is not None:
        table = table.replace_schema_metadata({_KEY: json.dumps(provenance, sort_keys=True)})
    buffer = io.BytesIO()
    # Numbers are not dictionary-encoded: the indices of 200 different ones are the bytes 0 to 199, among them the text
    # "1234567", and a search of the bytes for an identity must find nothing but identities.
    texts = [
        field.name for field in table.schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    pq.write_table(table, buffer, compression="zstd", use_dictionary=texts, store_schema=provenance is not None)
    content = buffer.getvalue()
    write_durably(path, content)
    return content


def read_provenance(path: Path) -> dict[str, Any] | None:
    """What made a file, or None where it is missing, no parquet or does not say."""
    stated = _in_footer(path)
    if stated is not None:
        return stated
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (OSError, ValueError):
        return None
    encoded = metadata.get(_KEY)
    return None if encoded is None else json.loads(encoded)


_FOOTER_BYTES = 65_536
_ENTRY = b"\x18" + bytes([len(_KEY)]) + _KEY + b"\x18"
"""How Thrift's compact protocol writes the key, and begins its value: a text's length, and the text."""


def _in_footer(path: Path) -> dict[str, Any] | None:
    """The provenance straight from the end of a file, or None where it does not stand there as `write_parquet` puts it.

    There are twelve files a recording, and to read what all their columns are takes ten times as long.
    """
    try:
        with path.open("rb", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _FOOTER_BYTES, 0))
            end = file.read()
    except OSError:
        return None
    length = int.from_bytes(end[-8:-4], "little")
    if end[-4:] != b"PAR1" or not 0 < length <= len(end) - 8:
        return None
    footer = end[-8 - length : -8]
    _, found, value = footer.rpartition(_ENTRY)
    if not found:
        return None
    try:
        stated = json.loads(_text(value))
    except ValueError:
        return None
    return stated if isinstance(stated, dict) else None


def _text(begin: bytes) -> bytes:
    """A text that begins with its length, seven bits a byte, the lowest first."""
    length = place = 0
    for byte in begin[:5]:
        length |= (byte & 0x7F) << (7 * place)
        place += 1
        if byte < 0x80:
            break
    return begin[place : place + length]
