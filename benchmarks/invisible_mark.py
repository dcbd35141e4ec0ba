"""How much of the invisible mark is left after what people do to films: ``python benchmarks/invisible_mark.py FILM …``.

Each film is marked, encoded as ``diffsign mark`` does it, and then encoded again, scaled and cropped. Scores in
brackets are too low to be the mark. Beside them stand the score of the film without it, and the PSNR of marked frames.

``--others`` asks two published libraries to do the same with 32 bits (``pip install --no-deps invisible-watermark
blind-watermark PyWavelets``; with their dependencies they bring ``opencv-python``, which overwrites ours): bits that
are right, 16 by chance.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import contextlib
import io
import subprocess
import tempfile
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from diffsign.credentials.inspect import frames_of
from diffsign.credentials.invisible import look_for, marked
from diffsign.records.clip import exact_rate, iter_clip, probe_clip, write_clip
from diffsign.records.ffmpeg import ffmpeg_command

ATTACKS = {
    "as delivered": None,
    "crf 23": ("-crf", "23"),
    "crf 28": ("-crf", "28"),
    "crf 35": ("-crf", "35"),
    "half the size": ("-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2", "-crf", "23"),
    "cropped to 80 %": ("-vf", "crop=trunc(iw*0.4)*2:trunc(ih*0.4)*2", "-crf", "23"),
    "cropped, half": ("-vf", "crop=trunc(iw*0.4)*2:trunc(ih*0.4)*2,scale=trunc(iw/4)*2:trunc(ih/4)*2", "-crf", "23"),
}


def attacked(film: Path, options: tuple[str, ...] | None, folder: Path) -> Path:
    """Return the film after an attack."""
    if options is None:
        return film
    out = folder / "again.mp4"
    subprocess.run(ffmpeg_command("-i", film, *options, "-pix_fmt", "yuv420p", out), check=True)
    return out


def psnr(frames: list[np.ndarray], others: list[np.ndarray]) -> float:
    """Return the peak signal-to-noise ratio of frames to others in dB."""
    return float(10 * np.log10(255**2 / np.mean((np.stack(frames).astype(float) - np.stack(others)) ** 2)))


def others(frames: list[np.ndarray], fps: float, folder: Path) -> None:
    """Print what published libraries keep of 32 bits."""
    from blind_watermark import WaterMark  # pyright: ignore[reportMissingImports]
    from imwatermark import WatermarkDecoder, WatermarkEncoder  # pyright: ignore[reportMissingImports]

    bits = np.random.default_rng(0).integers(0, 2, 32)

    def blind() -> WaterMark:
        with contextlib.redirect_stdout(io.StringIO()):
            return WaterMark(password_img=1, password_wm=1, processes=1)

    def embed_blind(frame: np.ndarray) -> np.ndarray:
        mark = blind()
        mark.read_img(img=frame)
        mark.read_wm(bits.astype(bool), mode="bit")
        return np.clip(mark.embed(), 0, 255).astype(np.uint8)

    encoder = WatermarkEncoder()
    encoder.set_watermark("bits", bits.tolist())
    ways = {
        f"invisible-watermark, {method}": (
            lambda frame, method=method: encoder.encode(frame, method),
            lambda frame, method=method: np.array(WatermarkDecoder("bits", 32).decode(frame, method), float),
        )
        for method in ("dwtDct", "dwtDctSvd")
    }
    ways["blind-watermark"] = embed_blind, lambda frame: blind().extract(embed_img=frame, wm_shape=32, mode="bit")
    for name, (embed, extract) in ways.items():
        changed = [np.ascontiguousarray(embed(np.ascontiguousarray(f[..., ::-1]))[..., ::-1]) for f in frames[:4]]
        write_clip(folder / "other.mp4", changed, fps)
        row = []
        for options in ATTACKS.values():
            got = list(iter_clip(attacked(folder / "other.mp4", options, folder)))
            try:
                votes = sum(extract(np.ascontiguousarray(frame[..., ::-1])) for frame in got) / len(got)
            except RuntimeError:  # invisible-watermark takes no picture of fewer than 256 x 256 pixels
                row.append("too small")
                continue
            row.append(f"{int(((votes > 0.5) == bits).sum())}/32")
        print(f"| {name} | {psnr(frames[:4], changed):.1f} | {' | '.join(row)} | |")


def main() -> None:
    """Print one row for each film."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=72)
    parser.add_argument("--height", type=int, default=512, help="larger films are scaled to it")
    parser.add_argument("--others", action="store_true")
    wanted = parser.parse_args()
    print(f"| film | PSNR, dB | {' | '.join(ATTACKS)} | not marked |\n|{'---|' * (len(ATTACKS) + 3)}")
    for path in wanted.films:
        fps = float(exact_rate(probe_clip(path).fps))
        frames = list(islice(iter_clip(path), wanted.frames))
        if frames[0].shape[0] > wanted.height:
            size = round(frames[0].shape[1] * wanted.height / frames[0].shape[0] / 8) * 8, wanted.height
            frames = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_clip(folder / "film.mp4", marked(frames), fps)
            write_clip(folder / "plain.mp4", frames, fps)
            kept = [look_for(frames_of(attacked(folder / "film.mp4", o, folder))) for o in ATTACKS.values()]
            row = [f"{trace.score:.1f}" if trace.there else f"({trace.score:.1f})" for trace in kept]
            none = look_for(frames_of(folder / "plain.mp4"))
            quality = psnr(frames[:8], list(marked(frames[:8])))
            print(f"| {path.stem} | {quality:.1f} | {' | '.join(row)} | {none.score:.1f} |", flush=True)
            if wanted.others:
                others(frames, fps, folder)


if __name__ == "__main__":
    main()
