"""Discover: one query over the configured catalogues, and a bounded look at a dataset under its terms."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from datalab.errors import SourceError
from datalab.formats import read
from datalab.lab.acquire import acquire
from datalab.lab.lab import Lab
from datalab.lab.watch import Face
from datalab.model.offer import Offer, Query
from datalab.model.pipeline import Pipeline
from datalab.services.discovery import Profile, merge_profiles, profile_batch

_BATCH = 8_192


def discover(lab: Lab, text: str, *, limit: int = 50, face: Face) -> Iterator[Offer]:
    """Yield offers of all configured connectors; a catalogue that fails is named and does not stop the others."""
    failures = 0
    for name in lab.settings.connectors:
        try:
            yield from lab.connector(name).search(Query(text, limit))
        except SourceError as error:
            failures += 1
            face.say(f"connector {name}: {error}")
    if failures and failures == len(lab.settings.connectors):
        raise SourceError("no catalogue answered", where=", ".join(lab.settings.connectors), next="datalab doctor says more")


def profile_source(lab: Lab, pipeline: Pipeline, *, rows: int, face: Face) -> tuple[Profile, int]:
    """Profile at most ``rows`` records of the pipeline's source, acquired under its purpose; return the profile and the broken records met."""
    acquired = acquire(lab, pipeline, face.progress)
    batches, faults, left = [], 0, rows
    for item in acquired.inputs:
        options = item.options
        for chunk in islice(read(item.object.path, options, batch_rows=min(_BATCH, rows)), -(-left // _BATCH)):
            frame = chunk.frame.head(left)
            faults += len(chunk.faults)
            left -= frame.height
            batches.append(profile_batch(frame))
            face.progress(f"profiling {item.object.name}", rows - left, rows)
        if left <= 0:
            break
    return merge_profiles(batches), faults
