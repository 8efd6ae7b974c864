"""The work: one module a stage, plain typed functions; knows nothing of Prefect."""
