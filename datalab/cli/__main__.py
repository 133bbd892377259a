"""``python -m datalab.cli``."""

from __future__ import annotations

from datalab.cli.main import main

main()
