"""The survey: counts, repeated keys, texts on many images."""

from recaption.core.types import Caption, Provenance, Record, Rejected
from recaption.datasets.survey import survey, with_survey


def record(key: str, text: str | None = None) -> Record:
    source = Provenance(stage="source")
    captions = (Caption(text=text, origin="alt", provenance=source),) if text is not None else ()
    return Record(key=key, captions=captions)


def test_repeated_keys_are_rejected_but_the_first():
    items = [record("a"), record("b"), record("a", "second"), record("a")]
    found = survey(items)
    passed = list(with_survey(items, found))
    assert found.items == 4
    assert [isinstance(i, Record) for i in passed] == [True, True, False, False]
    assert isinstance(passed[2], Rejected)
    assert passed[2].raw == "second"
    assert "duplicate key" in passed[2].reason


def test_a_text_on_many_images_is_counted_on_each():
    items = [record(str(i), "buy now" if i < 4 else f"text {i}") for i in range(8)]
    passed = list(with_survey(items, survey(items)))
    copies = [dict(r.captions[0].scores) for r in passed if isinstance(r, Record)]
    assert [c["copies"].value for c in copies[:4]] == [4.0] * 4
    assert copies[4:] == [{}] * 4


def test_rejected_items_are_counted_and_passed_on():
    items: list[Record | Rejected] = [
        Rejected(key="x", stage="read", kind="failed", reason="torn"),
        record("x"),
    ]
    found = survey(items)
    assert found.items == 2
    assert list(with_survey(items, found)) == items


def test_nothing_at_all():
    assert survey([]).items == 0


def test_progress_is_told():
    ticks: list[int] = []
    survey((record(str(i)) for i in range(2500)), ticks.append)
    assert ticks == [1000, 2000, 2500]
