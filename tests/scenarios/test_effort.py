"""The work for each value of a loop does not grow with their number."""

import pytest

from tests.bench.linear import for_each, for_each_item


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_for_each_writes_the_same_rows_for_each_value(limit):
    few, more, many = (for_each(count, limit).rows for count in (50, 100, 200))

    assert many - more == pytest.approx(2 * (more - few), rel=0.1)


def test_a_for_each_item_writes_the_same_rows_for_each_batch():
    few, more, many = (for_each_item(count).rows for count in (10, 20, 40))

    assert many - more == pytest.approx(2 * (more - few), rel=0.1)
