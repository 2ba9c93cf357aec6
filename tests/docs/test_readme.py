"""Every command and example in the README runs as it stands there."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from recaption.recipes.recipe import load_recipe
from tests.e2e.test_cli import add_images, recaption, rows

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


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_command_runs_in_order(place):
    assert len(commands()) > 8
    for number, command in enumerate(commands()):
        program, *arguments = shlex.split(command)
        if program == "make":
            subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, check=True)
        elif arguments[:2] == ["audit", "out"]:
            _served_until_interrupted(arguments, place)
        else:
            assert program == "recaption", command
            recaption(*arguments, cwd=place, fresh=number < 2)  # one in a process that has nothing loaded


def _served_until_interrupted(arguments: list[str], place: Path) -> None:
    """The one command that stays; the browser that it opens is a program that does nothing."""
    command = [sys.executable, "-m", "recaption", *arguments]
    env = {**os.environ, "BROWSER": "true"}
    with subprocess.Popen(
        command, cwd=place, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line)
            if line.startswith("Ctrl+C"):
                break
        assert any("http://127.0.0.1:8765/#token=" in line for line in printed), printed
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


def test_every_recipe_example_is_valid(tmp_path):
    for number, text in enumerate(blocks("yaml")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text)
        assert load_recipe(str(path)).stages


def test_the_readme_is_short_and_names_what_is_there():
    assert len(README.splitlines()) <= 150
    for name in re.findall(r"`([A-Z]+\.md)`", README):
        assert (ROOT / name).is_file(), name


EXAMPLE_EVIDENCE = [
    ("object", "person", [60, 200, 130, 420]),
    ("object", "person", [150, 210, 220, 430]),
    ("object", "dog", [240, 340, 320, 430]),
    ("object", "bench", [400, 330, 600, 440]),
    ("object", "sign", [450, 60, 560, 130]),
    ("text", "OPEN", [470, 80, 540, 110]),
]


def test_the_example_at_the_top_is_what_comes_out(tmp_path):
    before, after = (
        re.findall(rf"^    {word} +(.*)$", README, re.MULTILINE)[0] for word in ("before", "after")
    )
    evidence = [{"kind": k, "label": w, "source": "given", "box": b} for k, w, b in EXAMPLE_EVIDENCE]
    Image.new("RGB", (640, 480), "#8a7f74").save(tmp_path / "dover.png")  # a dull picture: nothing to tell
    row = {"key": "dover", "image_path": "dover.png", "text": before, "evidence": evidence}
    (tmp_path / "table.jsonl").write_text(json.dumps(row) + "\n")
    recaption("run", tmp_path / "table.jsonl", tmp_path / "out")
    assert [r["caption"] for r in rows(tmp_path / "out")] == [after]
