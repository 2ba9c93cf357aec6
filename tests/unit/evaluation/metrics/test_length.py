"""Length: exact counts, shares over CLIP's limits, and what a missing tokenizer costs."""

import numpy as np
import pytest

from recaption.core.errors import UserError
from recaption.evaluation.measures import Additive, Listing, Whole
from recaption.evaluation.metrics import length
from recaption.evaluation.metrics.length import Length
from recaption.media.budgets import clip77
from tests.unit.evaluation.text_subject import scored, shown, text_subject

OLD = ["a dog", "", ["one two three", "one"]]
NEW = ["A dog runs. It is fast.", "a cat " * 60, "word"]


def test_figures_are_means_over_texts() -> None:
    found = scored(Length(), text_subject({"old": OLD, "new": NEW}))
    assert shown(found["words"], "old") == 2
    assert shown(found["words"], "new") == pytest.approx((6 + 120 + 1) / 3)
    assert shown(found["sentences"], "new") == pytest.approx(4 / 3)
    assert shown(found["characters"], "old") == pytest.approx((5 + (13 + 3) / 2) / 2)
    assert found["words"].parts["old"].tolist() == [[2, 1], [0, 0], [2, 1]]


def test_clip_tokens_are_those_of_the_budget_whole() -> None:
    found = scored(Length(), text_subject({"old": OLD, "new": NEW}))
    budget = clip77()
    counts = [budget.count(text) for text in NEW]
    assert counts[1] == 122, "counted beyond the limit"
    assert shown(found["clip_tokens"], "new") == pytest.approx(np.mean(counts))
    assert shown(found["over_77_clip_tokens"], "new") == pytest.approx(1 / 3)
    assert shown(found["over_77_clip_tokens"], "old") == 0
    assert shown(found["over_248_clip_tokens"], "new") == 0
    assert budget.source in found["over_77_clip_tokens"].about.note


def test_a_text_of_exactly_77_tokens_is_not_over_it() -> None:
    found = scored(Length(), text_subject({"a": ["cat " * 75, "cat " * 76]}))
    assert found["clip_tokens"].parts["a"][:, 0].tolist() == [77, 78]
    assert found["over_77_clip_tokens"].parts["a"][:, 0].tolist() == [0, 1]


def test_items_without_a_text_are_counted_and_nothing_else_of_them() -> None:
    found = scored(Length(), text_subject({"old": ["a", (), ["", "  "]], "new": ["a", "b", "c"]}))
    assert shown(found["no_text"], "old") == pytest.approx(2 / 3)
    assert shown(found["no_text"], "new") == 0
    assert found["no_text"].about.better == "lower"
    assert found["words"].parts["old"].tolist() == [[1, 1], [0, 0], [0, 0]]


def test_the_spread_is_told() -> None:
    found = scored(Length(), text_subject({"a": ["w " * n for n in range(1, 102)], "b": [()] * 101}))
    table = found["length_spread"]
    assert isinstance(table, Listing)
    rows = {(row[0], row[1]): row[2:] for row in table.rows}
    assert rows["words", "a"] == ("101", "51.0", "29.2", "6.0", "51.0", "96.0", "101.0")
    assert rows["words", "b"] == ("0", *("–",) * 6)
    assert all(len(row) == len(table.header) for row in table.rows)


def test_without_a_tokenizer_its_figures_say_why_and_the_others_are_there(monkeypatch) -> None:
    def missing() -> None:
        raise UserError("budget 'clip77': no tokenizer. Fetch it.")

    monkeypatch.setattr(length, "clip77", missing)
    found = scored(Length(), text_subject({"old": OLD, "new": NEW}))
    assert isinstance(found["clip_tokens"], Whole)
    assert found["clip_tokens"].values["new"].reason == "budget 'clip77': no tokenizer. Fetch it."
    assert found["clip_tokens"].values["new"].value is None
    assert "over_77_clip_tokens" not in found
    assert isinstance(found["words"], Additive)
    assert "no tokenizer" in found["length_spread"].note


def test_columns_without_any_text_have_no_value() -> None:
    found = scored(Length(), text_subject({"old": [(), ()], "new": ["a", "b"]}))
    assert shown(found["words"], "old") is None
    assert shown(found["no_text"], "old") == 1
