"""The ledger, lineage, and everything that is written for other people's eyes."""

from __future__ import annotations

from datalab.governance.bundle import write_governance
from datalab.governance.carried import carried_facts
from datalab.governance.evidence import Evidence
from datalab.governance.figures import check_figures, loose_digits
from datalab.governance.report import render_report

__all__ = ["Evidence", "carried_facts", "check_figures", "loose_digits", "render_report", "write_governance"]
