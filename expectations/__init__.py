"""Great Expectations suites: what must hold before a dataset is published, built from `schemas/`.

This package alone imports Great Expectations, inside functions, since that takes seconds: `warm_up` does it early.
"""
