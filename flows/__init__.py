"""Prefect and the command line: thin flows over `pipelines/`, and nothing else."""
