"""Jobs: submit, progress, cancel, on a local worker process or a Dask cluster."""
