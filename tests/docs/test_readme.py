"""Every command and example in the README runs as it stands there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from recaption.recipes.recipe import load_recipe
from tests.e2e.test_cli import add_images

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder as the README's reader has it: `photos`, and a table of texts."""
    folder = tmp_path_factory.mktemp("reader")
    add_images(folder / "photos", range(3))
    for path in (folder / "photos").glob("photo00.*"):
        path.rename(path.with_stem("first"))
    (folder / "credits.csv").write_text(
        "ImageID,Title\nfirst,A lighthouse\nphoto01,DSC_8925\nphoto02,Two dogs\n"
    )
    return folder


@pytest.mark.timeout(300)
def test_every_command_runs_in_order(place):
    assert len(commands()) > 8
    for command in commands():
        program, *arguments = shlex.split(command)
        if program == "make":
            done = subprocess.run(
                ["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
            )
        else:
            assert program == "recaption", command
            done = subprocess.run(
                [sys.executable, "-m", "recaption", *arguments],
                cwd=place,
                capture_output=True,
                text=True,
                check=False,
                env=os.environ,
            )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    example = "\n".join(blocks("python"))
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_recipe_example_is_valid(tmp_path):
    for number, text in enumerate(blocks("yaml")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text)
        assert load_recipe(str(path)).stages


def test_the_readme_is_short_and_names_what_is_there():
    assert len(README.splitlines()) <= 150
    for name in re.findall(r"`([A-Z]+\.md)`", README):
        assert (ROOT / name).is_file(), name
