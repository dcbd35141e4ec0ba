import doctest

from diffsign.body import model


def test_examples_of_the_docstrings_run(body_path):
    result = doctest.testmod(model, extraglobs={"body_path": body_path})
    assert result.attempted > 5 and result.failed == 0
