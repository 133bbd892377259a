"""The verbs: one package per Data Lab service. A service hands out its steps; stewards list them in a pipeline."""
