"""What Dagster loads: ``dagster dev -m datalab.orchestration.definitions``. The lab is the one found from the current folder."""

from __future__ import annotations

import dagster as dg

from datalab.errors import DatalabError
from datalab.model.settings import find_settings
from datalab.orchestration.building import build_definitions


def _build() -> dg.Definitions:
    try:
        return build_definitions(find_settings())
    except DatalabError as error:
        raise dg.DagsterInvalidDefinitionError(str(error)) from None


defs = _build()
