"""The chain of ffmpeg's filters that makes a clip's pictures of a source's."""

from __future__ import annotations

from diffsign.config.ingest import IngestSettings
from diffsign.ingest.source import Colours, Source
from diffsign.ingest.window import Fit, Window, fit_inside
from diffsign.records.clip import exact_rate

#: Luminance of white in HDR video, in cd/m² (ITU-R BT.2408); what is brighter is cut off.
HDR_WHITE = 203


def _deinterlacing(source: Source, fields: str | None) -> list[str]:
    if source.interlaced:
        return ["bwdif=mode=send_frame:deint=interlaced"]
    return [f"bwdif=mode=send_frame:parity={fields}:deint=all"] if fields else []


def _to_srgb(colours: Colours) -> list[str]:
    """Return the filters that bring HDR and wide colours to sRGB; none for what is sRGB-like already.

    Whites and skin keep their brightness: only highlights above white are lost.
    """
    if not colours.hdr and not colours.wide:
        return []
    # Chroma of full size, because zscale takes no odd sizes otherwise.
    tags = [
        "format=yuv444p16le",
        *(["setparams=color_primaries=bt2020:colorspace=bt2020nc"] if colours.half_tagged else []),
    ]
    if not colours.hdr:
        return [
            *tags,
            "zscale=transfer=linear",
            "format=gbrpf32le",
            "zscale=primaries=bt709:transfer=bt709",
            "format=gbrp",
        ]
    return [
        *tags,
        f"zscale=transfer=linear:npl={HDR_WHITE}",
        "format=gbrpf32le",
        "zscale=primaries=bt709",
        "tonemap=clip:desat=0",
        "zscale=transfer=iec61966-2-1",
        "format=gbrp",
    ]


def _scale(fit: Fit, colours: Colours) -> str:
    """Return the filter that fits every picture into the clip's size, also where pictures change theirs on the way."""
    (stored_width, stored_height), (width, height), (outer_width, outer_height) = fit.stored, fit.inner, fit.outer
    as_probed = f"eq(iw\\,{stored_width})*eq(ih\\,{stored_height})"
    scale = f"min({outer_width}/(iw*sar)\\,{outer_height}/ih)"
    size = (
        f"w=if({as_probed}\\,{width}\\,max(1\\,round(iw*sar*{scale})))",
        f"h=if({as_probed}\\,{height}\\,max(1\\,round(ih*{scale})))",
    )
    matrix = ":in_color_matrix=bt709" if colours.untagged_hd else ""
    return f"scale={':'.join(size)}:flags=lanczos+accurate_rnd+full_chroma_int{matrix}"


def filter_chain(source: Source, window: Window, settings: IngestSettings, fields: str | None) -> str:
    """Return ffmpeg's filters from a source's pictures to the clip's.

    Args:
        source: the video, upright by its metadata.
        window: how it is turned and which part of the picture is taken.
        settings: rate and size of the clip.
        fields: which field comes first in pictures that are interlaced without saying so.
    """
    turned = window.turn.apply(source)
    crop = window.crop
    width, height = (crop.width, crop.height) if crop else (turned.width, turned.height)
    fit = fit_inside(width, height, turned.pixel_aspect, settings.height, settings.width)
    filters = [*_deinterlacing(source, fields), *window.turn.filters()]
    if crop:
        filters.append(f"crop={crop.width}:{crop.height}:{crop.x}:{crop.y}:exact=1")
    # start_time keeps pictures and sound together; eof_action keeps a video of a single short frame.
    filters.append(f"fps=fps={exact_rate(settings.rate)}:start_time=0:eof_action=pass")
    # RGB from here on, whatever the encoders behind take: a preview must not change the clip.
    filters += [_scale(fit, source.colours), *_to_srgb(source.colours), "format=bgr0"]
    return ",".join([*filters, f"pad={fit.outer[0]}:{fit.outer[1]}:(ow-iw)/2:(oh-ih)/2", "setsar=1"])
