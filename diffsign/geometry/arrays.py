"""Types of arrays."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

#: Real numbers of any precision.
Floats: TypeAlias = npt.NDArray[np.floating[Any]]
#: Numbers of vertices, joints, frames.
Integers: TypeAlias = npt.NDArray[np.integer[Any]]
Indices: TypeAlias = npt.NDArray[np.intp]
