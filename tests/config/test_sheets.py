import datetime
from pathlib import Path

import openpyxl
import pytest

from diffsign.config.sheets import SignerRow, VideoRow, read_sheet
from diffsign.errors import DiffSignError


def sheet(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "sheet.tsv"
    path.write_bytes(text.encode(encoding))
    return path


def test_rows_keep_order_and_empty_cells_are_absent(tmp_path):
    rows = read_sheet(sheet(tmp_path, "video\tpath\tstart\nb\tb.mp4\t1.5\n# note\n\na\ta.mp4\t\n"), VideoRow)
    assert list(rows) == ["b", "a"]
    assert rows["b"].start == 1.5
    assert rows["a"].start is None


def test_excel_byte_order_mark_and_missing_last_cells(tmp_path):
    rows = read_sheet(sheet(tmp_path, "video\tpath\tend\na\ta.mp4\n", "utf-8-sig"), VideoRow)
    assert rows["a"].end is None


def test_signers_know_their_kind(tmp_path):
    rows = read_sheet(
        sheet(tmp_path, "signer\timage\ttext\na\tx.png; y.png\t\nb\t\ta woman\nc\tx.png\ta woman\n"), SignerRow
    )
    assert [row.kind for row in rows.values()] == ["image", "text", "multimodal"]
    assert rows["a"].image == ["x.png", "y.png"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("video\tpath\n", "no rows"),
        ("video\tpaht\na\ta.mp4\n", "unknown column 'paht' (did you mean 'path'?)"),
        ("video\tvideo\tpath\na\ta\ta.mp4\n", "the column 'video' is named twice"),
        ("video\tpath\na\ta.mp4\na\tb.mp4\n", "row 3: the video 'a' appears twice"),
        ("video\tpath\na\ta.mp4\nA\tb.mp4\n", "appears twice"),
        ("video\tpath\n../a\ta.mp4\n", "row 2: 'video' is '../a'"),
        ("video\tpath\nmy video\ta.mp4\n", "'video' is 'my video'"),
        ("video\tpath\na'b\ta.mp4\n", "'video' is \"a'b\""),
        ('video\tpath\na"b\ta.mp4\n', "letters, digits"),
        ("video\tpath\n\ta.mp4\n", "'video' is missing"),
        ("video\tpath\na\t\n", "path, pose, motion or say; none came"),
        ("video\tpath\na\ta.mp4\textra\n", "3 cells for 2 columns"),
        ("video\tpath\tstart\na\ta.mp4\tsoon\n", "'start' is 'soon'"),
        ("video\tpath\tstart\tend\na\ta.mp4\t3\t2\n", "ends at 2.0 s, not after its start"),
        ("video\tpath\tcrop\na\ta.mp4\tleft\n", "'crop' is 'left'"),
    ],
)
def test_every_mistake_is_named_with_its_line(tmp_path, text, complaint):
    with pytest.raises(DiffSignError) as error:
        read_sheet(sheet(tmp_path, text), VideoRow)
    assert complaint in str(error.value)
    assert "sheet.tsv" in str(error.value)


def test_a_signer_without_looks_is_refused(tmp_path):
    with pytest.raises(DiffSignError, match="needs an image, a text, or both"):
        read_sheet(sheet(tmp_path, "signer\tseed\na\t3\n"), SignerRow)


def test_a_sheet_that_is_no_text(tmp_path):
    path = tmp_path / "sheet.tsv"
    path.write_bytes(b"\x80\xff\x81\x82")
    with pytest.raises(DiffSignError, match="not UTF-8"):
        read_sheet(path, VideoRow)
    path.write_bytes(b"PK\x03\x04\xff\xfe\x00\x80")
    with pytest.raises(DiffSignError, match="as a workbook"):
        read_sheet(path, VideoRow)


def test_signers_name_loras_with_their_scales(tmp_path):
    text = "signer\ttext\tlora\na\ta woman\tzwx:0.8; watercolour\nb\t\tzwx\n"
    rows = read_sheet(sheet(tmp_path, text), SignerRow)
    assert rows["a"].loras == {"zwx": 0.8, "watercolour": None}
    assert rows["b"].loras == {"zwx": None} and rows["b"].kind == "text"
    with pytest.raises(DiffSignError, match=r"row 2: 'lora' is 'zwx:9': expected a LoRA's name"):
        read_sheet(sheet(tmp_path, "signer\ttext\tlora\na\ta woman\tzwx:9\n"), SignerRow)


@pytest.mark.parametrize(
    ("columns", "cells", "facts"),
    [
        ("path\tpose", "a.mp4\ta.pose", ["path", "pose"]),
        ("say\tcrop", "hello\t1:1:0:0", ["crop", "say"]),
        ("pose\tsigned_language", "a.pose\tase", ["signed_language", "pose"]),
    ],
)
def test_a_source_is_one_thing(tmp_path, columns, cells, facts):
    with pytest.raises(DiffSignError, match="row 2") as error:
        read_sheet(sheet(tmp_path, f"video\t{columns}\nx\t{cells}\n"), VideoRow)
    assert all(fact in str(error.value) for fact in facts)


def test_texts_and_pose_files_are_sources_without_a_film(tmp_path):
    rows = read_sheet(sheet(tmp_path, "video\tpath\tpose\tsay\na\ta.mp4\nb\t\tb.pose\nc\t\t\thello\n"), VideoRow)
    assert [row.filmed for row in rows.values()] == [True, False, False]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_and_line_ends_of_spreadsheets(tmp_path, encoding, newline):
    text = newline.join(["signer\ttext", "001\tüne femme", "NA\t#1 fan", ""])
    rows = read_sheet(sheet(tmp_path, text, encoding), SignerRow)
    assert {name: row.text for name, row in rows.items()} == {"001": "üne femme", "NA": "#1 fan"}


def test_quoted_cells_hold_line_breaks_tabs_and_quotes(tmp_path):
    text = 'signer\ttext\tseed\na\t"a ""tall"" woman\nwith a red shirt"\t3\nb\tsays "hi"\t4\nc\tx\u2028y\x0bz\x85w\t\n'
    rows = read_sheet(sheet(tmp_path, text), SignerRow)
    assert [row.text for row in rows.values()] == [
        'a "tall" woman with a red shirt', 'says "hi"', "x y z w",
    ]  # fmt: skip
    assert rows["b"].seed == 4


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('signer\ttext\na\ta man\nb\t"a woman\n', 3),
        ('signer\ttext\na\t"a man\nb\ta woman\nc\t"a child"\n', 2),
        ('signer\ttext\tseed\na\t"a\nb"\tsoon\nb\tx\tsoon\n', 2),
        ('signer\ttext\tseed\na\t"a\nb"\t1\nb\tx\tsoon\n', 3),
        ("signer\ttext\tseed\n\n# note\na\tx\tsoon\n", 4),
    ],
)
def test_a_wrong_cell_is_named_by_row(tmp_path, text, row):
    with pytest.raises(DiffSignError) as error:
        read_sheet(sheet(tmp_path, text), SignerRow)
    assert f"row {row}" in str(error.value)
    assert "seed" in str(error.value) or "quote" in str(error.value)


def test_hashes_are_comments_only_where_no_row_is(tmp_path):
    rows = read_sheet(
        sheet(tmp_path, "background\tsigner\ttext\n# who\n#ffffff\ta\ta woman\n# \t\t\n\tb\t#\n"), SignerRow
    )
    assert rows["a"].background == "#ffffff" and rows["b"].text == "#"
    rows = read_sheet(sheet(tmp_path, "# first\nvideo\tpath\n#a\ta.mp4\nb\t#b.mp4\n"), VideoRow)
    assert list(rows) == ["b"] and rows["b"].path == "#b.mp4"


def test_blank_columns_are_left_out_unless_they_hold_something(tmp_path):
    rows = read_sheet(sheet(tmp_path, "video\t\tpath\t\t\na\t\ta.mp4\t\t\n"), VideoRow)
    assert rows["a"].path == "a.mp4"
    with pytest.raises(DiffSignError) as error:
        read_sheet(sheet(tmp_path, "video\t\tpath\na\tx\ta.mp4\n"), VideoRow)
    assert "row 2" in str(error.value) and "column 2" in str(error.value)


@pytest.mark.parametrize(
    "text", ['signer,text\na,"red, blue"\n', "signer;text\na;red, blue\n", "sep=;\nsigner;text\na;red, blue\n"]
)
def test_csv_by_commas_or_semicolons(tmp_path, text):
    path = tmp_path / "signers.csv"
    path.write_text(text)
    assert read_sheet(path, SignerRow)["a"].text == "red, blue"


def test_workbooks(tmp_path):
    book = openpyxl.Workbook()
    for row in [
        ["video", "path", "start", "rotate", None],
        ["001", "a b.mp4", 1.5, 90, None],
        ["NA", "b.mp4", None, None],
    ]:
        book.active.append(row)
    book.active.append([])
    book.active.append([7, "c.mp4", 2])
    book.save(tmp_path / "videos.xlsx")
    rows = read_sheet(tmp_path / "videos.xlsx", VideoRow)
    assert list(rows) == ["001", "NA", "7"]
    assert (rows["001"].start, rows["001"].rotate, rows["7"].start) == (1.5, 90, 2)
    book.active["C2"] = "soon"
    book.save(tmp_path / "videos.xlsx")
    with pytest.raises(DiffSignError) as error:
        read_sheet(tmp_path / "videos.xlsx", VideoRow)
    assert "row 2" in str(error.value) and "'start'" in str(error.value)
    data = (tmp_path / "videos.xlsx").read_bytes()
    (tmp_path / "videos.xlsx").write_bytes(data[: len(data) // 2])
    with pytest.raises(DiffSignError, match=r"videos\.xlsx"):
        read_sheet(tmp_path / "videos.xlsx", VideoRow)


@pytest.mark.parametrize("name", ["s.tsv", "s.txt", "s.csv"])
@pytest.mark.parametrize(
    "text",
    [
        "# my signers, old; new\nsigner;text\na;red, blue\n",
        'signer,text\na,"red, blue"\n',
        "Signer \tText\na\tred, blue\t\t\n\n\t\t\t\n",
        '\ufeff"signer"\t"text"\r\n"a"\t"red, blue"\r\n',
    ],
)
def test_the_header_says_what_separates_the_cells(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_sheet(tmp_path / name, SignerRow)["a"].text == "red, blue"


def test_ids_that_look_like_something_else(tmp_path):
    rows = read_sheet(sheet(tmp_path, "signer\ttext\n001\tNone\nNA\tnan\nnull\t1e5\nTRUE\t-\n"), SignerRow)
    assert {name: row.text for name, row in rows.items()} == {"001": "None", "NA": "nan", "null": "1e5", "TRUE": "-"}


@pytest.mark.parametrize(("cell", "seconds"), [("62.5", 62.5), ("1:02.5", 62.5), ("0:01:02.5", 62.5)])
def test_clock_times(tmp_path, cell, seconds):
    assert read_sheet(sheet(tmp_path, f"video\tpath\tstart\na\ta.mp4\t{cell}\n"), VideoRow)["a"].start == seconds


def test_workbooks_are_read_as_they_are_shown(tmp_path):
    """Zeros before a number, dates, times, and cells that are merged down."""
    book = openpyxl.Workbook()
    page = book.active
    for row in [["video", "path", "start"], [1, "a.mp4", datetime.time(0, 1, 2)], [datetime.date(2026, 1, 2), None, 3]]:
        page.append(row)
    page["A2"].number_format = "000"
    page.merge_cells("B2:B3")
    book.save(tmp_path / "videos.xlsx")
    rows = read_sheet(tmp_path / "videos.xlsx", VideoRow)
    assert {name: (row.path, row.start) for name, row in rows.items()} == {
        "001": ("a.mp4", 62.0),
        "2026-01-02": ("a.mp4", 3.0),
    }
    (tmp_path / "videos.tsv").write_bytes((tmp_path / "videos.xlsx").read_bytes())
    assert list(read_sheet(tmp_path / "videos.tsv", VideoRow)) == list(rows), "whatever it is called"


def test_a_formula_that_was_never_computed_is_named(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["signer", "text"])
    book.active.append(["a", '=CONCATENATE("a ","woman")'])
    book.save(tmp_path / "signers.xlsx")
    with pytest.raises(DiffSignError, match="cell B2 holds a formula"):
        read_sheet(tmp_path / "signers.xlsx", SignerRow)


@pytest.mark.parametrize("name", ["a.ods", "a.xls", "a.numbers"])
def test_sheets_of_other_kinds_say_what_to_save(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xd0\xcf\x11\xe0 or PK")
    with pytest.raises(DiffSignError, match=r"save it as \.xlsx"):
        read_sheet(tmp_path / name, SignerRow)
