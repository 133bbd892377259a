"""Readers: bytes of every supported format to bounded batches, with the rows that could not be read."""
