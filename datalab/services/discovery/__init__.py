"""Discovery: what is on offer, and what a bounded look at a dataset tells."""

from __future__ import annotations

from datalab.services.discovery.profile import SMALL_CELL, Profile, merge_profiles, profile_batch

__all__ = ["SMALL_CELL", "Profile", "merge_profiles", "profile_batch"]
