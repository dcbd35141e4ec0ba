from pathlib import Path

import pytest
import yaml

from diffsign.config.schema import Config, defaults_text, load_config, load_signers, read_config, schema_text
from diffsign.config.settings import Settings, plain_type
from diffsign.errors import DiffSignError

ROOT = Path(__file__).parents[2]


def test_defaults_file_and_schema_have_not_drifted():
    assert (ROOT / "config/defaults.yaml").read_text() == defaults_text()
    assert (ROOT / "config/schema.json").read_text() == schema_text()


def test_defaults_file_gives_the_defaults():
    assert load_config(yaml.safe_load(defaults_text())) == Config()


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configs_are_valid(path):
    read_config(path)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"vidoes": "x"}, "unknown key 'vidoes' (did you mean 'videos'?)"),
        ({"ingest": {"fpss": 3}}, "unknown key 'ingest.fpss'"),
        ({"ingest": {"fps": -1}}, "'ingest.fps' is -1: input should be greater than 0"),
        ({"ingest": {"height": 500}}, "multiple of 8"),
        ({"detect": {"detector": "yolo"}}, "'mediapipe' or 'openpose'"),
        ({"chunks": "many"}, "'chunks' is 'many'"),
        ({"chunks": True}, "'chunks' is True"),
        ({"detect": {"model_complexity": True}}, "'detect.model_complexity' is True"),
        ({"videos": ""}, "'videos' is ''"),
        ({"results": "res{x}"}, "'results' is 'res{x}'"),
        ({"resources": "{x}"}, "'resources' is '{x}'"),
        ({"fit": {"robust_scale": float("inf")}}, "'fit.robust_scale' is inf"),
        ({"smooth": {"body_cutoff": float("inf")}}, "'smooth.body_cutoff' is inf"),
        ({"smooth": {"hand_cutoff": float("nan")}}, "'smooth.hand_cutoff' is nan"),
    ],
)
def test_every_mistake_is_named_with_its_key(values, complaint):
    with pytest.raises(DiffSignError) as error:
        load_config(values, "config file 'c.yaml'")
    assert complaint in str(error.value)
    assert "c.yaml" in str(error.value)


@pytest.mark.parametrize(("text", "complaint"), [("a: [", "is not YAML"), ("- 1\n", "keys and values"), ("", "empty")])
def test_files_that_are_no_config(tmp_path, text, complaint):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(DiffSignError, match=complaint):
        read_config(path)


CHARACTER = {"pictures": ["zwx"], "words": "a zwx person"}


@pytest.fixture
def character(tmp_path, monkeypatch):
    """Load a sheet with one signer beside the character 'zwx' in ``zwx/``, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zwx").mkdir()
    (tmp_path / "zwx" / "1.png").write_bytes(b"not looked at")

    def load(row: str, header: str = "signer\tlora\ttext\tfamily", **config):
        (tmp_path / "signers.tsv").write_text(f"{header}\n{row}\n")
        return load_signers(load_config({"signers": "signers.tsv", "characters": {"zwx": CHARACTER}} | config))

    return load


def test_a_signer_says_the_words_of_its_character(character):
    assert character("s\tzwx")["s"].text == "a zwx person"
    assert character("s\tzwx:0.5\ta zwx person in a park")["s"].text == "a zwx person in a park"
    assert character("s\t\ta woman")["s"].text == "a woman"


@pytest.mark.parametrize(
    ("row", "config", "complaint"),
    [
        ("s\tzwy", {}, "names the lora 'zwy' (did you mean 'zwx'?), which is neither a character of the config"),
        ("s\tzwx\ta woman", {}, "its text does not say 'zwx', which calls it; begin with 'a zwx person'"),
        ("s\tzwx\t\tsd15", {}, "drawn by the family 'sd15', but its character 'zwx' is taught to 'demo'"),
        ("s\tlcm\t\tsd15", {"characters": {"lcm": CHARACTER | {"family": "sd15"}}}, "the name of a LoRA"),
        ("s\tzwx", {"characters": {"zwx": CHARACTER | {"pictures": ["none"]}}}, "picture 'none' does not exist"),
        ("s\tzwx", {"characters": {"zwx": CHARACTER | {"pictures": ["."]}}}, "there is no picture"),
        ("s\tzwx", {"characters": {"zwx": CHARACTER | {"steps": 0}}}, "'characters.zwx.steps' is 0"),
        ("s\tzwx", {"characters": {"z w": CHARACTER}}, "an id is made of letters"),
    ],
)
def test_mistakes_in_characters_are_named(character, row, config, complaint):
    with pytest.raises(DiffSignError) as error:
        character(row, **config)
    assert complaint in str(error.value)


def test_no_number_of_any_section_is_infinite():
    def numbers(settings: Settings, path: tuple[str, ...] = ()):
        for name, field in type(settings).model_fields.items():
            if plain_type(field.annotation) is float:
                yield (*path, name)
            elif isinstance(value := getattr(settings, name), Settings):
                yield from numbers(value, (*path, name))

    paths = list(numbers(Config()))
    assert len(paths) > 20
    for path in paths:
        values: object = float("inf")
        for name in reversed(path):
            values = {name: values}
        with pytest.raises(DiffSignError, match=path[-1]):
            load_config(values)


def test_the_home_folder_and_leading_dashes(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/ana")
    monkeypatch.chdir(tmp_path)
    config = load_config({"videos": "~/videos.tsv", "body": "~/body.npz", "results": "-out"})
    assert (config.videos, config.body) == ("/home/ana/videos.tsv", "/home/ana/body.npz")
    assert config.results == str(tmp_path / "-out")
