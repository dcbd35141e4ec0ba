import pytest

from diffsign.body.build import write_body
from diffsign.core.body import load_body


@pytest.fixture(scope="session")
def body_path(tmp_path_factory):
    return write_body(tmp_path_factory.mktemp("body") / "body.npz")


@pytest.fixture(scope="session")
def body(body_path):
    return load_body(body_path)
