"""The terms of the objective, each a small class with residuals and their derivatives.

A new term is a new class (see :mod:`diffsign.fit.terms.base`), a weight in
:class:`diffsign.config.fit.StageSettings`, and a line in :func:`all_terms`; ``tests/fit/test_terms.py`` then checks its
derivatives against finite differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diffsign.config.fit import FitSettings
from diffsign.errors import DiffSignError
from diffsign.fit.terms.base import Term
from diffsign.fit.terms.body import Bending, BodyPrior, L2Prior, MixturePrior, Upright
from diffsign.fit.terms.contacts import Interpenetration
from diffsign.fit.terms.face import Expression, Eyes, Jaw
from diffsign.fit.terms.hands import FingerHabit, FingerLimits
from diffsign.fit.terms.hidden import HiddenHand
from diffsign.fit.terms.points import BoneDirection, ImageDistance
from diffsign.fit.terms.shared import FocalLength, Shape
from diffsign.fit.terms.time import Acceleration
from diffsign.fit.terms.touch import Touch


@dataclass(frozen=True)
class Terms:
    """What the fit minimises.

    Attributes:
        frames: terms within a frame.
        time: the term that couples frames.
        body: the prior on the body's pose, one of ``frames``.
        bending: the prior on elbows and knees, one of ``frames``.
        fingers: the prior on the fingers, one of ``frames``.
        robust_scale: of the kernel on image distances, thousandths of the picture's height.
    """

    frames: tuple[Term, ...]
    time: Acceleration
    body: BodyPrior
    bending: Bending
    fingers: FingerHabit
    robust_scale: float


def all_terms(settings: FitSettings, rest: np.ndarray, fps: float) -> Terms:
    """Return all terms of the objective.

    Args:
        settings: of the fit.
        rest: (55, 3) joints of the mean body at rest, metres.
        fps: frames per second.

    Raises:
        DiffSignError: if VPoser is asked for and its weights can't be used.
    """
    body, bending, fingers = body_prior(settings), Bending(), FingerHabit(rest)
    frames: tuple[Term, ...] = (
        ImageDistance(settings.robust_scale),
        BoneDirection(),
        HiddenHand(),
        Interpenetration(),
        Touch(),
        body,
        bending,
        Upright(),
        fingers,
        FingerLimits(rest),
        Jaw(),
        Eyes(),
        Expression(),
        Shape(),
        FocalLength(),
    )
    return Terms(frames, Acceleration((fps / 24) ** 2), body, bending, fingers, settings.robust_scale)


def body_prior(settings: FitSettings) -> BodyPrior:
    """Return the prior that the settings name."""
    if settings.pose_prior == "vposer":
        if settings.vposer is None:
            raise DiffSignError(
                "pose_prior is vposer, but no weights are given; set vposer to the file of VPoser v2 "
                "(https://smpl-x.is.tue.mpg.de, a registration is needed), or use pose_prior gmm."
            )
        from diffsign.fit.terms.vposer import VPoserPrior

        return VPoserPrior(settings.vposer)
    return MixturePrior() if settings.pose_prior == "gmm" else L2Prior()
