"""What `make bench` runs: figures side by side in one run, since these machines are shared."""
