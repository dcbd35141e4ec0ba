"""The demo family: the classes of Stable Diffusion 1.5 with ControlNets and an IP-Adapter, in small.

A latent is a quarter of the picture's size on each side (and not an eighth): at 256×256 a finger is some six
pixels wide, and has to survive the autoencoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.models.attention_processor import IPAdapterAttnProcessor2_0
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.embeddings import ImageProjection, MultiIPAdapterImageProjection
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import nn
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextModel,
    CLIPTokenizer,
)

from diffsign.training.attributes import vocabulary
from diffsign.training.tokenizer import build_tokenizer

CONTROLS = ("pose", "canny", "depth")
#: Pixels on a side for which the family is made.
SIZE = 256
FACTOR = 4
LATENTS = 8
BLOCKS = (32, 64, 96)
WIDTH = 128
TEXT_LENGTH = 32
IMAGE_TOKENS = 4
CLIP_SIZE = 64


@dataclass
class DemoFamily:
    """All networks of the demo family.

    Attributes:
        vae: pictures (B, 3, H, W) in [-1, 1] to latents (B, 8, H/4, W/4) and back.
        unet: predicts the clean latent (``prediction_type: sample``).
        controlnets: by control name.
        tokenizer: 32 tokens a text.
        text_encoder: (B, 32) tokens to (B, 32, 128).
        clip: both towers, trained against each other; its vision tower is the adapter's image encoder.
        adapter: the image tokens' projection, (B, 128) to (B, 4, 128).
        processors: the adapter's attention layers in the order of the UNet's attention processors.
        scheduler: DDIM with zero terminal signal-to-noise ratio and trailing steps.
        extractor: pictures to what ``clip`` sees.
    """

    vae: AutoencoderTiny
    unet: UNet2DConditionModel
    controlnets: dict[str, ControlNetModel]
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    clip: CLIPModel
    adapter: ImageProjection
    processors: nn.ModuleDict
    scheduler: DDIMScheduler
    extractor: CLIPImageProcessor

    def modules(self) -> dict[str, nn.Module]:
        """Return every trainable network by name, for checkpoints and averages."""
        nets: dict[str, nn.Module] = {f"controlnet_{name}": net for name, net in self.controlnets.items()}
        networks: dict[str, nn.Module] = {
            name: getattr(self, name) for name in ("vae", "unet", "text_encoder", "clip", "adapter", "processors")
        }
        return networks | nets

    def image_embeddings(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Map extracted pictures (B, 3, 64, 64) to what the adapter takes, (B, 128)."""
        pooled = self.clip.vision_model(pixel_values=pixel_values).pooler_output
        return self.clip.visual_projection(pooled)


def linear_encoder(vae: AutoencoderTiny, basis: torch.Tensor, mean: torch.Tensor) -> None:
    """Write a linear encoder: each 4×4 patch of RGB is projected on ``basis``.

    The three convolutions gather the patch into channels (space to depth, twice) and project it; nothing in between is
    non-linear. Exact, no training, and the latent's scale is whatever the basis makes it.

    Args:
        vae: changed in place.
        basis: (8, 3, 4, 4), applied to pictures in [0, 1].
        mean: (8,), subtracted.
    """
    convolutions = [layer for layer in vae.encoder.layers if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for layer in convolutions:
            layer.weight.zero_()
            if layer.bias is not None:
                layer.bias.zero_()
        for colour in range(3):
            convolutions[0].weight[colour, colour, 1, 1] = 1.0
        for step, layer in enumerate(convolutions[1:3]):
            channels = 3 * 4**step
            for y in range(2):
                for x in range(2):
                    for channel in range(channels):
                        # taps 1 and 2 of a padded 3×3 kernel of stride 2 are the two pixels of the cell
                        layer.weight[channels * (2 * y + x) + channel, channel, y + 1, x + 1] = 1.0
        last = convolutions[3]
        for y in range(4):
            for x in range(4):
                # after two foldings: the first took the pixel inside a 2×2 cell, the second the cell
                inner, outer = 2 * (y % 2) + x % 2, 2 * (y // 2) + x // 2
                first = 12 * outer + 3 * inner
                last.weight[:, first : first + 3, 1, 1] = basis[:, :, y, x]
        last.bias.copy_(-mean)  # type: ignore[union-attr]


def cosine_basis() -> tuple[torch.Tensor, torch.Tensor]:
    """Return a basis that no data went into: six cosines of luma and two of chroma, for an untrained family."""
    grid = (torch.arange(4) + 0.5) * torch.pi / 4
    wave = [torch.cos(k * grid) for k in range(3)]
    luma = torch.tensor([0.299, 0.587, 0.114])
    orders = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0)]
    rows = [luma[:, None, None] * torch.outer(wave[v], wave[u]) for v, u in orders]
    rows += [torch.tensor(c)[:, None, None] * torch.ones(4, 4) for c in ((-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))]
    basis = torch.stack(rows) / 16 * torch.tensor([4.0, *[8.0] * 5, 6.0, 6.0])[:, None, None, None]
    mean = (basis * 0.5).sum(dim=(1, 2, 3))
    return basis, mean


def _clip_config(tokenizer: CLIPTokenizer) -> CLIPConfig:
    shared = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "projection_dim": WIDTH,
    }
    special = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": TEXT_LENGTH, **special}
    vision = {"image_size": CLIP_SIZE, "patch_size": 8}
    return CLIPConfig(text_config=shared | text, vision_config=shared | vision, projection_dim=WIDTH)


def build_scheduler() -> DDIMScheduler:
    """Return the schedule: the network predicts the clean latent, so the first step may start from pure noise."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="sample",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,  # trailing steps take no offset; 1 is what the pipelines expect to read
    )


def _adapter_layers(unet: UNet2DConditionModel) -> nn.ModuleDict:
    """Return the adapter's layers, by the number that the original checkpoints give each (odd: cross-attention)."""
    layers = nn.ModuleDict()
    for number, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):
            width = unet.get_submodule(name.removesuffix(".processor")).to_q.out_features  # type: ignore[union-attr]
            layers[str(number)] = IPAdapterAttnProcessor2_0(width, WIDTH, num_tokens=(IMAGE_TOKENS,))
    return layers


def attach_adapter(family: DemoFamily) -> None:
    """Let the UNet look at ``added_cond_kwargs={"image_embeds": [(B, 1, 128)]}`` through the family's adapter."""
    unet = family.unet
    processors = dict(unet.attn_processors)
    for number, name in enumerate(unet.attn_processors):
        if str(number) in family.processors:
            processors[name] = family.processors[str(number)]  # type: ignore[assignment]
    unet.set_attn_processor(processors)
    unet.encoder_hid_proj = MultiIPAdapterImageProjection([family.adapter])  # type: ignore[assignment]
    unet.config.encoder_hid_dim_type = "ip_image_proj"  # type: ignore[attr-defined]


def build_family(seed: int = 0) -> DemoFamily:
    """Return the family with random weights drawn from ``seed`` (the encoder is analytic)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = build_tokenizer(vocabulary(), TEXT_LENGTH)
        clip = CLIPModel(_clip_config(tokenizer))
        text_encoder = CLIPTextModel(clip.config.text_config)  # type: ignore[arg-type]
        vae = AutoencoderTiny(
            latent_channels=LATENTS,
            encoder_block_out_channels=(48, 48, 48),
            decoder_block_out_channels=(32, 32, 32),
            num_encoder_blocks=(0, 0, 0),
            num_decoder_blocks=(3, 2, 1),
        )
        linear_encoder(vae, *cosine_basis())
        unet = UNet2DConditionModel(
            sample_size=SIZE // FACTOR,
            in_channels=LATENTS,
            out_channels=LATENTS,
            block_out_channels=BLOCKS,
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=WIDTH,
            attention_head_dim=2,
            norm_num_groups=8,
        )
        # Words are the UNet's business; without attention a ControlNet costs half as much.
        controlnets = {
            name: ControlNetModel(
                in_channels=LATENTS,
                down_block_types=("DownBlock2D", "DownBlock2D", "DownBlock2D"),
                mid_block_type="UNetMidBlock2D",
                block_out_channels=BLOCKS,
                layers_per_block=1,
                cross_attention_dim=WIDTH,
                attention_head_dim=2,
                norm_num_groups=8,
                conditioning_embedding_out_channels=(8, 16, 32),
            )
            for name in CONTROLS
        }
        adapter = ImageProjection(image_embed_dim=WIDTH, cross_attention_dim=WIDTH, num_image_text_embeds=IMAGE_TOKENS)
        processors = _adapter_layers(unet)
    extractor = CLIPImageProcessor(
        size={"shortest_edge": CLIP_SIZE}, crop_size={"height": CLIP_SIZE, "width": CLIP_SIZE}
    )
    family = DemoFamily(
        vae, unet, controlnets, tokenizer, text_encoder, clip, adapter, processors, build_scheduler(), extractor
    )
    for module in family.modules().values():
        module.eval()
    return family
