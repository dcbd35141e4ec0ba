"""Several runs in one table."""

import pytest

from diffsign.errors import DiffSignError
from diffsign.experiments.stage import Inputs, Outputs, run


def write(folder, name, rows):
    path = folder / name / "tables" / "clips.csv"
    path.parent.mkdir(parents=True)
    path.write_text("signer,video,kind,family,fid,ssim_successive\n" + "".join(f"{row}\n" for row in rows))
    return path


def test_means_say_how_many_clips_have_a_value(tmp_path):
    first = write(tmp_path, "E1", ["man,a,image,demo,2,0.5", "man,b,image,demo,,0.7", "woman,a,image,demo,3,0.9"])
    second = write(tmp_path, "E2", ["man,a,text,demo,5,"])
    run(Inputs((first, second)), Outputs(tmp_path / "c.csv", tmp_path / "c.md"))
    header, *lines = (line.split(",") for line in (tmp_path / "c.csv").read_text().splitlines())
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    assert [(row["experiment"], row["signer"]) for row in rows] == [("E1", "man"), ("E1", "woman"), ("E2", "man")]
    assert (rows[0]["fid"], rows[0]["n_fid"]) == ("2", "1")
    assert (rows[0]["ssim_successive"], rows[0]["n_ssim_successive"]) == ("0.6", "2")
    assert (rows[2]["ssim_successive"], rows[2]["n_ssim_successive"]) == ("", "0")
    markdown = (tmp_path / "c.md").read_text()
    assert "| E1 | man | demo |" in markdown and "2.000 (n = 1)" in markdown and "–" in markdown


def test_another_table_is_refused(tmp_path):
    path = tmp_path / "E1" / "tables" / "clips.csv"
    path.parent.mkdir(parents=True)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DiffSignError, match="no table of clips: it has no column family, kind, signer"):
        run(Inputs((path,)), Outputs(tmp_path / "c.csv"))
    assert not (tmp_path / "c.csv").exists()
