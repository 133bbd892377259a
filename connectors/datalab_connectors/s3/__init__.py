"""The connector to buckets of an S3 store."""

from __future__ import annotations

from datalab_connectors.s3.connector import S3Connector

__all__ = ["S3Connector"]
