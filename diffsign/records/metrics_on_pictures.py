"""Metrics on pictures and on the faces in them: what each means."""

from __future__ import annotations

from collections.abc import Mapping

from diffsign.records.metric_kinds import MetricDefinition

#: Metrics on pictures.
PICTURES: Mapping[str, MetricDefinition] = {
    "warping_error": MetricDefinition(
        "Warping error, result",
        "",
        "lower",
        "Mean squared change of colour along the movement, inside the signer; what movement explains does not count.",
        "Lai et al. 2018; Farneback flow of the avatar, forward-backward check",
        "steadiness",
    ),
    "warping_error_avatar": MetricDefinition(
        "Warping error, avatar rendering",
        "",
        "",
        "The same for the avatar rendering, which does not flicker: the floor of this measure.",
        "Lai et al. 2018",
        "steadiness",
    ),
    "flicker": MetricDefinition(
        "Flicker against avatar",
        "×",
        "lower",
        "Warping error of the result over that of the avatar rendering; 1 is as steady as the rendering.",
        "ratio of the two above",
        "steadiness",
    ),
    "warping_error_background": MetricDefinition(
        "Warping error of background",
        "",
        "lower",
        "Mean squared change of colour from frame to frame outside the signer, where nothing should move.",
        "Lai et al. 2018",
        "steadiness",
    ),
    "fid": MetricDefinition(
        "FID",
        "",
        "lower",
        "Fréchet distance between the features of the result's frames and the source's. "
        "Biased upwards over few frames: compare only values over as many frames with the same network.",
        "Heusel et al. 2017",
        "likeness",
    ),
    "kid": MetricDefinition(
        "KID",
        "",
        "lower",
        "Kernel distance between the same features, without FID's bias over few frames; can fall below 0.",
        "Bińkowski et al. 2018, cubic kernel, one set of all frames",
        "likeness",
    ),
    "directional_similarity": MetricDefinition(
        "CLIP directional similarity",
        "",
        "higher",
        "Whether the picture changed from source to result as the words changed from the source's caption to the "
        "signer's; from -1 to 1.",
        "StyleGAN-NADA (Gal et al. 2022), as InstructPix2Pix measures it",
        "likeness",
    ),
    "reference_similarity": MetricDefinition(
        "CLIP similarity to reference",
        "",
        "higher",
        "How alike the result's frames and the reference pictures are to CLIP; from -1 to 1.",
        "CLIP image similarity (CLIP-I, Ruiz et al. 2023)",
        "likeness",
    ),
    "words_similarity": MetricDefinition(
        "CLIP similarity to words",
        "",
        "higher",
        "How well the signer's words describe the result's frames to CLIP; from -1 to 1. Compare it between signers "
        "with the same words only.",
        "CLIP text-image similarity (CLIPScore without its factor, Hessel et al. 2021)",
        "likeness",
    ),
    "lpips": MetricDefinition(
        "LPIPS from source",
        "",
        "",
        "How different the result's frames look from the source's: 0 is the same picture. Another person before "
        "another wall should look different.",
        "Zhang et al. 2018, version 0.1",
        "likeness",
    ),
    "fvd": MetricDefinition(
        "FVD",
        "",
        "lower",
        "Fréchet distance between the features of short clips of the result and of the source, so of movement too. "
        "Biased upwards over few clips: compare only values over as many clips with the same network.",
        "Unterthiner et al. 2018; clips of 16 frames, one every 4",
        "likeness",
    ),
    "ssim_first_frame": MetricDefinition(
        "SSIM with the first frame",
        "",
        "",
        "What the released code printed as SSIM of successive frames: it compares every frame with the first. "
        "It falls with movement, not with flicker.",
        "released code of DiffSign; 7×7 mean window on grey (scikit-image's defaults)",
        "earlier",
    ),
    "fid_released": MetricDefinition(
        "FID as released",
        "",
        "",
        "What the released code computes as FID: bytes are multiplied by 255 and wrap around, so the network sees "
        "negatives; first 1000 frames, scaled to 512×512.",
        "released code of DiffSign",
        "earlier",
    ),
}

_RECOGNISER = "distance between the descriptors of a face recogniser"

#: Metrics on faces: who a recogniser takes the signer for.
FACES: Mapping[str, MetricDefinition] = {
    "face_distance_source": MetricDefinition(
        "Distance of faces, result to source",
        "",
        "higher",
        "How far the result's faces are from the source's to a face recogniser, the median over pairs of frames. Read "
        "it between the two below: about as far as the same person is, or as other people are.",
        _RECOGNISER,
        "anonymity",
    ),
    "face_distance_same": MetricDefinition(
        "Distance of faces, source to itself",
        "",
        "",
        "The same among the source's own frames: how far the same person is.",
        _RECOGNISER,
        "anonymity",
    ),
    "face_distance_others": MetricDefinition(
        "Distance of faces, source to others",
        "",
        "",
        "The same between the source and other people: the reference pictures, and those of face_others.",
        _RECOGNISER,
        "anonymity",
    ),
    "face_matched": MetricDefinition(
        "Faces taken for the source's person",
        "share",
        "lower",
        "Share of the result's faces that lie nearer to a face of the source than the recogniser's threshold for the "
        "same person, which holds for photographs: dlib takes all rendered people for one (docs/metrics.md).",
        "verification at the published threshold (dlib: 0.6), or at face_threshold",
        "anonymity",
    ),
    "face_identified": MetricDefinition(
        "Faces nearest to the source's person",
        "share",
        "lower",
        "Share of the result's faces whose nearest face, among the source and the other people, is the source's.",
        "identification at rank 1",
        "anonymity",
    ),
    "face_distance_reference": MetricDefinition(
        "Distance of faces, result to reference",
        "",
        "lower",
        "How far the result's faces are from those of the reference pictures.",
        _RECOGNISER,
        "anonymity",
    ),
    "face_distance_result": MetricDefinition(
        "Distance of faces, result to itself",
        "",
        "lower",
        "The same among the result's own frames: whether it shows one person throughout.",
        _RECOGNISER,
        "anonymity",
    ),
}
