"""What is relied on of Beam, asked of each runner with small pipelines of the one shape that we use."""

from __future__ import annotations

import os
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from datalab.engine.beam.runners import find_runner
from tests.conformance.engines import clusters
from tests.conformance.engines.probes import Fails, Notes

ROOT = Path(__file__).parents[3]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.cluster,
    # Beam's own: sockets and streams that it leaves to the garbage collector, and threads that end with their pipeline
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(params=["fnapi", "multi-processing", "portable", "flink"])
def run(request, monkeypatch):
    """Run a `DoFn` over elements on a runner, in our one shape; raise what it raises."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "connectors")]))
    if request.param == "flink" and (missing := clusters.without_flink()):
        pytest.skip(missing)
    servers = {"portable": clusters.portable_options, "flink": clusters.flink_options}
    words = servers[request.param]() if request.param in servers else ()
    options = dict(word.split("=", 1) for word in words[1::2])
    if request.param == "multi-processing":
        options["direct_running_mode"] = "multi_processing"
    runner = find_runner("fnapi" if request.param == "multi-processing" else request.param)
    arguments = runner.arguments(options, workers=2, pool="")

    def run(elements, function):
        pipeline = beam.Pipeline(options=PipelineOptions(arguments))
        _ = pipeline | beam.Create(elements, reshuffle=False) | beam.Reshuffle() | beam.ParDo(function)
        state = pipeline.run().wait_until_finish()
        if state != "DONE":
            msg = f"the job ended as {state}"
            raise RuntimeError(msg)

    run.runner = request.param
    return run


@pytest.fixture
def notes(tmp_path):
    return tmp_path / "notes"


def lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()]


def test_every_element_is_worked_also_many_thousands(run, notes):
    run([f"e{n}" for n in range(20_000)], Notes(str(notes)))
    worked = [line[0] for line in lines(notes)]
    assert set(worked) == {f"e{n}" for n in range(20_000)}
    assert len(worked) == 20_000, "and, undisturbed, exactly once"


def test_elements_are_worked_side_by_side(run, notes):
    """Beam's own job server in Python takes one after the other: it is for trying things."""
    run([f"e{n}" for n in range(20)], Notes(str(notes), seconds=0.3))
    spans = [(float(start), float(end)) for _, _, start, end in lines(notes)]
    assert len(spans) == 20
    together = any(a < d and c < b for i, (a, b) in enumerate(spans) for c, d in spans[:i])
    assert together == (run.runner != "portable")


def test_an_exception_surfaces_and_nothing_hangs(run, notes):
    with pytest.raises(Exception, match=r"this element fails|ended as FAILED|failed"):
        run([f"e{n}" for n in range(20)], Fails(str(notes), "e7", once=False))


def test_an_element_that_failed_once_is_tried_again_by_the_runner_or_by_us(run, notes):
    """Flink starts the job again; the others end with the error, and are handed the job again by `BeamWorkers`."""
    function = Fails(str(notes), "e7", once=True)
    if run.runner == "flink":
        run([f"e{n}" for n in range(20)], function)
    else:
        with pytest.raises(Exception, match=r"this element fails|ended as FAILED|failed"):
            run([f"e{n}" for n in range(20)], function)
        run([f"e{n}" for n in range(20)], function)
    assert {line[0] for line in lines(notes)} == {f"e{n}" for n in range(20)}


def test_output_of_any_length_holds_nothing_up(run, notes, capfd):
    run([f"e{n}" for n in range(8)], Notes(str(notes), output=300_000))
    assert len(lines(notes)) == 8


def test_a_descriptor_of_a_megabyte_passes(run, notes):
    run([f"{n:02d}".ljust(1_000_000, "x") for n in range(6)], Notes(str(notes)))
    assert sorted(int(line[1]) for line in lines(notes)) == [1_000_000] * 6
