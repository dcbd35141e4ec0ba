"""What a family, a signer and the settings decide together, before any network is loaded."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from diffsign.config.family import ControlName
from diffsign.config.generate import GenerateSettings
from diffsign.errors import DiffSignError
from diffsign.models.networks import chosen_controls, chosen_preset
from diffsign.models.sampler import Sampling
from diffsign.records.conditioning import Conditioning
from diffsign.records.manifest import Manifest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """How the frames of one signer are generated.

    Attributes:
        controls: conditioning scale of each control, in the order of the pipeline's ControlNets.
        sampling: how frames are denoised.
        seed: of the noise.
        adapter_scale: weight of the reference pictures; None for a signer without any.
    """

    controls: dict[ControlName, float]
    sampling: Sampling
    seed: int
    adapter_scale: float | None


def plan_signer(manifest: Manifest, conditioning: Conditioning, settings: GenerateSettings) -> Plan:
    """Return how a signer is generated: what settings leave open is the family's.

    Raises:
        DiffSignError: if the conditioning is another family's or another adapter's, or the family has no such preset or
            control.
    """
    _require_same_family(manifest, conditioning)
    preset, controls = chosen_preset(manifest, settings), chosen_controls(manifest, settings)
    sampling = Sampling(
        steps=settings.steps or preset.steps,
        guidance_scale=preset.guidance_scale if settings.guidance_scale is None else settings.guidance_scale,
        control_scales=tuple(controls.values()),
        control_start=settings.control_start,
        control_end=settings.control_end,
    )
    if sampling.guidance_scale <= 1 and conditioning.negative not in ("", manifest.family.negative_prompt):
        log.warning(
            "The negative words “%s” have no effect: guidance is off (guidance_scale %g, needed above 1).",
            conditioning.negative,
            sampling.guidance_scale,
        )
    return Plan(
        controls=controls,
        sampling=sampling,
        seed=manifest.family.seed if settings.seed is None else settings.seed,
        adapter_scale=_adapter_scale(manifest, conditioning, settings),
    )


def _require_same_family(manifest: Manifest, conditioning: Conditioning) -> None:
    if conditioning.family != manifest.name:
        raise DiffSignError(
            f"the signer was encoded for family '{conditioning.family}', the manifest is of '{manifest.name}'; "
            "run diffsign encode with the same manifest."
        )
    if conditioning.image_embeds is None or manifest.ip_adapter is None:
        return
    hidden = conditioning.image_embeds.ndim == 4
    if hidden != (manifest.ip_adapter.kind != "plain"):
        came = "hidden states, as plus and full adapters take" if hidden else "one embedding, as plain ones take"
        raise DiffSignError(
            f"the signer's pictures were encoded as {came}, but the adapter of family '{manifest.name}' "
            f"is {manifest.ip_adapter.kind}; run diffsign encode with this manifest."
        )


def _adapter_scale(manifest: Manifest, conditioning: Conditioning, settings: GenerateSettings) -> float | None:
    adapter = manifest.family.ip_adapter
    if conditioning.image_embeds is None or adapter is None:
        return None
    if settings.ip_adapter_scale is not None:
        return settings.ip_adapter_scale
    return adapter.scale_with_text if conditioning.worded else adapter.scale
