"""What was seen in a picture is handed on as the model's own code would hand it."""

from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("transformers")

import torch
from transformers.utils.generic import ModelOutput

from recaption.models.hf.vision import Seen


@dataclass
class Declared(ModelOutput):
    """An answer of a class that knows the features."""

    last_hidden_state: torch.Tensor | None = None
    pooler_output: torch.Tensor | None = None


@dataclass
class Bare(ModelOutput):
    """An answer of a class that does not: there the features are hung on it afterwards."""

    last_hidden_state: torch.Tensor | None = None


@pytest.mark.parametrize("kind", [Declared, Bare])
def test_features_come_back_by_picture(kind: type[Any]) -> None:
    answer = kind(last_hidden_state=torch.zeros(2, 1))
    features = torch.arange(6.0).reshape(2, 3)
    answer.pooler_output = features
    seen = Seen()
    seen.keep(["a", "b"], answer, [1, 1], ("pooler_output",))
    again = seen.answer(["b", "a", "b"])
    assert isinstance(again, kind)
    assert torch.equal(again.pooler_output, features[[1, 0, 1]])
