"""The step that replaces a table by a synthetic one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from datalab.errors import GateFailed, PolicyRefusal, SchemaError, UsageError
from datalab.model.step import IDENTITY, Bound, Context, Derivation, Fitted, GenerateStep, Service
from datalab.services.binding import require_columns

if TYPE_CHECKING:
    import polars as pl

    from datalab.services.synthesis.intake import Intake

ENGINES = ("bayesnet", "sdv-gaussian-copula")
MAX_COLUMNS = 200
_JUDGED_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Table(GenerateStep):
    """Learn the statistics of the table and put generated rows in the place of the real ones.

    ``rows`` is how many to generate; None or "same" means as many as went in. Columns in ``exclude`` are never learnt and not
    in the output; nor is ``subject``, the column that says whose row it is: one person's rows are either learnt from or held
    back. Values that fewer than ``rare``
    people (rows, without ``subject``) in training share are never emitted. ``holdout`` is the share of the rows held back
    to judge by; at most ``sample_limit`` rows are learnt from and judged by. ``parents`` (bayesnet) is how many other columns a
    column may depend on directly. ``measures`` are nearly unique whole numbers that are quantities and no identifiers.

    The engine "sdv-gaussian-copula" is under the Business Source License: it needs ``accept_busl`` and
    ``offering="non-commercial"``.
    """

    service: ClassVar[Service] = Service.SYNTHESIS

    rows: int | Literal["same"] | None = None
    engine: str = "bayesnet"
    parents: int = 2
    exclude: tuple[str, ...] = ()
    subject: str = ""
    rare: int = 10
    holdout: float = 0.2
    sample_limit: int = 200_000
    measures: tuple[str, ...] = ()
    accept_busl: bool = False
    offering: str = "commercial"

    def __post_init__(self) -> None:
        for field in ("exclude", "measures"):
            value = getattr(self, field)
            object.__setattr__(self, field, (value,) if isinstance(value, str) else tuple(value))
        rules = (
            (self.rows in {None, "same"} or (isinstance(self.rows, int) and self.rows > 0), "rows", 'above 0, or "same"'),
            (self.engine in ENGINES, "engine", " or ".join(repr(name) for name in ENGINES)),
            (self.parents in {0, 1, 2}, "parents", "0, 1 or 2"),
            (self.rare >= 2, "rare", "2 or more: a value of one row is that row"),
            (0.05 <= self.holdout <= 0.5, "holdout", "between 0.05 and 0.5"),
            (self.sample_limit >= 1_000, "sample_limit", "1000 or more"),
            (self.offering in {"commercial", "non-commercial"}, "offering", "'commercial' or 'non-commercial'"),
        )
        for fine, field, allowed in rules:
            if not fine:
                raise UsageError(f"{field}={getattr(self, field)!r} is not possible", where=self._where, next=f"give {allowed}")

    def bind(self, schema: pl.Schema) -> Bound:
        """Fit the step to ``schema``; refuse columns of a type that cannot be learnt, and SDV without its licence."""
        from datalab.services.synthesis.domain import is_learnable

        self._require_licence()
        named = (*self.exclude, *self.measures, *([self.subject] if self.subject else ()))
        require_columns(schema, named, step=self.name)
        learnt = self._learnt(schema.names())
        if not learnt:
            raise SchemaError("no column is left to learn", where=self._where, next="exclude fewer columns")
        if len(learnt) > MAX_COLUMNS:
            problem = f"{len(learnt)} columns are more than the {MAX_COLUMNS} that can be learnt together"
            raise SchemaError(problem, where=self._where, next="exclude columns, or make two releases of it")
        for name in learnt:
            if not is_learnable(schema[name]):
                raise SchemaError(
                    f"column {name!r} is {schema[name]}, which cannot be learnt",
                    where=self._where,
                    next=f"write exclude=({name!r},), or flatten it first",
                )
        text = f"drawn from a model ({self.engine}) that was fitted to all learnt columns"
        derivations = {name: Derivation((name,), kind="GENERATED", description=text, masking=True) for name in learnt}
        output = {name: schema[name] for name in learnt}
        return Bound(type(schema)(output), derivations, frozenset(self._learnt(schema.names(), subject=True)))

    def fit(self, frames: Callable[[], Iterator[pl.DataFrame]], context: Context, folder: Path) -> Fitted:
        """Learn from a sample of the rows, generate some, and judge them against the rows held back.

        Raises ``SchemaError`` for a column whose values identify rows, ``PolicyRefusal`` for SDV without its licence and
        ``GateFailed`` when not even an empty batch arrives.
        """
        import itertools

        from datalab.services.synthesis.fidelity import compare
        from datalab.services.synthesis.intake import take
        from datalab.services.synthesis.privacy import judge

        self._require_licence()
        batches = frames()
        first = next(batches, None)
        if first is None:
            raise GateFailed("there is nothing to learn from", where=self._where, next="see which steps dropped the rows")
        learnt = self._learnt([name for name in first.columns if name not in IDENTITY])
        schema = first.select(learnt).schema
        self.bind(first.drop(IDENTITY).schema)
        intake = take(
            itertools.chain((first,), batches),
            learnt,
            limit=self.sample_limit,
            holdout=self.holdout,
            subject=self.subject,
            seed=context.seed,
        )
        assert intake is not None
        model, details = self._fit_engine(intake, self.total(intake.rows), context.seed)
        fitted = Fitted(model, schema, intake.train.height, (), {}, {})
        total = self.total(intake.rows) if self.engine != "bayesnet" else _JUDGED_ROWS
        generated = self.sample(fitted, 0, min(total, _JUDGED_ROWS), context)
        return Fitted(
            model=model,
            schema=schema,
            rows=intake.train.height,
            privacy=judge(intake, generated, rare=self.rare, subjects=bool(self.subject)),
            quality=compare(intake.holdout, generated),
            details={
                "engine": self.engine,
                "rows_seen": intake.rows,
                "rows_learnt": intake.train.height,
                "rows_held_back": intake.holdout.height,
                "rows_judged": generated.height,
                "rare_below": self.rare,
                "held_back_by": "subject" if self.subject else "row",
                "columns": list(learnt),
                "never_learnt": [name for name in first.columns if name not in {*learnt, *IDENTITY}],
                **details,
            },
        )

    def total(self, rows_in: int) -> int:
        """How many rows to generate, given how many went in."""
        return self.rows if isinstance(self.rows, int) else rows_in

    def sample(self, fitted: Fitted, start: int, count: int, context: Context) -> pl.DataFrame:
        """Return synthetic rows ``start … start + count - 1``, without identity columns."""
        if self.engine == "bayesnet":
            from datalab.services.synthesis.bayesnet import load_bayesnet

            return load_bayesnet(fitted.model).sample(fitted.schema, context.seed, start, count)
        from datalab.services.synthesis.sdv import replay

        return replay(fitted.model, fitted.schema, start, count)

    def _fit_engine(self, intake: Intake, total: int, seed: int) -> tuple[bytes, dict[str, object]]:
        import polars as pl

        from datalab.services.synthesis.bayesnet import fit_bayesnet

        net = fit_bayesnet(
            intake.train,
            pl.Series(intake.train_groups) if self.subject else None,
            rare=self.rare,
            parents=self.parents if self.engine == "bayesnet" else 0,
            measures=self.measures,
            where=self._where,
        )
        if self.engine == "bayesnet":
            names = [domain.name for domain in net.domains]
            edges = zip(net.network.order, net.network.parents, strict=True)
            structure = {names[column]: [names[parent] for parent in parents] for column, parents in edges}
            return net.to_bytes(), {"model": "Bayesian network", "parents": self.parents, "structure": structure}
        from datalab.services.synthesis.sdv import fit_pool

        return fit_pool(intake.train, net.domains, total=total, seed=seed)

    def _learnt(self, columns: list[str], *, subject: bool = False) -> list[str]:
        left_out = {*self.exclude} | (set() if subject else {self.subject})
        return [name for name in columns if name not in left_out or (subject and name == self.subject)]

    def _require_licence(self) -> None:
        if self.engine != "sdv-gaussian-copula" or (self.accept_busl and self.offering == "non-commercial"):
            return
        why = (
            "its licence (Business Source License 1.1) forbids a commercial offering that lets third parties create synthetic data with it"
            if self.offering == "commercial"
            else "nobody has accepted its licence, the Business Source License 1.1"
        )
        raise PolicyRefusal(
            f"SDV is not used: {why}",
            where=self._where,
            next='use engine="bayesnet", or have accept_busl=True and offering="non-commercial" confirmed by whoever runs the lab',
        )

    @property
    def _where(self) -> str:
        return f"step {self.name}"
