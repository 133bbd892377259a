from __future__ import annotations

import dataclasses

from datalab_connectors.ranking import best_first, rank

from datalab.model.offer import Fitness
from tests.unit.model.test_offer import OFFER

TITLED = dataclasses.replace(OFFER, title="Traffic of bicycles")
DESCRIBED = dataclasses.replace(
    OFFER, dataset_id="other", description="Bicycles, and traffic", fitness=Fitness(themes=("TRAN",))
)


def test_every_word_must_occur_and_the_title_counts_more():
    assert rank(["traffic"], "Traffic") > rank(["traffic"], "", "traffic") > rank(["traffic", "boats"], "Traffic") == 0


def test_the_best_come_first_and_equals_as_they_came():
    assert list(best_first([DESCRIBED, TITLED, OFFER], ["traffic"])) == [TITLED, DESCRIBED]
    assert list(best_first([DESCRIBED, TITLED], ["tran"])) == [DESCRIBED]
    assert list(best_first([OFFER, DESCRIBED], [])) == [OFFER, DESCRIBED]
