"""Parquet files that say what made them, the same bytes for the same content."""

import io
import json
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
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (OSError, ValueError):
        return None
    encoded = metadata.get(_KEY)
    return None if encoded is None else json.loads(encoded)
