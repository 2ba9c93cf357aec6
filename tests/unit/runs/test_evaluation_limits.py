"""Who chose the captions that are evaluated: the very scorer, or another one on the same encoder, or a stranger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recaption.core.types import Caption, JsonValue, Provenance, Record
from recaption.datasets.ledger import SqliteLedger
from recaption.evaluation.background import foundation_of, model_of
from recaption.evaluation.loading import Loaded
from recaption.evaluation.measures import About
from recaption.evaluation.result import Evaluation, Row
from recaption.evaluation.tools import Tools
from recaption.runs.evaluation_limits import known_limits, with_caveat
from tests.unit.evaluation.small_encoder import SmallEncoder, subject, tools

PREFERENCE = "preference@0123abcd, small, float32, better than image_text within images"


@pytest.fixture
def kit(tmp_path: Path) -> Iterator[Tools]:
    ledger = SqliteLedger(tmp_path / "calls.sqlite")
    yield tools(tmp_path, ledger, [SmallEncoder("small"), SmallEncoder("other")])
    ledger.close()


def chosen_by(name: str) -> Loaded:
    details: dict[str, JsonValue] = {"selection": {"scorers": {"s": name}}}
    caption = Caption(text="a", origin="model", provenance=Provenance(stage="caption", details=details))
    record = Record(key="0", captions=(caption,), chosen=caption.id)
    return Loaded(subject([(record, (["a"], ["a"]))]), {}, {"new": {"0": record}})


def judged(group: str = "retrieval") -> Evaluation:
    about = About(name="recall_at_1.t2i", title="Recall@1", group=group)  # type: ignore[arg-type]
    return Evaluation(
        columns=("original", "new"),
        verdict="new: better.",
        findings=(),
        counts={},
        rows=[Row(about=about, values={})],
        headline="recall_at_1.t2i",
    )


def test_a_preference_rests_on_its_encoder_and_others_on_themselves() -> None:
    assert (model_of(PREFERENCE), foundation_of(PREFERENCE)) == ("preference@0123abcd", "small")
    assert model_of("small, cosine, float32") == foundation_of("small, cosine, float32") == "small"
    assert foundation_of("preference@0123abcd") == "preference@0123abcd"
    assert foundation_of("") == ""


@pytest.mark.parametrize(
    ("chooser", "limit", "caveat"),
    [
        ("small, cosine, float32", "chosen by the very scorer that small is here", "by the scorer that chose"),
        (
            PREFERENCE,
            "chosen by preference@0123abcd, which rests on small; small rests on that encoder",
            "rests on",
        ),
    ],
)
def test_who_chose_is_said_of_that_encoder_alone(kit: Tools, chooser: str, limit: str, caveat: str) -> None:
    loaded = chosen_by(chooser)
    said = [sentence for sentence in known_limits(loaded, kit, []) if "chosen by" in sentence]
    assert len(said) == 1
    assert limit in said[0]
    told = with_caveat(judged(), loaded, kit, [])
    assert caveat in told.caveat
    assert told.verdict.startswith("new: better. By the ")
    assert with_caveat(judged("length"), loaded, kit, []) == judged("length")


def test_a_stranger_that_chose_is_no_limit(kit: Tools) -> None:
    loaded = chosen_by("elsewhere@1, cosine, float32")
    assert not any("chosen by" in sentence for sentence in known_limits(loaded, kit, []))
    assert with_caveat(judged(), loaded, kit, []) == judged()
