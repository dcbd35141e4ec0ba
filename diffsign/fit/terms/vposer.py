"""VPoser, the variational autoencoder of body poses of SMPLify-X, as a prior; its weights come from the user.

Architecture as published (Pavlakos et al., CVPR 2019, and its second release): 21 joints in, two hidden layers of 512,
32 latent numbers, rotations out in six numbers each. The prior is the squared length of a pose's latent mean, as in
SMPLify-X, and the squared distance between the pose and what the latent mean decodes to, because here the pose itself
is the parameter.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.func import jacrev, vmap
from torch.nn import functional

from diffsign.errors import DiffSignError
from diffsign.files import require_file
from diffsign.fit.terms.body import BodyPrior

#: Arrays of the network with their numbers of dimensions.
NEEDED = {
    "encoder_net.1.weight": 1,
    "encoder_net.1.bias": 1,
    "encoder_net.1.running_mean": 1,
    "encoder_net.1.running_var": 1,
    "encoder_net.2.weight": 2,
    "encoder_net.2.bias": 1,
    "encoder_net.4.weight": 1,
    "encoder_net.4.bias": 1,
    "encoder_net.4.running_mean": 1,
    "encoder_net.4.running_var": 1,
    "encoder_net.6.weight": 2,
    "encoder_net.6.bias": 1,
    "encoder_net.7.weight": 2,
    "encoder_net.7.bias": 1,
    "encoder_net.8.mu.weight": 2,
    "encoder_net.8.mu.bias": 1,
    "decoder_net.0.weight": 2,
    "decoder_net.0.bias": 1,
    "decoder_net.3.weight": 2,
    "decoder_net.3.bias": 1,
    "decoder_net.5.weight": 2,
    "decoder_net.5.bias": 1,
}


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """Read VPoser's weights from ``.ckpt``, ``.pt`` or ``.npz``; nothing but tensors is unpickled.

    Raises:
        DiffSignError: if the file is missing, unsafe, or holds another network.
    """
    path = require_file(path, "VPoser weights")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                state = {name: torch.from_numpy(archive[name]) for name in archive.files}
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
            state = state.get("state_dict", state)
    except pickle.UnpicklingError as error:
        raise DiffSignError(
            f"'{path}' holds more than tensors, which is not loaded; save its state_dict alone (torch.save or .npz)."
        ) from error
    except Exception as error:  # a damaged archive ends in anything from KeyError to NotImplementedError
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DiffSignError(f"'{path}' cannot be read as weights: {reason}.") from error
    state = {name.removeprefix("vp_model."): value for name, value in state.items()}
    missing = [name for name, size in NEEDED.items() if name not in state or state[name].ndim != size]
    if missing:
        raise DiffSignError(f"'{path}' is not VPoser v2: it lacks {', '.join(missing[:3])} and {len(missing)} in all.")
    return {name: state[name].double() for name in NEEDED}


def _linear(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def _norm(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    mean, variance, weight, bias = (
        state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return functional.batch_norm(x[None], mean, variance, weight, bias)[0]


def _matrices(rotvec: Tensor) -> Tensor:
    """Rodrigues' formula for (n, 3), smooth at zero."""
    angle2 = (rotvec**2).sum(-1) + 1e-12
    angle = angle2.sqrt()
    zero = torch.zeros_like(angle)
    x, y, z = rotvec.unbind(-1)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    a, b = (angle.sin() / angle)[:, None, None], ((1 - angle.cos()) / angle2)[:, None, None]
    return torch.eye(3, dtype=rotvec.dtype) + a * cross + b * cross @ cross


class VPoserPrior(BodyPrior):
    """Poses that VPoser finds likely.

    Args:
        path: its weights.
    """

    joints = np.arange(1, 22)[None]

    def __init__(self, path: str | Path) -> None:
        self.state = load_weights(path)

    def _of_one(self, pose: Tensor) -> Tensor:
        """Return the latent mean and what decoding it misses, for one pose (63,)."""
        state = self.state
        hidden = functional.leaky_relu(_linear(state, "encoder_net.2", _norm(state, "encoder_net.1", pose)))
        hidden = _linear(state, "encoder_net.6", _norm(state, "encoder_net.4", hidden))
        latent = _linear(state, "encoder_net.8.mu", _linear(state, "encoder_net.7", hidden))
        hidden = functional.leaky_relu(_linear(state, "decoder_net.0", latent))
        hidden = _linear(state, "decoder_net.5", functional.leaky_relu(_linear(state, "decoder_net.3", hidden)))
        pair = hidden.reshape(-1, 3, 2)
        first = pair[..., 0] / pair[..., 0].norm(dim=-1, keepdim=True)
        second = pair[..., 1] - (first * pair[..., 1]).sum(-1, keepdim=True) * first
        second = second / second.norm(dim=-1, keepdim=True)
        decoded = torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)
        # Half the squared difference of the matrices is nearly the squared angle between them.
        return torch.cat([latent, ((_matrices(pose.reshape(-1, 3)) - decoded) / 2**0.5).flatten()])

    def _packed(self, pose: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(pose[:, self.joints[0]].reshape(len(pose), -1), dtype=np.float64))

    def residual(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, 1, R) latent mean and what decoding misses."""
        with torch.no_grad():
            return vmap(self._of_one)(self._packed(pose)).numpy()[:, None]

    def slope(self, pose: np.ndarray) -> np.ndarray:
        """Return (T, 1, R, 21, 3)."""
        with torch.no_grad():
            slope = vmap(jacrev(self._of_one))(self._packed(pose)).numpy()
        return slope.reshape(len(pose), 1, -1, 21, 3)
