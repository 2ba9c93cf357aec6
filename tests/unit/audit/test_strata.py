"""What divides the records before a sample is drawn, and what makes one doubtful."""

from collections import Counter
from dataclasses import replace

import pytest

from recaption.audit.strata import DOUBTS, dividers, rows, uncertainty
from recaption.core.errors import UserError
from recaption.core.types import Caption, JsonValue, Provenance, Record, Score


def record(number: int, score: float | None = None, source: str | None = None, **details: JsonValue) -> Record:
    caption = Caption(
        text=f"A dog {number}.",
        origin="model",
        provenance=Provenance(stage="caption", details={"generator": "acme/vlm", **details}),
        scores={} if score is None else {"image_text": Score(value=score)},
        flags={"short": "why"} if number % 2 else {"audit": "drawn"},
    )
    metadata: dict[str, JsonValue] = {} if source is None else {"source": source}
    return Record(key=f"k{number}", captions=(caption,), chosen=caption.id, metadata=metadata)


def strata(by: list[str], records: list[Record]) -> Counter[str]:
    columns = dividers(by, records, seed=0)
    return Counter(row.stratum for row in rows(records, columns, by, None))


def test_without_columns_there_is_one_stratum() -> None:
    assert strata([], [record(i) for i in range(3)]) == {"all": 3}


def test_scores_make_quarters_and_those_without_one_stand_apart() -> None:
    records = [record(i, i / 100) for i in range(100)] + [record(1000)]
    found = strata(["score:image_text"], records)
    assert found.pop("no image_text") == 1
    assert found == {f"image_text quarter {q}": 25 for q in (1, 2, 3, 4)}


@pytest.mark.parametrize(
    ("scores", "sizes"),
    [
        ([0.0] * 8, {"image_text part 1 of 1": 8}),
        ([0.0] * 6 + [1.0] * 4, {"image_text part 1 of 2": 6, "image_text part 2 of 2": 4}),
        (
            [0.0] * 3 + [0.5] * 3 + [1.0] * 6,
            {"image_text part 1 of 3": 3, "image_text part 2 of 3": 3, "image_text part 3 of 3": 6},
        ),
    ],
)
def test_equal_scores_stay_together_and_no_part_is_left_empty(
    scores: list[float], sizes: dict[str, int]
) -> None:
    assert strata(["score:image_text"], [record(i, score) for i, score in enumerate(scores)]) == sizes


def test_flags_origins_writers_and_columns_of_the_data_divide_together() -> None:
    records = [record(i, source="web" if i < 4 else "own") for i in range(6)]
    assert strata(["flag:short"], records) == {"short": 3, "not short": 3}
    assert strata(["flags"], records) == {"short": 3, "no flags": 3}
    assert strata(["origin", "writer", "source"], records) == {
        "model · acme/vlm · web": 4,
        "model · acme/vlm · own": 2,
    }


def test_what_no_record_has_is_said_with_what_was_meant() -> None:
    with pytest.raises(UserError, match="Did you mean 'source'"):
        strata(["sorce"], [record(1, source="web")])
    with pytest.raises(UserError, match="has such a score"):
        strata(["score:clip"], [record(1, 0.5)])


@pytest.mark.parametrize(
    ("column", "hint"),
    [
        ("scores:image_text", "Did you mean 'score:image_text'"),
        ("flags:short", "Did you mean 'flag:short'"),
        ("page:titel", "Did you mean 'page:title'"),
        ("mood:happy", "There are: aspect, flags, origin, page:title, writer"),
    ],
)
def test_an_unknown_prefix_is_no_column(column: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        strata([column], [replace(record(1, 0.5), metadata={"page:title": "x"})])


def test_a_column_of_the_data_may_have_a_colon() -> None:
    records = [replace(record(i), metadata={"page:title": f"page {i}"}) for i in range(2)]
    assert strata(["page:title"], records) == {"page 0": 1, "page 1": 1}


def test_records_without_a_text_are_not_drawn_from() -> None:
    assert strata([], [record(1), Record(key="empty")]) == {"all": 1}


@pytest.mark.parametrize(
    ("doubt", "sure", "unsure"),
    [
        ("margin", {"selection": {"margin": 0.4}}, {"selection": {"margin": 0.01}}),
        ("disagreement", {"selection": {"disagreement": 0.1}}, {"selection": {"disagreement": 0.5}}),
        ("logprob", {"mean_logprob": -0.1}, {"mean_logprob": -2.0}),
    ],
)
def test_doubt_grows_with_its_cause(
    doubt: str, sure: dict[str, JsonValue], unsure: dict[str, JsonValue]
) -> None:
    one, other = (
        uncertainty(record(1, None, None, **details).captions[0], doubt) for details in (sure, unsure)
    )
    assert one is not None
    assert other is not None
    assert one < other
    assert uncertainty(record(1).captions[0], doubt) is None
    assert doubt in DOUBTS


def test_low_scores_can_be_doubtful() -> None:
    values = [uncertainty(record(1, s).captions[0], "score:image_text") for s in (0.9, 0.1)]
    assert values == [-0.9, -0.1]


def test_a_kind_of_doubt_that_nothing_has_is_an_error() -> None:
    with pytest.raises(UserError, match="no caption has that"):
        list(rows([record(1)], [], [], "margin"))
    with pytest.raises(UserError, match="give margin, disagreement, logprob"):
        list(rows([record(1)], [], [], "mood"))
