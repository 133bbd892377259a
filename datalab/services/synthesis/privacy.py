"""The privacy gate: five attacks on the generated rows, each measured against people the model never saw.

A good model is as close to the rows held back as to those it learnt from. Where a threshold would be crossed by chance alone
(small tables), it is widened to three standard errors; a table too small for that to mean anything is not judged but refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.stats import rankdata

from datalab.model.step import PrivacyTest
from datalab.services.synthesis.domain import bounds, is_label, is_real, tally, whole_numbers
from datalab.services.synthesis.fidelity import coarse_codes
from datalab.services.synthesis.neighbours import Space, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from datalab.services.synthesis.intake import Intake

LEARNT_ROWS = 200
HELD_BACK_ROWS = 50
MAX_ADVANTAGE = 0.05
MAX_AUC = 0.55
_POINTS = 3_000
_REFERENCES = 12_000
_VICTIMS = 3_000
_ATTACKED_COLUMNS = 10
_BLOCK = 500
_SIGMAS = 3


def judge(intake: Intake, generated: pl.DataFrame, *, rare: int, subjects: bool) -> tuple[PrivacyTest, ...]:
    """Return the tests of the gate for ``generated`` rows; one that did not pass withholds the release.

    ``rare`` is the number of people (rows, without subjects) that must share a value before it may be emitted; ``subjects`` says that rows of
    one group belong to one person. A table too small to judge gets one test, which says so and did not pass.
    """
    train, holdout = intake.train, intake.holdout
    enough = train.height >= LEARNT_ROWS and holdout.height >= HELD_BACK_ROWS and generated.height > 0
    size = PrivacyTest(
        "table-size",
        f"{train.height} + {holdout.height}",
        f"{LEARNT_ROWS} + {HELD_BACK_ROWS}",
        enough,
        "Rows learnt from and rows held back: with fewer, nobody can say whether the synthetic rows give someone away.",
    )
    if not enough:
        return (size,)
    space = Space.of(pl.concat([train, holdout]))
    return (
        size,
        _exact_copies(intake, generated, rare, subjects=subjects),
        _rare_values(intake, generated, rare, subjects=subjects),
        _nearer_to_train(space, train, holdout, generated),
        _attribute_inference(space, train, holdout, generated),
        _membership_inference(space, train, holdout, generated),
    )


def _exact_copies(intake: Intake, generated: pl.DataFrame, rare: int, *, subjects: bool) -> PrivacyTest:
    """Compare how often generated rows equal a learnt row that few share with how often other real rows do.

    A combination that ``rare`` learnt rows share points at nobody, so only scarcer ones count. A row held back and a training
    row compared with the rest of the training rows are alike in this, so both make the base: five times the evidence.
    """
    train = _comparable(intake.train).with_columns(pl.Series("_dl_group", intake.train_groups))
    keys = [name for name in train.columns if name != "_dl_group"]
    groups = train.group_by(keys).agg(pl.len().alias("_dl_rows"), pl.col("_dl_group").n_unique().alias("_dl_people"))
    people = pl.col("_dl_people" if subjects else "_dl_rows")
    with_twin = int(groups.filter(people.is_between(2, rare))["_dl_rows"].sum())
    scarce = groups.filter(people < rare).select(keys)
    with_twin += _found(_comparable(intake.holdout), scarce)
    copies = _found(_comparable(generated), scarce)
    real = intake.train.height + intake.holdout.height
    rate, base = copies / generated.height, with_twin / real
    pooled = (copies + with_twin) / (generated.height + real)
    allowed = base + _SIGMAS * float(np.sqrt(pooled * (1 - pooled) * (1 / generated.height + 1 / real)))
    return PrivacyTest(
        "exact-copies",
        f"{rate:.5f}",
        f"{allowed:.5f}",
        rate <= allowed,
        f"Share of synthetic rows equal to a learnt row that fewer than {rare} share; no higher than by coincidence among real rows.",
    )


def _rare_values(intake: Intake, generated: pl.DataFrame, rare: int, *, subjects: bool) -> PrivacyTest:
    """Count generated cells with a category of fewer than ``rare`` learnt people, or an outlying number of one of them.

    A number is outlying when fewer than ``rare`` people lie at or beyond it.
    """
    people = pl.Series(intake.train_groups) if subjects else None
    leaks = 0
    for name, dtype in intake.train.schema.items():
        real, made = _value(intake.train[name]), _value(generated[name])
        shared = tally(real, people)
        few = pl.col("people") < rare
        if not is_label(dtype):
            low, high = bounds(real, people, rare)
            few = (pl.col("value") < low) | (pl.col("value") > high)
        leaks += int(made.is_in(shared.filter(few)["value"].implode()).sum() or 0)
    return PrivacyTest(
        "rare-values",
        str(leaks),
        "0",
        leaks == 0,
        f"Synthetic cells with a category or an extreme number that fewer than {rare} learnt people share.",
    )


def _nearer_to_train(space: Space, train: pl.DataFrame, holdout: pl.DataFrame, generated: pl.DataFrame) -> PrivacyTest:
    """Compare each generated row's distance to the closest learnt row with that to the closest row held back."""
    references = min(train.height, holdout.height, _REFERENCES)
    points = space.vectors(generated.head(min(_POINTS, 4 * references)))
    to_train = nearest(points, space.vectors(train.head(references)))
    to_holdout = nearest(points, space.vectors(holdout.head(references)))
    tie = np.abs(to_train - to_holdout) <= 1e-3
    share = float(np.mean(np.where(tie, 0.5, to_train < to_holdout)))
    # Rows with the same nearest neighbour do not count as two: the references' own chance is part of the error.
    error = np.sqrt(0.25 / len(points) + 0.25 / references)
    allowed = 0.5 + _SIGMAS * float(error)
    return PrivacyTest(
        "nearer-to-learnt",
        _text(share),
        _text(allowed),
        share <= allowed,
        "Share of synthetic rows closer to a learnt row than to any row held back; half is what an unseen person gets.",
    )


def _attribute_inference(space: Space, train: pl.DataFrame, holdout: pl.DataFrame, generated: pl.DataFrame) -> PrivacyTest:
    """Guess one column of a known person from the synthetic row that is closest in all others (correct attribution probability).

    The advantage is the rate of right guesses for learnt rows less that for rows held back, in the worst column.
    """
    victims = min(train.height, holdout.height, _VICTIMS)
    sides = (train.head(victims), holdout.head(victims))
    known = generated.head(2 * _VICTIMS)
    codes = {name: coarse_codes(train[name], known[name]) for name in train.columns}
    targets = sorted(train.columns, key=lambda name: (-_spread(coarse_codes(train[name], train[name])), name))
    targets = [name for name in targets[:_ATTACKED_COLUMNS] if _spread(coarse_codes(train[name], train[name])) > 0]
    if not targets or len(train.columns) < 2:
        return _attribute_test(0.0, MAX_ADVANTAGE, "")
    among = space.blocks(known)
    right = [_guesses(space.blocks(side), among, side, train, codes, targets) for side in sides]
    worst, limit, column = -1.0, MAX_ADVANTAGE, ""
    for name in targets:
        rates = [float(side[name].mean()) for side in right]
        mean = sum(rates) / 2
        allowed = max(MAX_ADVANTAGE, _SIGMAS * float(np.sqrt(2 * mean * (1 - mean) / victims)))
        if rates[0] - rates[1] - allowed > worst - limit or not column:
            worst, limit, column = rates[0] - rates[1], allowed, name
    return _attribute_test(worst, limit, column)


def _attribute_test(advantage: float, allowed: float, column: str) -> PrivacyTest:
    worst = f" (worst: {column})" if column else ""
    return PrivacyTest(
        "attribute-inference",
        _text(advantage),
        _text(allowed),
        advantage <= allowed,
        f"How much more often a missing value is guessed right for learnt people than for others{worst}.",
    )


def _guesses(
    victims: dict[str, NDArray[np.float32]],
    among: dict[str, NDArray[np.float32]],
    side: pl.DataFrame,
    train: pl.DataFrame,
    codes: dict[str, NDArray[np.int64]],
    targets: list[str],
) -> dict[str, NDArray[np.bool_]]:
    """Return for each target column whether the row of ``among`` nearest in all other columns has the victim's code."""
    points, references = np.hstack(list(victims.values())), np.hstack(list(among.values()))
    squares = {name: np.einsum("ij,ij->i", among[name], among[name]) for name in targets}
    whole = np.einsum("ij,ij->i", references, references)
    truth = {name: coarse_codes(train[name], side[name]) for name in targets}
    right: dict[str, NDArray[np.bool_]] = {name: np.zeros(len(points), dtype=np.bool_) for name in targets}
    for at in range(0, len(points), _BLOCK):
        part = slice(at, at + _BLOCK)
        distance = whole - 2 * (points[part] @ references.T)
        for name in targets:
            without = distance - (squares[name] - 2 * (victims[name][part] @ among[name].T))
            right[name][part] = codes[name][without.argmin(axis=1)] == truth[name][part]
    return right


def _membership_inference(space: Space, train: pl.DataFrame, holdout: pl.DataFrame, generated: pl.DataFrame) -> PrivacyTest:
    """Guess who was learnt from by the distance to the closest synthetic row: the area under the ROC curve of that guess."""
    known = space.vectors(generated.head(_REFERENCES))
    inside, outside = (nearest(space.vectors(side.head(_VICTIMS)), known) for side in (train, holdout))
    ranks = rankdata(-np.round(np.concatenate([inside, outside]), 3))
    count, others = len(inside), len(outside)
    area = (float(ranks[:count].sum()) - count * (count + 1) / 2) / (count * others)
    allowed = max(MAX_AUC, 0.5 + _SIGMAS * float(np.sqrt((count + others + 1) / (12 * count * others))))
    return PrivacyTest(
        "membership-inference",
        _text(area),
        _text(allowed),
        area <= allowed,
        "How well one can tell from the synthetic rows who was learnt from: .5 is a coin, 1 is certainty.",
    )


def _value(column: pl.Series) -> pl.Series:
    """Return the values in a form in which equal means the same: text, whole numbers, or floats without NaN and infinities."""
    if is_label(column.dtype):
        return column.cast(pl.String)
    if not is_real(column.dtype):
        return whole_numbers(column)
    real = column.cast(pl.Float64)
    return real.set(~real.is_finite().fill_null(value=False), None) + 0.0  # -0.0 becomes 0.0


def _comparable(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with floats rounded to six digits, so that a hair's breadth does not hide a copy."""
    columns = [_value(rows[name]).alias(name) for name in rows.columns]
    return pl.DataFrame([column.round_sig_figs(6) if column.dtype == pl.Float64 else column for column in columns])


def _found(rows: pl.DataFrame, among: pl.DataFrame) -> int:
    return rows.join(among, on=among.columns, how="semi", nulls_equal=True).height


def _spread(codes: NDArray[np.int64]) -> float:
    """Return the chance that two rows differ: columns where guessing is hardest are attacked first."""
    shares = np.bincount(codes) / len(codes)
    return round(1 - float((shares**2).sum()), 6)


def _text(figure: float) -> str:
    return f"{figure:.4f}"
