"""DCAT-AP catalogues: RDF in any serialisation, CKAN, piveau (data.europa.eu), SPARQL."""

from __future__ import annotations

from datalab_connectors.dcat.connector import DcatConnector

__all__ = ["DcatConnector"]
