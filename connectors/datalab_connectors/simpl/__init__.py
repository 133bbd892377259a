"""The connector to a Simpl-Open participant node: its tier-1 REST interfaces, as the node's own users speak them."""

from __future__ import annotations

from datalab_connectors.simpl.connector import SimplConnector

__all__ = ["SimplConnector"]
