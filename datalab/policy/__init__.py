"""The policy engine: parse ODRL, decide, and say why. What it does not understand means no."""
