"""The Dataspace Protocol, versions 2025-1 and 2024-1, as plain JSON: both roles, and a connector to any provider that speaks it."""

from __future__ import annotations

from datalab_connectors.dsp.connector import DspConnector

__all__ = ["DspConnector"]
