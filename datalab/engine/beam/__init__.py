"""Beam as an engine: it schedules part descriptors over a cluster, our worker computes, receipts are the truth.

What is handed to Beam is one chain, ``Create | Reshuffle | ParDo``, a pipeline for each stage of a plan. No row, no side input,
no state, no tag, no metric and no Read: these differ from runner to runner, some silently lose data (docs/how-to/beam-flink.md).
"""

from __future__ import annotations

from datalab.engine.beam.workers import BeamWorkers

__all__ = ["BeamWorkers"]
