"""Every table once: what its columns mean, in which unit, within which bounds.

Checks (`expectations/`), the data dictionary (`meta.columns`), DuckDB's comments and the tables' types all come
from here; nothing else declares a column.
"""
