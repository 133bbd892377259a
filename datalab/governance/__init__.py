"""The ledger, lineage, and everything that is written for other people's eyes."""
