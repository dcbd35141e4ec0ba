"""What the tests of cleaning share."""

import numpy as np
import pytest

from tests.clean.moving_signer import signer


@pytest.fixture
def truth() -> np.ndarray:
    return signer()
