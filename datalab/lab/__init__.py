"""The use cases: the only floor that knows the whole story."""
