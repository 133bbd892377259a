"""The connector to an Eclipse EDC connector, through its management API."""

from __future__ import annotations

from datalab_connectors.edc.connector import EdcConnector

__all__ = ["EdcConnector"]
