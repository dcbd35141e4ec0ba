import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from diffsign.cli import app
from diffsign.config.evaluate import BackTranslation, EvaluateSettings
from diffsign.errors import DiffSignError
from diffsign.evaluate.distribution import as_released, frechet_distance
from diffsign.evaluate.frames import Measured
from diffsign.evaluate.lpips import ALEXNET, Features
from diffsign.evaluate.networks import CLIPEncoder
from diffsign.evaluate.on_pictures import likeness
from diffsign.evaluate.ssim import ssim_pairs, ssim_uniform, to_grey
from diffsign.evaluate.stage import OF_SOURCE_PICTURES, Inputs, evaluate
from diffsign.records.clip import read_clip, write_clip
from diffsign.records.keypoints import save_keypoints
from diffsign.records.metric_definitions import METRIC_DEFINITIONS
from diffsign.records.metrics import Evaluation, Metric, load_metrics, metric, save_metrics, to_series
from diffsign.records.shots import mark_cuts


def run(files: dict[str, Path], settings: EvaluateSettings | None = None, threads: int = 1, **changes) -> Evaluation:
    inputs = Inputs(**({"source_text": "a person signing", "signer_text": "a man in blue"} | files | changes))
    return evaluate(inputs, settings or EvaluateSettings(), threads=threads)[0]


@pytest.fixture(scope="module")
def metrics(files: dict[str, Path]) -> Evaluation:
    return run(files)


def test_every_defined_metric_is_measured_or_gives_its_reason(metrics: Evaluation, shape) -> None:
    assert set(metrics.metrics) == set(METRIC_DEFINITIONS)
    for name, measured in metrics.metrics.items():
        assert (measured.value is None) == (measured.reason is not None), name
    assert metrics.value("reference_similarity") is None
    assert {len(series) for series in metrics.series.values()} == {shape.frames}
    assert (metrics.frames, metrics.width, metrics.height, metrics.fps) == (
        shape.frames,
        shape.width,
        shape.height,
        shape.fps,
    )
    assert metrics.untrained and metrics.kind == "text"


def test_networks_are_named(metrics: Evaluation) -> None:
    for name in ("fid", "fid_released", "kid", "directional_similarity"):
        assert metrics.metrics[name].network == "CLIP of the family demo"
    assert metrics.metrics["hands_recall_source"].network == "test"
    assert metrics.metrics["ssim_successive"].network is None


def test_the_lost_hand_is_counted(metrics: Evaluation, shape) -> None:
    assert metrics.value("right_hand_recall_source") == pytest.approx(1 - 1 / shape.frames)
    assert metrics.value("hands_recall_avatar") == pytest.approx(1 - 1 / (2 * shape.frames))
    assert metrics.metrics["hands_recall_avatar"].frames == 2 * shape.frames
    assert metrics.series["right_hand_found_result"] == [1, 1, 0, 1, 1]


def test_ssim_advances_and_the_released_one_does_not(metrics: Evaluation, files: dict[str, Path], shape) -> None:
    grey = to_grey(read_clip(files["result"])[0])
    successive = ssim_pairs(grey[:-1], grey[1:]).mean()
    first = np.mean([ssim_uniform(grey[0], frame) for frame in grey[1:]])
    assert metrics.value("ssim_successive") == pytest.approx(successive, abs=1e-5)
    assert metrics.value("ssim_first_frame") == pytest.approx(first, abs=1e-9)
    assert metrics.metrics["ssim_successive"].frames == shape.frames - 1


def test_frames_on_both_sides_of_a_cut_are_not_compared(
    files: dict[str, Path], tmp_path: Path, make_keypoints, shape
) -> None:
    keypoints = make_keypoints()
    path = tmp_path / "cut.npz"
    save_keypoints(path, replace(keypoints, changes=mark_cuts(keypoints.changes, [3])))
    cut = run(files, source_keypoints=path)
    for name in ("ssim_successive_result", "ssim_successive_source", "warping_error_result"):
        assert [value is None for value in cut.series[name]] == [True, False, False, True, False]
    assert cut.metrics["ssim_successive"].frames == shape.frames - 2


def test_fid_rests_on_the_frames_and_the_released_one_on_their_negatives(
    metrics: Evaluation, files: dict[str, Path], tiny_clip: Path
) -> None:
    clip = CLIPEncoder(tiny_clip, "tiny")
    frames = {name: read_clip(files[name])[0] for name in ("source", "result")}
    plain = frechet_distance(*(clip.frames(f) for f in frames.values()))
    wrapped = frechet_distance(*(clip.frames(as_released(f)) for f in frames.values()))
    assert metrics.value("fid") == pytest.approx(plain, rel=1e-3)
    assert metrics.value("fid_released") == pytest.approx(wrapped, rel=1e-3)
    assert abs(plain - wrapped) > 0.05 * plain


def test_batches_do_not_change_the_metrics(metrics: Evaluation, files: dict[str, Path]) -> None:
    small = run(files, EvaluateSettings(batch_size=2))
    for name in set(METRIC_DEFINITIONS) - {"reference_similarity"}:
        expected = metrics.value(name)
        assert small.value(name) == (expected and pytest.approx(expected, rel=1e-4, abs=1e-6)), name


@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_input_gives_the_same_bits(metrics: Evaluation, files: dict[str, Path], threads: int) -> None:
    assert run(files, threads=threads) == metrics


def test_a_result_that_is_the_source_is_perfect(files: dict[str, Path]) -> None:
    metrics = run(files | {"result": files["source"], "result_keypoints": files["source_keypoints"]})
    assert metrics.value("fid") == pytest.approx(0, abs=1e-5)
    assert metrics.value("flicker") == pytest.approx(1)
    assert metrics.value("hands_recall_source") == 1
    assert metrics.value("hands_pck_source") == 1
    assert metrics.value("ssim_successive") == pytest.approx(metrics.value("ssim_successive_source"))
    assert metrics.value("directional_similarity") is None and metrics.metrics["directional_similarity"].reason


def test_references_and_no_words(files: dict[str, Path], tmp_path: Path, make_picture) -> None:
    picture = tmp_path / "wide picture.png"
    Image.fromarray(make_picture(0)).save(picture)
    metrics = run(files, signer_text=None, references=(picture,))
    assert metrics.kind == "image"
    assert metrics.value("directional_similarity") is None
    assert -1 <= (metrics.value("reference_similarity") or -9) <= 1


def test_a_result_of_another_size_is_brought_to_the_sources(files: dict[str, Path], tmp_path: Path, shape) -> None:
    large = [frame.repeat(2, 0).repeat(2, 1) for frame in read_clip(files["source"])[0]]
    write_clip(tmp_path / "large.mkv", large, shape.fps)
    metrics = run(files | {"result": tmp_path / "large.mkv"})
    assert metrics.value("ssim_successive") == pytest.approx(metrics.value("ssim_successive_source"), abs=1e-5)
    assert metrics.width == shape.width


def test_without_flow_or_clip_the_metrics_give_their_reason(
    files: dict[str, Path], tmp_path: Path, write_manifest
) -> None:
    manifest = tmp_path / "bare.json"
    write_manifest(manifest, clip=None, trained=True)
    metrics = run(files | {"family": manifest, "mask": tmp_path / "none.mkv"}, EvaluateSettings(flow=False))
    assert not metrics.untrained
    assert metrics.metrics["flicker"].value is None
    assert "CLIP" in (metrics.metrics["fid"].reason or "")
    assert metrics.value("hands_pck_source") == 1


def test_networks_and_translators_of_the_users_stand_beside_their_metrics(
    files: dict[str, Path], tmp_path: Path, weights_by_formula
) -> None:
    weights = tmp_path / "alexnet-random.pth"
    torch.save(weights_by_formula(Features(ALEXNET)), weights)
    translator = BackTranslation(command="echo the same {clip}", name="parrot")
    settings = EvaluateSettings(lpips_weights=str(weights), back_translation=translator, face_recogniser="none")
    metrics = run(files, settings, translation="the same")
    lpips = metrics.metrics["lpips"]
    assert lpips.value == pytest.approx(np.mean(metrics.series["lpips"]), abs=1e-6) and 0 < lpips.value < 1
    assert lpips.network == "LPIPS 0.1, AlexNet (alexnet-random.pth)" and lpips.frames == metrics.frames
    assert metrics.metrics["back_bleu"].network == "parrot"
    assert metrics.metrics["back_bleu"].settings["read"] == f"the same {files['result']}"
    assert metrics.metrics["words_similarity"].network == "CLIP of the family demo"
    assert "switched off" in (metrics.metrics["face_matched"].reason or "")
    assert "fvd_weights" in (metrics.metrics["fvd"].reason or "")


def test_one_frame(files: dict[str, Path], tmp_path: Path, make_keypoints, shape) -> None:
    single = {}
    for name in ("source", "avatar", "mask", "result"):
        single[name] = tmp_path / f"{name}.mkv"
        write_clip(single[name], read_clip(files[name])[0][:1], shape.fps)
    for name in ("source_keypoints", "avatar_keypoints", "result_keypoints"):
        single[name] = tmp_path / f"{name}.npz"
        save_keypoints(single[name], make_keypoints(frames=1))
    metrics = run(files | single)
    for name in ("ssim_successive", "ssim_first_frame", "fid", "fid_released", "kid", "flicker"):
        assert metrics.value(name) is None and metrics.metrics[name].reason, name
    assert metrics.value("hands_pck_source") == 1


def test_clips_of_different_length_are_named(files: dict[str, Path], tmp_path: Path, shape) -> None:
    write_clip(tmp_path / "short.mkv", read_clip(files["result"])[0][:3], shape.fps)
    with pytest.raises(DiffSignError, match=rf"source\.mkv.*\b{shape.frames}\b.*short\.mkv.*\b3\b"):
        run(files | {"result": tmp_path / "short.mkv"})


def test_keypoints_of_different_length_are_named(files: dict[str, Path], tmp_path: Path, make_keypoints) -> None:
    save_keypoints(tmp_path / "short.npz", make_keypoints(frames=3))
    with pytest.raises(DiffSignError, match=r"short\.npz.*\b3\b.*source\.npz.*\b5\b"):
        run(files | {"avatar_keypoints": tmp_path / "short.npz"})


def test_bad_files_are_named(files: dict[str, Path], tmp_path: Path) -> None:
    text = tmp_path / "picture.png"
    text.write_text("not a picture")
    with pytest.raises(DiffSignError, match=r"picture\.png"):
        run(files, references=(text,))
    with pytest.raises(DiffSignError, match=r"picture\.png"):
        run(files | {"family": text})
    with pytest.raises(DiffSignError, match=r"no\.mkv"):
        run(files | {"result": tmp_path / "no.mkv"})


def arguments(files: dict[str, Path], out: Path) -> list[str]:
    flags = [f"--{name.replace('_', '-')}={path}" for name, path in files.items() if name != "result"]
    return ["evaluate", str(files["result"]), str(out), *flags, "--video", "v", "--signer", "s", "--threads", "1"]


def test_the_command_writes_what_loads_again(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "metrics.json"
    result = CliRunner().invoke(app, [*arguments(files, out), "--signer-text", "a man in blue", "--batch-size", "3"])
    assert result.exit_code == 0, result.output
    metrics = load_metrics(out)
    assert (metrics.video, metrics.signer, metrics.kind) == ("v", "s", "text")
    assert "NaN" not in out.read_text()


def test_the_worst_moments_are_a_picture_and_an_empty_file_if_nothing_breaks(
    files: dict[str, Path], tmp_path: Path
) -> None:
    picture = tmp_path / "moments.jpg"
    command = [*arguments(files, tmp_path / "m.json"), "--moments", str(picture), "--tolerance", "0.1"]
    assert CliRunner().invoke(app, command).exit_code == 0
    breaks = load_metrics(tmp_path / "m.json").breaks
    assert [b.parameter for b in breaks].count("presence") == 2, "the right hand is lost in one frame of the one second"
    with Image.open(picture) as opened:
        assert opened.format == "JPEG" and opened.width > 3 * 300
    assert CliRunner().invoke(app, [*command, "--worst-moments", "0"]).exit_code == 0
    assert picture.read_bytes() == b""


def test_a_failing_command_leaves_nothing(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "metrics.json"
    result = CliRunner().invoke(app, [*arguments(files | {"result": tmp_path / "no.mkv"}, out)])
    assert isinstance(result.exception, DiffSignError)
    assert not out.exists()


def test_metrics_round_trip_and_refuse_other_files(metrics: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    save_metrics(path, metrics)
    assert load_metrics(path) == metrics
    for text, fact in {
        "nonsense": "JSON",
        "[1]": "list",
        '{"format": "other"}': "other",
        '{"format": "diffsign-metrics", "version": 99}': "99",
        '{"format": "diffsign-metrics", "version": 1}': "video",
    }.items():
        path.write_text(text)
        with pytest.raises(DiffSignError, match=rf"m\.json.*{fact}"):
            load_metrics(path)
    with pytest.raises(DiffSignError, match=r"none\.json"):
        load_metrics(tmp_path / "none.json")


def test_a_file_of_version_1_means_what_it_meant(metrics: Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    save_metrics(path, metrics)
    record = json.loads(path.read_text())
    old = {"hands_redetected_source": {"value": 0.9, "frames": 8}, "ssim_successive": {"value": 0.7, "frames": 4}}
    for new in ("metrics", "untrained", "breaks", "checksum"):
        del record[new]
    path.write_text(json.dumps(record | {"version": 1, "figures": old, "stand_in": True}))
    loaded = load_metrics(path)
    assert loaded.untrained
    assert loaded.value("hands_recall_source") == 0.9
    assert loaded.value("ssim_successive_border") == 0.7, "what torchmetrics gave"
    assert loaded.value("ssim_successive") is None


def test_features_that_are_not_finite_give_no_distance_and_say_why(metrics: Evaluation) -> None:
    features = {"source": torch.ones(4, 3), "result": torch.full((4, 3), torch.nan)}
    nothing: dict = {}
    measured = Measured(nothing, nothing, np.zeros(4), nothing, features, features, nothing)
    for name, value in likeness(measured, "net").items():
        assert value.value is None and "4 frames" in (value.reason or ""), name


def test_pictures_of_the_signer_are_read_upright(files: dict[str, Path], tmp_path: Path, make_picture) -> None:
    upright = Image.fromarray(make_picture(0))
    upright.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif)
    values = [
        run(files, references=(tmp_path / f"{name}.png",)).value("reference_similarity")
        for name in ("upright", "turned")
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-6)


def test_values_that_are_not_finite_become_null_with_a_reason() -> None:
    assert metric(float("nan"), 3, reason="why") == Metric(value=None, frames=3, reason="why")
    assert metric(1.0, 0).value is None and metric(1.0, 0).reason
    assert to_series(np.array([np.nan, 1.23456789])) == [None, 1.234568]


def test_a_metric_without_a_definition_is_not_written(metrics: Evaluation, tmp_path: Path) -> None:
    odd = metrics.model_copy(update={"metrics": {"odd": Metric(value=1.0, frames=1)}})
    with pytest.raises(ValueError, match="odd"):
        save_metrics(tmp_path / "m.json", odd)


def test_a_source_that_is_no_film_is_compared_by_its_keypoints_alone(
    metrics: Evaluation, files: dict[str, Path]
) -> None:
    posed = run(files, skeleton=True)
    lost = {name for name, metric in metrics.metrics.items() if metric.value != posed.metrics[name].value}
    assert lost == {name for name in OF_SOURCE_PICTURES if metrics.metrics[name].value is not None}
    assert all("skeleton" in (posed.metrics[name].reason or "") for name in OF_SOURCE_PICTURES)
    assert posed.metrics["hands_pck_source"].value is not None
    assert "ssim_successive_source" not in posed.series
