from pathlib import Path

import pytest
import yaml

from diffsign.core.config import Config, defaults_text, load_config, read_config, schema_text
from diffsign.core.errors import DiffSignError

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
