"""The scripts as they are started by hand, and what they say to wrong arguments."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import evaluate
import pytest
import torch
import train
from transformers import VisionEncoderDecoderModel

import recaption.models.embedded.architecture  # noqa: F401 - registers the towers
from tests.training.conftest import TRAINING

REQUIRED = ["--model", "captioner", "--out", "never-made"]


@pytest.mark.slow
def test_help_comes_from_the_root_of_the_repository() -> None:
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        [sys.executable, "training/train.py", "--help"],
        cwd=TRAINING.parent,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    assert "usage: train.py" in run.stdout
    assert "--device" in run.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)  # a whole shard is rendered, by processes that compete with the other tests
def test_a_training_as_it_is_started_by_hand(tmp_path: Path) -> None:
    """Real shards, rendered by processes of their own while it waits."""
    size = ["--steps", "1", "--batch", "4", "--shards", "1", "--first", "1", "--dev", "8", "--workers", "1"]
    where = ["--data", str(tmp_path / "shards"), "--out", str(tmp_path), "--device", "cpu"]
    run = subprocess.run(
        [sys.executable, str(TRAINING / "train.py"), "--model", "captioner", *size, *where],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert [file.name for file in (tmp_path / "shards").iterdir()] == ["00000.npz"]
    VisionEncoderDecoderModel.from_pretrained(tmp_path / "captioner")


def test_an_evaluation_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        evaluate.main(["--help"])
    assert error.value.code == 0
    assert "--dual-encoder" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--model, --out"),
        (["--model", "cat", "--out", "x"], "invalid choice: 'cat'"),
        ([*REQUIRED, "--steps", "0"], "--steps: must be a whole number, 1 or more, not '0'"),
        ([*REQUIRED, "--batch", "1"], "--batch: must be a whole number, 2 or more, not '1'"),
        ([*REQUIRED, "--every", "often"], "--every: must be a whole number, 1 or more, not 'often'"),
        ([*REQUIRED, "--first", "0"], "--first: must be a whole number"),
        ([*REQUIRED, "--workers", "-1"], "--workers: must be a whole number, 0 or more"),
        ([*REQUIRED, "--lr", "nan"], "--lr: must be a number above 0, not 'nan'"),
        ([*REQUIRED, "--lr", "0"], "--lr: must be a number above 0"),
        ([*REQUIRED, "--side", "64"], "--side: invalid choice"),
        ([*REQUIRED, "--side", "48", "--model", "dual_encoder"], "--side: the dual encoder is made for"),
        ([*REQUIRED, "--device", "abacus"], "--device: cannot use 'abacus'"),
        ([*REQUIRED, "--device", "cuda:99"], "--device: cannot use 'cuda:99'"),
        ([*REQUIRED, "--data", __file__], "is a file; name a folder"),
        ([*REQUIRED, "--step-size", "1"], "unrecognized arguments"),
    ],
)
def test_wrong_arguments_of_a_training_get_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        train.main(arguments)
    _is_one_line(error.value, told, capsys)
    assert not Path("never-made").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--split", "tset"], "--split: must be dev, test or train-NUMBER, not 'tset'"),
        (["--scenes", "0"], "--scenes: must be a whole number, 1 or more, not '0'"),
        (["--captioner", "nowhere"], "--captioner: there is no nowhere"),
        (["--dual-encoder", "nowhere"], "--dual-encoder: there is no nowhere"),
    ],
)
def test_wrong_arguments_of_an_evaluation_get_one_line(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as error:
        evaluate.main(arguments)
    _is_one_line(error.value, told, capsys)


def test_a_training_does_not_wait_for_a_renderer_that_failed(tmp_path: Path) -> None:
    renderer = multiprocessing.get_context("spawn").Process(target=sys.exit, args=(3,))
    renderer.start()
    renderer.join()
    pool = train.Pool(tmp_path, 1, torch.device("cpu"), renderer)
    with pytest.raises(SystemExit, match="rendering failed"):
        pool.grow(1)


def _is_one_line(error: SystemExit, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = capsys.readouterr()
    assert error.code == 2
    assert said.out == ""
    assert told in said.err
    assert len(said.err.splitlines()) == 1
