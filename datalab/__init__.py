"""datalab: from a data-space offer to an approved, proven, training-ready release.

Stewards import ``Pipeline``, ``Source``, ``Purpose``, ``Splits``, ``Release`` and the five services ``standardise``, ``clean``,
``scrub``, ``enrich`` and ``synthesise``; AI developers import ``open_dataset``. Everything is loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datalab.model.pipeline import Pipeline, Purpose, Release, Source, Splits
    from datalab.services import cleaning as clean
    from datalab.services import enrichment as enrich
    from datalab.services import scrubbing as scrub
    from datalab.services import standardisation as standardise
    from datalab.services import synthesis as synthesise
    from datalab.services.custom import step
    from datalab.staging.reader import open_dataset

__version__ = "0.1.0"

__all__ = [
    "Pipeline",
    "Purpose",
    "Release",
    "Source",
    "Splits",
    "clean",
    "enrich",
    "open_dataset",
    "scrub",
    "standardise",
    "step",
    "synthesise",
]

_PLACES = {
    "Pipeline": "datalab.model.pipeline:Pipeline",
    "Purpose": "datalab.model.pipeline:Purpose",
    "Release": "datalab.model.pipeline:Release",
    "Source": "datalab.model.pipeline:Source",
    "Splits": "datalab.model.pipeline:Splits",
    "clean": "datalab.services.cleaning",
    "enrich": "datalab.services.enrichment",
    "open_dataset": "datalab.staging.reader:open_dataset",
    "scrub": "datalab.services.scrubbing",
    "standardise": "datalab.services.standardisation",
    "step": "datalab.services.custom:step",
    "synthesise": "datalab.services.synthesis",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in _PLACES:
        msg = f"module 'datalab' has no attribute {name!r}"
        raise AttributeError(msg)
    module, _, attribute = _PLACES[name].partition(":")
    loaded = importlib.import_module(module)
    return getattr(loaded, attribute) if attribute else loaded


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__, "__version__"]
