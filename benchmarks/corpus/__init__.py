"""The corpus of the text comparisons: about 50 MB in the 24 official languages of the Union, which anybody can make again.

Raw material are the message catalogues of eleven packages (``sources.txt``, each file pinned by its hash). Messages of one language are
joined to documents of 1 to 4 kB; then come, seeded, the faults that a preparation has to find: no-break spaces, decomposed letters, doubled
spaces and control characters in 30 % of the documents, invented e-mail and IP addresses, phone numbers and IBANs in 10 %, 3 % junk, 5 %
exact and 5 % near duplicates. What was planted stands in a table of its own. The content is pinned by a digest: another one is an error.
"""

from __future__ import annotations

from benchmarks.corpus.build import Corpus, corpus

__all__ = ["Corpus", "corpus"]
