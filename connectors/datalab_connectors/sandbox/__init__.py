"""A data space on this machine: a real Dataspace Protocol provider with a Simpl-style catalogue, and the connector to it."""

from __future__ import annotations

from datalab_connectors.sandbox.connector import SandboxConnector
from datalab_connectors.sandbox.server import Running, start, status, stop

__all__ = ["Running", "SandboxConnector", "start", "status", "stop"]
