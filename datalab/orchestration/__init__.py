"""Dagster on the same pipelines. The only package that imports dagster; loaded by Dagster and by nothing else in datalab."""
