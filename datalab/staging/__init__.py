"""Releases on disk: write, verify, read, pull."""
