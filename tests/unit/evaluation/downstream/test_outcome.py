import json

import pytest

from recaption.datasets.typed_json import from_plain, to_plain
from recaption.evaluation.downstream.outcome import MEASURES, Outcome, Trained, figures


def trained(hits: list[float], test: str = "references") -> Trained:
    return Trained(hits={test: dict.fromkeys(MEASURES, hits)}, loss=1.0, weights=10, seconds=2.0)


def outcome(old: list[list[float]], new: list[list[float]]) -> Outcome:
    trainings = {"old": [trained(h) for h in old], "new": [trained(h) for h in new]}
    found = figures(("old", "new"), ["references"], trained=trainings, seed=0)
    return Outcome(
        columns=("old", "new"),
        headline="references",
        figures=found,
        notes=["Few."],
        trained_on=300,
        held_out=4,
        left_out={"no image": 2},
        losses={"old": [1.0], "new": [1.0]},
        cut={"old": 0.0, "new": 0.1},
        unknown={"references": 0.0},
        seconds=4.0,
        recalled=1,
        about={"library": "none"},
    )


def test_means_are_over_items_and_trainings_and_differences_are_paired():
    figure = outcome([[0, 0, 1, 0], [0, 0, 0, 0]], [[1, 0, 1, 0], [1, 1, 0.5, 0]]).figure("references")
    assert figure.values["old"].value == pytest.approx(1 / 8)
    assert figure.values["new"].value == pytest.approx(4.5 / 8)
    assert figure.seeds["new"] == pytest.approx([0.5, 0.625])
    assert figure.seed_deltas["new"] == pytest.approx([0.25, 0.625])
    effect = figure.effects["new"]
    assert effect.delta is not None
    assert effect.delta == pytest.approx(3.5 / 8)
    assert (effect.n, effect.wins, effect.ties, effect.losses) == (4, 4, 4, 0)
    assert effect.low is not None
    assert effect.high is not None
    assert effect.low <= effect.delta <= effect.high
    assert set(figure.effects) == {"new"}


def test_chance_is_k_in_the_pool_and_never_more_than_certain():
    found = outcome([[0, 0, 1, 0]], [[0, 0, 1, 0]])
    assert found.figure("references", "recall_at_1.t2i").chance == 0.25
    assert found.figure("references", "recall_at_10.i2t").chance == 1.0
    assert found.figure("references").pool == 4


def test_a_figure_that_is_not_there():
    with pytest.raises(KeyError, match="elsewhere"):
        outcome([[0, 1]], [[1, 1]]).figure("elsewhere")


def test_equal_hits_differ_by_exactly_nothing():
    effect = outcome([[0, 0.5, 1]] * 3, [[0, 0.5, 1]] * 3).figure("references").effects["new"]
    assert (effect.delta, effect.low, effect.high, effect.wins, effect.losses) == (0.0, 0.0, 0.0, 0, 0)
    assert not effect.is_clear


def test_it_is_plain_data():
    found = outcome([[0, 0, 1, 0]], [[1, 0, 1, 0]])
    text = json.dumps(to_plain(found), allow_nan=False)
    again = from_plain(Outcome, json.loads(text))
    assert json.dumps(to_plain(again)) == text


def test_the_table_and_its_lines_say_the_same():
    found = outcome([[0, 0, 1, 0], [0, 0, 1, 0]], [[1, 0, 1, 0], [1, 1, 1, 0]])
    rows = found.rows()
    assert len(rows) == 2 * len(MEASURES)
    assert all(len(row) == len(found.header()) for row in rows)
    assert found.header()[4] == "against old"
    old, new = rows[:2]
    assert old == ("references", "Recall@1, text → image", "old", "25.0 %", "", "", "")
    assert new[2:5] == ("new", "62.5 %", "+37.5 points")
    assert " to " in new[5]
    assert new[6] == "+25.0, +50.0"
    assert {row[1] for row in found.rows(at=[5])} == {"Recall@5, text → image", "Recall@5, image → text"}
    text = " ".join(found.lines())
    assert "25.0 % after training on 'old', 62.5 % after training on 'new': +37.5 points" in text
    assert "by seed +25.0, +50.0" in text
    assert "Few." in text
    assert "1 recalled" in text
    assert found.rows(["other"]) == []
