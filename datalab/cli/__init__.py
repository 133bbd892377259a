"""The command line: one file per act."""
