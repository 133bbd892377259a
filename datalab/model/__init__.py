"""The nouns of datalab: frozen dataclasses without behaviour that reaches outside."""
