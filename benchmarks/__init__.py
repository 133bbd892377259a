"""What the project claims about itself, measured side by side with what a user would pick instead: ``python -m benchmarks``.

Every folder in here is a *suite* (``engine``), every module in a suite a *comparison*: its docstring says what is compared and is
printed on the page, ``GOALS`` names the rows it makes, and one function measures them::

    GOALS = (Goal("keyed-vs-gbk", "A keyed operation against Beam's row-wise GroupByKey", "higher", floor=10, goal=40),)
    NEEDS = ""  # "peers": runs in their environment, measured by make bench-peers alone

    def measure(scale: Scale) -> Iterator[Row]:
        given = {"rows": 1_000 if scale.quick else 100_000}
        ours, theirs = (Command(f"benchmarks.engine.keyed:{side}", given) for side in ("ours", "theirs"))
        pairs = run_pairs(ours, theirs, scale.pairs, scale.say)
        yield compared(GOALS[0], pairs, packages=("apache-beam",), data={**given, "what": "keys"}, note="where they differ")

    def ours(rows: int) -> dict[str, int]: ...    # runs in a process of its own; what it returns (JSON) is pairs.ours[0].result

Raise ``Unable`` where something is missing (Java, a peer). Figures are kept in ``results/<suite>.json``, the page
``docs/benchmarks.md`` is made from them. The modules beside this one import nothing but the standard library, so that children
also run in a peer's environment; comparisons import what they measure inside their functions.
"""

from __future__ import annotations
