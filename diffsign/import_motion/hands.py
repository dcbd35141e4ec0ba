"""Hand rotations from the forms in which SMPL-X parameters give them."""

from __future__ import annotations

import numpy as np

from diffsign.body.archive import read_arrays
from diffsign.body.model import Body
from diffsign.config.import_motion import ImportMotionSettings
from diffsign.errors import DiffSignError
from diffsign.import_motion.formats import Parameters

ANGLES = 45


def hand_angles(
    parameters: Parameters, settings: ImportMotionSettings, body: Body | None, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the axis-angle rotations (T, 15, 3) of the left and of the right hand, relative to the flat hand.

    Args:
        parameters: as they were read.
        settings: what hands are relative to.
        body: the body file that the parameters belong to, if it is known.
        where: the file, for errors.

    Raises:
        DiffSignError: if hands are PCA or about the mean hand, and the body file that says so is not known.
    """
    relative = settings.hands if settings.hands != "auto" else ("flat" if parameters.amass else "mean")
    counts = {values.shape[1] for values in parameters.hands}
    if len(counts) != 1 or not 1 <= max(counts) <= ANGLES:
        raise DiffSignError(f"hands of '{where}' have {sorted(counts)} numbers a frame; at most 45 were expected.")
    pca = counts != {ANGLES}
    arrays = {}
    if pca or relative == "mean":
        if body is None:
            form = f"{max(counts)} coefficients of PCA" if pca else "angles about SMPL-X's mean hand"
            raise DiffSignError(
                f"hands of '{where}' are {form}; name the SMPL-X file that they belong to by import_motion.source_body "
                "(--source-body), or, if they are angles about the flat hand, set import_motion.hands to flat."
            )
        arrays, _, _ = read_arrays(body.path)
    hands = []
    for values, side in zip(parameters.hands, "lr", strict=True):
        angles = values
        if pca:
            angles = values @ np.asarray(arrays[f"hands_components{side}"], np.float64)[: values.shape[1]]
        if relative == "mean":
            angles = angles + np.asarray(arrays[f"hands_mean{side}"], np.float64)
        hands.append(angles.reshape(-1, 15, 3))
    return hands[0], hands[1]
