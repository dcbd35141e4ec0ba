"""The subject that a family is fine-tuned on: its pictures, their controls, and what it is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from diffsign.config.family import ControlName
from diffsign.errors import DiffSignError
from diffsign.files import picture_files
from diffsign.models.control_pictures import canny_picture
from diffsign.records.manifest import Manifest
from diffsign.records.picture import read_picture


def read_square(path: str | Path, size: int) -> np.ndarray:
    """Read a picture and crop the square in its middle: (size, size, 3) uint8."""
    picture = read_picture(path, "picture of the subject")
    return np.array(ImageOps.fit(picture, (size, size), Image.Resampling.LANCZOS))


def control_file(picture: Path, control: str) -> Path:
    """Return where a picture's control picture lies if there is one: ``1.pose.png`` beside ``1.png``."""
    return picture.with_name(f"{picture.stem}.{control}.png")


@dataclass(frozen=True)
class TrainingSubject:
    """A person who has consented, or a designed character, given by a few pictures.

    Attributes:
        files: the pictures.
        instance_prompt: what the subject is called: a rare word and the class, such as "a zwx person".
        class_prompts: descriptions of the class, without the rare word.
    """

    files: tuple[Path, ...]
    instance_prompt: str
    class_prompts: tuple[str, ...]

    @classmethod
    def of(
        cls, pictures: Sequence[str | Path], instance_prompt: str, class_prompt: str = "a person"
    ) -> TrainingSubject:
        """Return the subject of pictures (files and folders); several class prompts are separated by ";".

        Raises:
            DiffSignError: if there are no pictures, or the two prompts are the same.
        """
        prompts = tuple(text.strip() for text in class_prompt.split(";") if text.strip())
        if not prompts or instance_prompt.split() in [text.split() for text in prompts]:
            raise DiffSignError(
                f"the instance prompt is '{instance_prompt}', the class prompt '{class_prompt}'; the instance prompt "
                "needs a rare word more, such as 'zwx'."
            )
        return cls(tuple(picture_files(pictures)), instance_prompt, prompts)

    @property
    def sizes(self) -> list[list[str | int]]:
        """Path and size in bytes of every picture: what tells whether they are the same as before."""
        return [[str(path), path.stat().st_size] for path in self.files]

    def controls(self, manifest: Manifest) -> list[ControlName]:
        """Return the controls to train under: edges, and those that every picture has beside it.

        Raises:
            DiffSignError: if the family has no ControlNet for edges.
        """
        if "canny" not in manifest.controlnets:
            raise DiffSignError(
                f"the manifest of family '{manifest.name}' holds no ControlNet for canny, which personalize draws and "
                "trains with; fetch the family again with canny among its --controls."
            )
        return [
            name
            for name in manifest.controlnets
            if name == "canny" or all(control_file(path, name).is_file() for path in self.files)
        ]

    def control_pictures(self, name: ControlName, size: int) -> np.ndarray:
        """Return one control of all pictures, (N, size, size, 3) uint8; edges are found where no file has them."""
        files = [control_file(path, name) for path in self.files]
        return np.stack(
            [
                read_square(file, size) if name != "canny" or file.is_file() else canny_picture(read_square(path, size))
                for file, path in zip(files, self.files, strict=True)
            ]
        )
