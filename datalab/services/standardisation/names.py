"""Names of organisations and persons: case, legal forms, quotes and white space in one form."""

# ruff: noqa: RUF001 - Greek and Cyrillic letters
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from datalab.errors import UsageError
from datalab.kernels.distinct import over_distinct
from datalab.kernels.unicode import collapse_white_space
from datalab.model.step import Bound, Context, Derivation, MapStep, Outcome, Service
from datalab.services.binding import require_text
from datalab.services.standardisation.columns import names_of

_FORMS = """GmbH mbH AG KG KGaA OHG GbR UG eG eK eV SE SCE SA SAS SASU SARL SÀRL EURL SCI SNC SCA SpA Srl Sapa Snc BV NV CV VOF
BVBA SPRL SRL SCRL ASBL VZW IVZW Ltd Limited PLC LLP LLC LP Inc Corp Co DAC CLG UC Oy Oyj Ky AB HB KB ApS AS IS IVS OÜ
TÜ UAB MB SIA Kft Zrt Nyrt Bt Kkt sro as spol vos ks doo dd zoo SKA spk Lda SGPS SL SLU SLL ООД ЕООД АД ЕАД КД ΑΕ ΕΠΕ
ΙΚΕ ΟΕ ΕΕ EPE IKE oo OOD EOOD AD EAD EIRL GIE GEIE EEIG EWIV Stiftung"""
_FORM = {form.casefold(): form for form in _FORMS.split()}
_PARTICLE_WORDS = """a am an and auf aux av con da das de degli dei del della delle dem der des di die din do dos du e een en et
for für het i im in ja la le les na och of og per pour pro på si te the und van ve vom von voor w y z zu zum
zur şi și και τησ του των"""
_PARTICLES = frozenset(_PARTICLE_WORDS.split())
_FAMILY_WORDS = """af al av bin da das de del della dem den der di do dos du e el ibn la le ten ter van von y zu zum zur"""
_FAMILY = frozenset(_FAMILY_WORDS.split())
_LEADING_FORM_WORDS = """ab as asbl mb oü sc sia stiftung tü uab vzw"""
_LEADING_FORMS = frozenset(_LEADING_FORM_WORDS.split())
_ROMAN = re.compile(r"X{0,3}(?:IX|IV|V?I{0,3})")
_DOUBLE = "[\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033]"
_SINGLE = "[\u2018\u2019\u201a\u201b\u2032\u00b4`]"
_WORD = re.compile(r"[^\W\d_]+")
_VOWELS = frozenset("AEIOUYÄÖÜÅÆØÁÀÂÃĂĄÉÈÊËĚĘĖÍÌÎÏÓÒÔÕŐÚÙÛŮŰÝΑΕΗΙΟΥΩΆΈΉΊΌΎΏАЕИОУЪЮЯЫЭ")


@dataclass(frozen=True, slots=True)
class Names(MapStep):
    """Bring names in ``columns`` to one form. ``kind`` is ``organisation`` or ``person``.

    Quotation marks become straight ones, and vanish where they enclose the whole name; white space collapses. Case changes only
    where it says nothing: in names written all in capitals or all in small letters (and, for persons, in single words of capitals:
    ``DUPONT Jean``). Legal forms get their usual case (``GMBH`` to ``GmbH``, ``S.P.A.`` to ``S.p.A.``); abbreviations stay.
    Counts: ``names-changed``.
    """

    service: ClassVar[Service] = Service.STANDARDISATION

    columns: str | Sequence[str]
    kind: str = "organisation"

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", names_of(self.columns, step=self.name))
        if self.kind not in {"organisation", "person"}:
            raise UsageError(
                f"no kind of name called {self.kind!r}", where=f"step {self.name}", next="'organisation' or 'person'"
            )

    def bind(self, schema: pl.Schema) -> Bound:
        """Fit to ``schema``: the columns must hold text."""
        require_text(schema, self.columns, step=self.name)
        return Bound(schema, {name: Derivation((name,), description=f"{self.kind} names in one form") for name in self.columns})

    def apply(self, frame: pl.DataFrame, context: Context) -> Outcome:
        """Write the names anew; no row is dropped."""
        rewrite = organisation if self.kind == "organisation" else person
        counts: Counter[str] = Counter()
        changed = []
        for column in self.columns:
            before = frame[column]
            after = over_distinct(before, lambda text: _rewritten(text, rewrite))
            counts["names-changed"] += int((before != after).sum())
            changed.append(after.alias(column))
        return Outcome(frame.with_columns(changed), counts=dict(+counts))


def organisation(name: str) -> str:
    """Return the name of an organisation in one form; ``name`` has straight quotes and single spaces."""
    if not (name.isupper() or name.islower()):
        return name
    words = name.split(" ")
    shouted = name.isupper()
    return " ".join(_organisation_word(word, first=place == 0, shouted=shouted) for place, word in enumerate(words))


def person(name: str) -> str:
    """Return the name of a person in one form; the order of its parts stays."""
    quiet = name.islower()
    words = name.split(" ")
    return " ".join(_person_word(word, alone=len(words) == 1, quiet=quiet) for word in words)


def _rewritten(text: pl.Series, rewrite: object) -> pl.Series:
    assert callable(rewrite)
    plain = text.str.replace_all(_DOUBLE, '"').str.replace_all(_SINGLE, "'")
    plain, _ = collapse_white_space(plain)
    enclosed = plain.str.contains(r'^"[^"]+"$')
    plain = (
        plain.to_frame("n").select(pl.when(enclosed).then(pl.col("n").str.strip_chars('"')).otherwise(pl.col("n"))).to_series()
    )
    suspects = plain.str.contains(r"\p{Lu}{2}").fill_null(value=False) | (plain == plain.str.to_lowercase()).fill_null(
        value=False
    )
    rows = suspects.arg_true()
    if not rows.len():
        return plain
    return plain.clone().scatter(rows, pl.Series([rewrite(name) for name in plain.gather(rows).to_list()], dtype=pl.String))


def _organisation_word(word: str, *, first: bool, shouted: bool) -> str:
    letters = "".join(_WORD.findall(word))
    form = _FORM.get(letters.casefold())
    if form and (not first or form.casefold() in _LEADING_FORMS):
        undotted = form.islower() and "." not in word  # "a.s." in Prague, "AS" in Tallinn
        return _with_case_of(word, form.upper() if undotted else form)
    if not first and word.casefold() in _PARTICLES:
        return word.lower()
    if shouted and _is_abbreviation(word, letters):
        return word
    return _titled(word)


def _person_word(word: str, *, alone: bool, quiet: bool) -> str:
    letters = "".join(_WORD.findall(word))
    if not alone and word.casefold() in _FAMILY and (word.isupper() or quiet):
        return word.lower()
    if quiet and letters:
        return _titled(word, person=True)
    if not letters.isupper() or len(letters) < 3 or "." in word or _ROMAN.fullmatch(letters):
        return word
    return _titled(word, person=True)


def _is_abbreviation(word: str, letters: str) -> bool:
    """Single letters, dotted letters, words with digits, Roman numbers, and short words without a vowel stay as they are."""
    if len(letters) <= 1 or any(char.isdigit() for char in word) or _ROMAN.fullmatch(letters):
        return True
    dotted = re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]?\.?", word) is not None
    return dotted or (len(letters) <= 5 and not set(letters.upper()) & _VOWELS)


def _titled(word: str, *, person: bool = False) -> str:
    """Capitalise each part: after hyphens, brackets and short elisions (``D'Or``, but ``Children's``); ``McDonald`` for persons."""
    lowered = word.lower()
    parts = []
    for match in re.finditer(r"[^\W_]+|[\W_]+", lowered):
        part, start = match.group(), match.start()
        before = lowered[:start]
        elided = before.endswith("'") and len(re.split(r"[\W_]", before[:-1])[-1]) > 2
        titled = part if elided or not part[0].isalpha() else part[0].upper() + part[1:]
        if person and titled.startswith("Mc") and len(titled) > 4:
            titled = "Mc" + titled[2].upper() + titled[3:]
        parts.append(titled)
    return "".join(parts)


def _with_case_of(word: str, form: str) -> str:
    """Give the letters of ``word`` the case of ``form``, keeping its dots: ``S.P.A.`` and ``SpA`` make ``S.p.A.``."""
    letters = iter(form)
    return "".join(next(letters, char) if char.isalpha() else char for char in word)
