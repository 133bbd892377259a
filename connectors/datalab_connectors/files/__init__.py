"""A steward's own files, admitted by an attestation."""

from __future__ import annotations

from datalab_connectors.files.connector import FilesConnector

__all__ = ["FilesConnector"]
