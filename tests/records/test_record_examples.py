import doctest

import pytest

from diffsign.records import keypoints, motion


@pytest.mark.parametrize("module", [keypoints, motion], ids=lambda module: module.__name__)
def test_examples_of_the_docstrings_run(module):
    result = doctest.testmod(module)
    assert result.attempted > 3
    assert result.failed == 0
