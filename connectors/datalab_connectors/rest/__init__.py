"""The connector to catalogues that speak REST, each described by a short profile."""

from __future__ import annotations

from datalab_connectors.rest.connector import RestConnector

__all__ = ["RestConnector"]
