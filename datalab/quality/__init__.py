"""Expectation suites in Great Expectations' format, compiled to one pass over Arrow."""
