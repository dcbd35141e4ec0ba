import numpy as np
import pytest

from diffsign.body.build import write_body
from diffsign.config.synthetic import SyntheticSettings
from diffsign.synthetic.person import random_person
from diffsign.synthetic.signer import perform


@pytest.fixture(scope="session")
def person():
    return random_person(np.random.default_rng(11), "adult")


@pytest.fixture(scope="session")
def settings():
    return SyntheticSettings(seed=5, seconds=2.5, fps=12, width=128, height=128, samples=1)


@pytest.fixture(scope="session")
def performance(settings):
    return perform(settings)


@pytest.fixture(scope="session")
def body_file(tmp_path_factory):
    return write_body(tmp_path_factory.mktemp("body") / "body.npz")
