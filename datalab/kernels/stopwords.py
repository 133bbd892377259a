"""Stop words of the 24 official EU languages: the commonest small words, of which prose always holds a few.

The list for English is that of Gopher (Rae et al. 2021, A1.1); the others name the words of the same work: to be, and, of, that, with …
All have at most eight bytes, so that a word is one number.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import polars as pl

from datalab.kernels.hashing import hash_column, hash_words, word_view
from datalab.kernels.words import words

Array = np.ndarray[Any, np.dtype[Any]]

# ruff: noqa: RUF001 - words in other scripts than Latin are the point
STOP_WORDS = {
    "bg": "и на да се не за от това по със като има или при без към че ще",
    "cs": "a na v je se že s o k do pro jako nebo při by ze po být každý má jeho",
    "da": "og i at er en til på med for af det den som har ikke eller de enhver ret",
    "de": "der die und das ist in zu mit von den nicht für auf ein eine als oder hat im",
    "el": "και το να του η της με για από που σε τα στη ή τον την των δεν θα",
    "en": "the be to of and that have with",
    "es": "de la que el en y a los se del las un por con no una su para es o tiene",
    "et": "ja on ei see et kui oma või ka ta mis iga tema seda ning mida selle õigus",
    "fi": "ja on ei se että oli ovat kun tai mutta joka hän myös sen sekä jos tulee ole olla tämä tämän voi vain eivät",
    "fr": "de la le et les des en un une que est dans pour à du au ou par sur ne a",
    "ga": "an agus na ar is a i le ag do go bhfuil nó sin leis de gach aon chun ní",
    "hr": "i na je u se da za s su od ne kao ili koji svatko ima te bez pri što to",
    "hu": "a az és hogy nem is van egy meg vagy ki de ha minden joga kell csak által",
    "it": "di e la il che in a per un del non con una della i le è si da o ha al",
    "lt": "ir yra kad į iš su ne turi teisę arba kaip jo tai ar bei būti per šį ši visi visų nuo apie",
    "lv": "un ir ar no uz ka par vai ne lai kā tas viņa arī bez kas pie katram ikvienam",
    "mt": "li u ta il fil ma ta' bi għal jew hu għandu minn dan lil kull fi mill f' b' dritt",
    "nl": "de het van een en in is dat op te zijn met voor niet aan of heeft door",
    "pl": "i w na z do nie się to że jest o jak lub oraz przez od ma po za dla każdy",
    "pt": "de a o que e do da em um para com não uma os no se na por ou ao tem as",
    "ro": "de și în la a cu este o pe care să nu din sau un are al ale orice prin fi",
    "sk": "a na v je sa že s o k do pre ako alebo pri by zo po byť každý má jeho nie",
    "sl": "in je v na da se za z so ne ki kot ali do pri vsakdo ima od brez po ter",
    "sv": "och i att är en på som för med det av till den har inte om ett de eller",
}
_HEAD = 1000
_LONGEST = 8


def stop_words(texts: pl.Series, languages: pl.Series | None) -> pl.Series:
    """Return how many different stop words of its language the first 1,000 characters of each text hold (UInt32); null where there is no list."""
    counts = np.zeros(len(texts), dtype=np.uint32)
    if languages is None:
        return pl.Series(counts).set(pl.repeat(value=True, n=len(texts), eager=True), None)
    codes = languages.replace_strict(list(STOP_WORDS), range(len(STOP_WORDS)), default=None, return_dtype=pl.Int16)
    spoken = codes.fill_null(0).to_numpy()
    known, member, likely = _vocabulary()
    for first, found in words(texts.str.slice(0, _HEAD)):
        data = found.data
        data += ((data - np.uint8(65)) < 26).view(np.uint8) << 5  # in lower case; of Ä and Д there is no need
        short = np.flatnonzero(found.ends - found.starts <= _LONGEST)
        starts = found.starts[short]
        hashes = hash_words(word_view(data), starts, found.ends[short] - starts)
        hit = np.flatnonzero(likely[hashes & np.uint64(0xFFFF)])
        places = np.minimum(np.searchsorted(known, hashes[hit]), len(known) - 1)
        rows = np.searchsorted(found.bounds, starts[hit], side="right") - 1
        right = (known[places] == hashes[hit]) & member[spoken[first + rows], places]
        pairs = np.sort(rows[right] * len(known) + places[right])
        distinct = pairs[np.flatnonzero(np.diff(pairs, prepend=-1))] // len(known)
        counts[first : first + len(found.first) - 1] = np.bincount(distinct, minlength=len(found.first) - 1)
    return pl.Series(counts).set(codes.is_null(), None)


@functools.cache
def _vocabulary() -> tuple[Array, Array, Array]:
    """Return the hashes of all stop words (ascending), which language has which, and which low 16 bits occur."""
    listed = [sorted(set(text.split())) for text in STOP_WORDS.values()]
    hashed = [hash_column(pl.Series(entries)).to_numpy() for entries in listed]
    known = np.unique(np.concatenate(hashed))
    member = np.stack([np.isin(known, own) for own in hashed])
    likely = np.zeros(1 << 16, dtype=np.bool_)
    likely[known & np.uint64(0xFFFF)] = True
    return known, member, likely
