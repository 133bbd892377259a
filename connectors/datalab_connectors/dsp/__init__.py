"""The Dataspace Protocol, versions 2025-1 and 2024-1, as plain JSON: both roles, and a connector to any provider that speaks it."""
