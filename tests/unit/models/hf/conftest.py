"""Tiny checkpoints for the scorers' tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that gives the folder of a family's checkpoint, made once for the tests of a module."""
    root = tmp_path_factory.mktemp("checkpoints")

    def saved(family: str) -> Path:
        from tests.unit.models.hf.scoring_checkpoints import made  # needs torch, which may not be installed

        folder = root / family
        return folder if folder.is_dir() else made(family, folder)

    return saved
