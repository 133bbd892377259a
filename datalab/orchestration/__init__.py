"""Dagster on the same pipelines. The only package that imports dagster."""
