"""Discovery: what is on offer in all catalogues, and what a bounded look at a dataset tells."""

from __future__ import annotations

from datalab.services.discovery.embedding import Model, open_model
from datalab.services.discovery.fusion import fuse
from datalab.services.discovery.index import FACETS, Found, Index, Wanted
from datalab.services.discovery.naming import names_of, together
from datalab.services.discovery.profile import SMALL_CELL, Profile, merge_profiles, profile_batch

__all__ = [
    "FACETS",
    "SMALL_CELL",
    "Found",
    "Index",
    "Model",
    "Profile",
    "Wanted",
    "fuse",
    "merge_profiles",
    "names_of",
    "open_model",
    "profile_batch",
    "together",
]
