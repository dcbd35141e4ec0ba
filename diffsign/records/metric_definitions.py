"""What every figure means: its title, unit, direction, sentence and source.

Tables, plots, the page and the docs take their words from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Parts of the signer whose detection is followed.
PARTS = {"left_hand": "left hand", "right_hand": "right hand", "face": "face"}
#: What the result is compared with.
REFERENCES = {"source": "source", "avatar": "avatar rendering"}


@dataclass(frozen=True)
class Definition:
    """What a figure is.

    Attributes:
        title: short name for tables and plots.
        unit: unit, empty for scores; "share" is a part of 1 and shown in per cent.
        better: which way is better; "" where neither is.
        meaning: a sentence for the reader of the page.
        source: paper or standard that defines it.
        group: chapter of the page that it belongs to.
    """

    title: str
    unit: str
    better: Literal["higher", "lower", ""]
    meaning: str
    source: str
    group: Literal["legibility", "steadiness", "likeness", "released"]


def _ssim() -> dict[str, Definition]:
    wang = "Wang et al. 2004, on luma; Gaussian window of 1.5 px"
    told = {"": "result", "_source": "source", "_avatar": "avatar rendering"}
    return {
        f"ssim_successive{suffix}": Definition(
            f"SSIM of successive frames, {who}",
            "",
            "higher" if not suffix else "",
            f"How alike neighbouring frames of the {who} are; 1 is a still picture. "
            "Read the result's beside the source's: much lower means flicker, higher means lost movement.",
            wang,
            "steadiness",
        )
        for suffix, who in told.items()
    }


def _legibility() -> dict[str, Definition]:
    found: dict[str, Definition] = {}
    for part, name in PARTS.items():
        for who in (*REFERENCES, "result"):
            found[f"{part}_found_{who}"] = Definition(
                f"{name.capitalize()} found, {REFERENCES.get(who, who)}",
                "share",
                "higher" if who == "result" else "",
                f"Share of all frames of the {REFERENCES.get(who, who)} in which the detector finds the {name}.",
                "detection rate",
                "legibility",
            )
    for reference, told in REFERENCES.items():
        for part, name in {"hands": "hands", **PARTS}.items():
            found[f"{part}_redetected_{reference}"] = Definition(
                f"{name.capitalize()} found again, of {told}",
                "share",
                "higher",
                f"Where the detector finds the {name} in the {told}: the share that it finds in the result too.",
                "recall",
                "legibility",
            )
        for part, name in {"hands": "hands", "left_hand": "left hand", "right_hand": "right hand"}.items():
            found[f"{part}_pck_{reference}"] = Definition(
                f"PCK of {name}, against {told}",
                "share",
                "higher",
                f"Share of points of the {name} within a tenth (pck_alpha) of the hand's size of the {told}'s, "
                "over hands found in both.",
                "PCK (Yang and Ramanan 2013), longer side of the hand's box",
                "legibility",
            )
            found[f"{part}_error_{reference}"] = Definition(
                f"Error of {name}, against {told}",
                "hand sizes",
                "lower",
                f"Mean distance of the {name}'s points from the {told}'s, over hands found in both.",
                "normalised mean error, longer side of the hand's box",
                "legibility",
            )
            shape = {"hands": "handshape", "left_hand": "left_handshape", "right_hand": "right_handshape"}[part]
            found[f"{shape}_error_{reference}"] = Definition(
                f"Handshape error, {name}, against {told}",
                "°",
                "lower",
                f"Mean difference of the 15 finger-joint angles of the {name} from the {told}'s; "
                "independent of where the hand is and how it is turned when the detector gives 3D.",
                "mean joint angle error",
                "legibility",
            )
        found[f"body_pck_{reference}"] = Definition(
            f"PCK of upper body, against {told}",
            "share",
            "higher",
            "Share of points of head, shoulders and arms within a tenth (pck_alpha) of the body's size "
            f"of the {told}'s.",
            "PCK (Yang and Ramanan 2013), longer side of the upper body's box",
            "legibility",
        )
        found[f"body_error_{reference}"] = Definition(
            f"Error of upper body, against {told}",
            "body sizes",
            "lower",
            f"Mean distance of head, shoulders and arms from the {told}'s.",
            "normalised mean error, longer side of the upper body's box",
            "legibility",
        )
        found[f"face_error_{reference}"] = Definition(
            f"Error of face, against {told}",
            "eye distances",
            "lower",
            f"Mean distance of the 68 face points from the {told}'s, in distances between the outer eye corners.",
            "normalised mean error (300-W, Sagonas et al. 2013)",
            "legibility",
        )
        for part, what in {"mouth": "opening of the mouth", "brow": "height of the brows"}.items():
            found[f"{part}_agreement_{reference}"] = Definition(
                f"{part.capitalize()} agreement, with {told}",
                "",
                "higher",
                f"Correlation over time of the {what} in the result with that in the {told}; 1 moves the same.",
                "Pearson correlation, in distances between the outer eye corners",
                "legibility",
            )
    return found


DEFINITIONS: dict[str, Definition] = {
    **_legibility(),
    **_ssim(),
    "warping_error": Definition(
        "Warping error, result",
        "",
        "lower",
        "Mean squared change of colour along the movement, inside the signer; what movement explains does not count.",
        "Lai et al. 2018; Farneback flow of the avatar, forward-backward check",
        "steadiness",
    ),
    "warping_error_avatar": Definition(
        "Warping error, avatar rendering",
        "",
        "",
        "The same for the avatar rendering, which does not flicker: the floor of this measure.",
        "Lai et al. 2018",
        "steadiness",
    ),
    "flicker": Definition(
        "Flicker against avatar",
        "×",
        "lower",
        "Warping error of the result over that of the avatar rendering; 1 is as steady as the rendering.",
        "ratio of the two above",
        "steadiness",
    ),
    "warping_error_background": Definition(
        "Warping error of background",
        "",
        "lower",
        "Mean squared change of colour from frame to frame outside the signer, where nothing should move.",
        "Lai et al. 2018",
        "steadiness",
    ),
    "fid": Definition(
        "FID",
        "",
        "lower",
        "Fréchet distance between the features of the result's frames and the source's. "
        "Biased upwards over few frames: compare only figures over as many frames with the same network.",
        "Heusel et al. 2017",
        "likeness",
    ),
    "kid": Definition(
        "KID",
        "",
        "lower",
        "Kernel distance between the same features, without FID's bias over few frames; can fall below 0.",
        "Bińkowski et al. 2018, cubic kernel, one set of all frames",
        "likeness",
    ),
    "directional_similarity": Definition(
        "CLIP directional similarity",
        "",
        "higher",
        "Whether the picture changed from source to result as the words changed from the source's caption to the "
        "signer's; from -1 to 1.",
        "StyleGAN-NADA (Gal et al. 2022), as InstructPix2Pix measures it",
        "likeness",
    ),
    "reference_similarity": Definition(
        "CLIP similarity to reference",
        "",
        "higher",
        "How alike the result's frames and the reference pictures are to CLIP; from -1 to 1.",
        "CLIP image similarity (CLIP-I, Ruiz et al. 2023)",
        "likeness",
    ),
    "ssim_first_frame": Definition(
        "SSIM with the first frame",
        "",
        "",
        "What the released code printed as SSIM of successive frames: it compares every frame with the first. "
        "It falls with movement, not with flicker.",
        "released code of DiffSign; 7×7 mean window on grey",
        "released",
    ),
    "fid_released": Definition(
        "FID as released",
        "",
        "",
        "What the released code computes as FID: bytes are multiplied by 255 and wrap around, so the network sees "
        "negatives; first 1000 frames, scaled to 512×512.",
        "released code of DiffSign",
        "released",
    ),
}

#: Chapters of the page, in its order.
GROUPS = {
    "legibility": "Can the signing still be read?",
    "steadiness": "Is the picture steady?",
    "likeness": "Is it the signer that was asked for?",
    "released": "As the released code computes it",
}

#: The figures to look at first, with the shortest title that says what they are.
HEADLINES = {
    "hands_redetected_source": "Hands found again",
    "hands_pck_source": "Hand points in place",
    "handshape_error_source": "Handshape error",
    "mouth_agreement_source": "Mouth agrees",
    "ssim_successive": "SSIM of neighbours",
    "flicker": "Flicker",
    "fid": "FID",
    "directional_similarity": "Directional similarity",
    "reference_similarity": "Like the reference",
}


def format_value(name: str, value: float | None) -> str:
    """Return a figure's value as a person reads it: three significant digits, its unit, "–" where there is none."""
    if value is None:
        return "–"
    unit = DEFINITIONS[name].unit
    if unit == "share":
        return f"{100 * value:.0f} %" if 0.001 <= value <= 0.994 or value in (0, 1) else f"{100 * value:.1f} %"
    if value != 0 and abs(value) < 0.001:
        text = f"{value:.1e}"
    elif abs(value) >= 100:
        text = f"{value:.0f}"
    else:
        text = f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
    return f"{text}{'' if unit in ('', '°', '×') else ' '}{unit}"
