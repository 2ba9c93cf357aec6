"""Datasets to subjects: where texts come from, samples that do not hang on order, and a count of the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from recaption.core.errors import UserError
from recaption.core.types import Caption, Evidence, Provenance, Record, Rejected
from recaption.evaluation.loading import Column, load

OLD_NEW = (Column("old", "original"), Column("new", "chosen"))


def caption(text: str, stage: str = "caption", **said: object) -> Caption:
    details = {"draws": [0, 2]} if stage == "caption" else {}
    origin = "alt" if stage == "source" else "model"
    given = Caption(text=text, origin=origin, provenance=Provenance(stage=stage, details=details))  # type: ignore[arg-type]
    return replace(given, **said)  # type: ignore[arg-type]


def record(key: str, **said: object) -> Record:
    best = caption(f"new {key}", aspect="dense")
    captions = (caption(f"old {key}", "source"), best, caption(f"other {key}", kept=False, aspect="brief"))
    return replace(Record(key=key, captions=captions, chosen=best.id), **said)  # type: ignore[arg-type]


class Given:
    """A reader of what it was given."""

    description = "given"

    def __init__(self, items: Sequence[Record | Rejected]) -> None:
        self.items, self.notes = items, list[str]()

    def records(self) -> Iterator[Record | Rejected]:
        yield from self.items


def test_originals_chosen_captions_and_candidates():
    loaded = load([Given([record("a"), record("b")])], OLD_NEW)
    first = loaded.subject.items[0]
    assert first.texts == (("old a",), ("new a",))
    assert first.candidates == ((), ("new a", "new a", "other a", "other a"))  # as often as each was drawn
    assert loaded.subject.columns == ("old", "new")
    assert loaded.counts == {"read": 2}


def test_texts_by_aspect_origin_and_column():
    given = record("a", metadata={"human": ["one", "two", 3], "alt": "x", "empty": " "})
    columns = [Column(w, w) for w in ("aspect:dense", "origin:model", "human", "alt")]
    item = load([Given([given])], columns).subject.items[0]
    assert item.texts == (
        ("new a",),
        ("new a",),
        ("one", "two"),
        ("x",),
    )  # what was ruled out stands for nothing


def test_references_labels_and_subsets():
    objects = (Evidence(kind="object", label="dog", source="coco"), Evidence(kind="tag", label="x", source="y"))
    given = record("a", evidence=objects, metadata={"refs": ["r1", "r2"], "split": 3})
    loaded = load([Given([given, record("b")])], OLD_NEW, references="refs", by=["split"])
    first, second = loaded.subject.items
    assert first.references == ("r1", "r2")
    assert first.labels == frozenset({"dog"})
    assert second.labels == frozenset()  # somebody looked at this dataset, and found nothing here
    assert loaded.subject.label_source == "coco"
    assert (first.slices, second.slices) == ({"split": "3"}, {})


@pytest.mark.parametrize("asked", [{"references": "rfs"}, {"by": ["rfs"]}])
def test_a_column_that_is_nowhere_is_an_error_that_suggests_one(asked: dict[str, object]):
    with pytest.raises(UserError, match=r"'rfs'.*Did you mean 'refs'"):
        load([Given([record("a", metadata={"refs": ["r"]})])], OLD_NEW, **asked)  # type: ignore[arg-type]


def test_a_sample_is_of_keys_whatever_their_order_and_what_is_left_out_is_counted():
    records = [record(str(i)) for i in range(200)]
    there = load([Given(records)], OLD_NEW, sample=20, seed=3)
    back = load([Given(records[::-1])], OLD_NEW, sample=20, seed=3)
    other = load([Given(records)], OLD_NEW, sample=20, seed=4)
    keys = [item.key for item in there.subject.items]
    assert keys == sorted(keys, key=int)  # in the order of the data
    assert set(keys) == {item.key for item in back.subject.items}
    assert set(keys) != {item.key for item in other.subject.items}
    assert there.counts == {"read": 200, "not in the sample": 180}


def test_a_sample_is_fair():
    records = [record(str(i)) for i in range(50)]
    drawn = [
        int(i.key) for s in range(200) for i in load([Given(records)], OLD_NEW, sample=10, seed=s).subject.items
    ]
    counts = [drawn.count(i) for i in range(50)]
    assert min(counts) > 15  # 40 expected, standard deviation 5.7
    assert max(counts) < 65


def test_two_datasets_are_joined_by_key_and_the_same_keys_are_drawn_from_both():
    first = [record(str(i)) for i in range(100)]
    second = [record(str(i)) for i in reversed(range(50, 150))]
    columns = (Column("one", "chosen", 0), Column("two", "chosen", 1))
    loaded = load([Given(first), Given(second)], columns)
    assert [item.key for item in loaded.subject.items] == [str(i) for i in range(50, 100)]
    assert loaded.counts["not in all datasets"] == 100


def test_rejects_repeated_keys_and_missing_texts_are_counted():
    bad = Rejected(key="x", stage="read", kind="failed", reason="torn")
    loaded = load([Given([record("a"), bad, record("a"), record("b", chosen=None)])], OLD_NEW)
    assert loaded.counts == {"read": 3, "unreadable": 1, "key seen before": 1, "without a text: new": 1}


def test_nothing_to_evaluate_is_said():
    with pytest.raises(UserError, match="no record was read"):
        load([Given([])], OLD_NEW)
    with pytest.raises(UserError, match="share no key"):
        load([Given([record("a")]), Given([record("b")])], OLD_NEW)
    with pytest.raises(UserError, match="same name"):
        load([Given([record("a")])], [Column("x", "original"), Column("x", "chosen")])


def test_columns_of_our_own_exports_are_what_they_say():
    columns = [Column("was", "original_caption"), Column("is", "caption")]
    assert load([Given([record("a")])], columns).subject.items[0].texts == (("old a",), ("new a",))
    foreign = replace(record("a"), metadata={"caption": "theirs"})
    assert load([Given([foreign])], columns).subject.items[0].texts[1] == ("theirs",)


def test_an_optional_column_without_any_text_is_left_out():
    columns = [Column("old", "original"), Column("new", "chosen", optional=True)]
    bare = load([Given([record("a", chosen=None)])], columns).subject
    assert (bare.columns, bare.items[0].texts) == (("old",), (("old a",),))
    assert load([Given([record("a")])], columns).subject.columns == ("old", "new")


def test_a_column_that_must_be_there_and_is_empty_is_an_error():
    with pytest.raises(UserError, match="no record has 'chosen'"):
        load([Given([record("a", chosen=None)])], OLD_NEW)


def test_no_text_at_all_is_an_error():
    with pytest.raises(UserError, match="no record has a text"):
        load([Given([Record(key="a")])], [Column("old", "original", optional=True)])


def test_a_sample_of_several_datasets_is_of_the_keys_they_share():
    few = [record(str(i)) for i in range(50)]
    many = [record(str(i)) for i in range(1000)]
    columns = (Column("one", "chosen", 0), Column("two", "chosen", 1))
    loaded = load([Given(few), Given(many)], columns, sample=30)
    assert len(loaded.subject) == 30
    assert loaded.counts["not in all datasets"] == 950
    assert set(loaded.records) == {"one", "two"}


def test_references_that_are_a_column_themselves_are_refused():
    with pytest.raises(UserError, match="held against itself"):
        load([Given([record("a")])], OLD_NEW, references="original")


def read_from(column: str, text: str = "x", **said: object) -> Record:
    """Return a record whose text came with the data, in that column."""
    given = Caption(text=text, origin="alt", provenance=Provenance(stage="source", details={"column": column}))
    return replace(Record(key="a", captions=(given,)), **said)  # type: ignore[arg-type]


def test_the_column_that_the_originals_were_read_from_is_a_column_of_the_data():
    given = [Given([read_from("human", metadata={"brief": "y"})])]
    columns = [Column("human", "human"), Column("brief", "brief")]
    first = load(given, columns, by=["human"]).subject.items[0]
    assert (first.texts, first.slices) == ((("x",), ("y",)), {"human": "x"})
    assert load(given, columns[1:], references="human").subject.items[0].references == ("x",)
    for own, references in (("human", "original"), ("original", "human"), ("human", "human")):
        with pytest.raises(UserError, match="held against itself"):
            load(given, [Column("old", own), columns[1]], references=references)
    with pytest.raises(UserError, match="no record has 'nosuch'"):
        load(given, [Column("nosuch", "nosuch"), columns[1]])


def test_a_column_called_caption_is_the_data_s_own_where_nothing_was_chosen():
    assert load([Given([read_from("caption")])], [Column("old", "caption")]).subject.items[0].texts == (("x",),)


def test_why_records_could_not_be_read_is_counted_by_cause_the_commonest_first():
    torn = Rejected(key="t", stage="read", kind="failed", reason="torn")
    away = [
        Rejected(key=f"k{i}", stage="read", kind="failed", reason=f"line {i}: {f'{i}.jpg'!r} leads out")
        for i in range(9)
    ]
    loaded = load([Given([torn, *away, record("a")])], OLD_NEW)
    assert list(loaded.refused.items()) == [
        ("9 × line 0: '0.jpg' leads out", "k0, k1, k2, …"),
        ("1 × torn", "t"),
    ]
    with pytest.raises(UserError, match=r"no record was read; t: torn$"):
        load([Given([torn, *away])], OLD_NEW)
