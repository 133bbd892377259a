"""Fast pure functions over columns. Each has a plain reference implementation in its test."""
