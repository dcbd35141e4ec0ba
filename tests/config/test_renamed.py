"""Names of earlier versions in configs, sheets and files."""

import logging

import pytest
from pydantic import Field, ValidationError

from diffsign.config.renamed import formerly, warn
from diffsign.config.settings import Settings, parse
from diffsign.config.sheets import read_sheet
from diffsign.errors import DiffSignError


class Subject(Settings):
    prompt: str = Field("a person", json_schema_extra=formerly("words"), description="Words.")
    mode: str = Field("slow", json_schema_extra=formerly(values={"careful": "slow"}), description="Mode.")


class Project(Settings):
    subjects: dict[str, Subject] = Field({}, json_schema_extra=formerly("characters", "people"), description="Who.")
    first: Subject | None = Field(None, description="One of them.")
    others: list[Subject] = Field([], description="More.")


@pytest.fixture(autouse=True)
def warnings(caplog):
    """Return the warnings of this test, none of which was given before."""
    warn.cache_clear()
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


def test_present_names_give_no_warning(warnings):
    project = parse(Project, {"subjects": {"a": {"prompt": "b"}}}, "config 'c'")
    assert project.subjects["a"].prompt == "b"
    assert warnings() == []


@pytest.mark.parametrize("name", ["characters", "people"])
def test_former_names_are_taken_at_every_depth(warnings, name):
    values = {name: {"a": {"words": "b"}}, "first": {"words": "c"}, "others": [{"words": "d"}, {"prompt": "e"}]}
    project = parse(Project, values, "config 'c'")
    assert project.subjects["a"].prompt == "b"
    assert project.first and project.first.prompt == "c"
    assert [other.prompt for other in project.others] == ["d", "e"]
    said = warnings()
    assert len(said) == 4
    for old, new in {
        name: "subjects",
        "subjects.a.words": "subjects.a.prompt",
        "first.words": "first.prompt",
        "others.0.words": "others.0.prompt",
    }.items():
        assert any(f"'{old}'" in line and f"'{new}'" in line and "config 'c'" in line for line in said)


def test_a_warning_is_given_once(warnings):
    for _ in range(3):
        parse(Subject, {"words": "b"}, "config 'c'")
    assert len(warnings()) == 1


def test_former_values_are_taken(warnings):
    assert parse(Subject, {"mode": "careful"}, "config 'c'").mode == "slow"
    assert len(warnings()) == 1 and "careful" in warnings()[0]


def test_both_names_at_once_are_refused():
    with pytest.raises(DiffSignError, match=r"'words'.*'prompt'"):
        parse(Subject, {"words": "a", "prompt": "b"}, "config 'c'")
    with pytest.raises(ValidationError):
        Subject.model_validate({"words": "a", "prompt": "b"})


def test_a_mistake_under_a_former_name_is_named_as_it_is_now():
    with pytest.raises(DiffSignError, match=r"'subjects\.a\.prompt' is 3"):
        parse(Project, {"characters": {"a": {"words": 3}}}, "config 'c'")


def test_files_of_earlier_versions_open_without_a_warning(warnings):
    assert Project.model_validate({"characters": {"a": {"words": "b"}}}).subjects["a"].prompt == "b"
    assert warnings() == []


class Row(Settings):
    name: str = Field(description="Name.")
    prompt: str | None = Field(None, json_schema_extra=formerly("words"), description="Words.")


def test_former_columns_are_taken(tmp_path, warnings):
    sheet = tmp_path / "sheet.tsv"
    sheet.write_text("name\twords\na\tb\nc\td\n")
    rows = read_sheet(sheet, Row)
    assert [row.prompt for row in rows.values()] == ["b", "d"]
    assert len(warnings()) == 1 and "sheet.tsv" in warnings()[0]
    sheet.write_text("name\twords\tprompt\na\tb\tc\n")
    with pytest.raises(DiffSignError, match=r"'words'.*'prompt'"):
        read_sheet(sheet, Row)
