"""Commands that make control pictures: pose, canny, depth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diffsign.cli import app
from diffsign.cli.options import with_settings
from diffsign.cli.renamed import Commands
from diffsign.config.control import CannyControlSettings, DepthControlSettings, PoseControlSettings

control_app = Commands(no_args_is_help=True, help="Make the pictures that condition the diffusion model.")
app.add_typer(control_app, name="control")

OUT = typer.Argument(help="Clip to write (.mkv).")
PREVIEW = typer.Option(help="Also write an .mp4 to look at.")


@control_app.command("pose")
@with_settings(PoseControlSettings)
def control_pose(
    path: Annotated[
        Path, typer.Argument(metavar="MOTION", help="Motion (.npz), or with `--source detect` keypoints (.npz).")
    ],
    out: Annotated[Path, OUT],
    body: Annotated[Path | None, typer.Option(help="Body file (.npz) that the motion was fitted with.")] = None,
    preview: Annotated[Path | None, PREVIEW] = None,
    *,
    settings: PoseControlSettings,
) -> None:
    """Draw the OpenPose skeleton: from the fitted joints, or from keypoints found on the rendering."""
    from diffsign.control.pose import skeletons_of_keypoints, skeletons_of_motion
    from diffsign.errors import DiffSignError
    from diffsign.progress import track
    from diffsign.records.clip import write_clip
    from diffsign.records.keypoints import load_keypoints
    from diffsign.records.motion import load_motion

    if settings.source == "detect":
        keypoints = load_keypoints(path)
        frames, fps, count = skeletons_of_keypoints(keypoints, settings), keypoints.fps, len(keypoints)
    else:
        if body is None:
            raise DiffSignError(
                "diffsign control pose: name the body file with --body (or draw keypoints: --source detect)."
            )
        from diffsign.body.model import load_body

        motion = load_motion(path)
        frames, fps, count = skeletons_of_motion(motion, load_body(body), settings), motion.fps, len(motion)
    write_clip(out, track(frames, "Skeletons", count), fps, preview=preview)


@control_app.command("canny")
@with_settings(CannyControlSettings)
def control_canny(
    color: Annotated[Path, typer.Argument(help="Colour pass of the avatar (.mkv).")],
    out: Annotated[Path, OUT],
    preview: Annotated[Path | None, PREVIEW] = None,
    *,
    settings: CannyControlSettings,
) -> None:
    """Find the edges of the colour pass."""
    from diffsign.models.control_pictures import canny_picture
    from diffsign.progress import track
    from diffsign.records.clip import iter_clip, probe_clip, write_clip

    info = probe_clip(color)
    frames = (canny_picture(frame, settings.low, settings.high) for frame in iter_clip(color))
    write_clip(out, track(frames, "Edges", info.frames), info.fps, preview=preview)


@control_app.command("depth")
@with_settings(DepthControlSettings)
def control_depth(
    path: Annotated[
        Path, typer.Argument(metavar="DEPTH", help="Depth pass (.mkv), or with `--source dpt` the colour pass.")
    ],
    out: Annotated[Path, OUT],
    preview: Annotated[Path | None, PREVIEW] = None,
    *,
    settings: DepthControlSettings,
) -> None:
    """Turn depth into inverse depth, near white, with one range for the clip."""
    from diffsign.control.depth import estimate_inverse_depth, pictures_of_depth, pictures_of_estimate
    from diffsign.progress import track
    from diffsign.records.clip import iter_clip, probe_clip, write_clip
    from diffsign.records.depth import decode_depth

    info = probe_clip(path)
    if settings.source == "dpt":
        frames = pictures_of_estimate(estimate_inverse_depth(iter_clip(path), settings.estimator))
    else:
        frames = pictures_of_depth(lambda: (decode_depth(f) for f in iter_clip(path, depth=True)), settings)
    write_clip(out, track(frames, "Depth", info.frames), info.fps, preview=preview)
