"""A training that is killed from outside goes on as if nothing had happened; ``make kill`` does it 200 times."""

import pytest
from kill import RULES, run


@pytest.mark.parametrize("rule", RULES)
def test_killed_trainings_end_alike(rule):
    hits, _, _ = run(rule, kills=5)
    assert hits == 5
