"""One evaluation: which metrics run, what becomes of what they say, and the verdict in words."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest

from recaption.core.types import Image, Record
from recaption.datasets.ledger import SqliteLedger
from recaption.datasets.meter import SqliteMeter
from recaption.evaluation.engine import Progress, evaluate
from recaption.evaluation.measures import About, Additive, Control, Listing, Remark, Result, mean_parts
from recaption.evaluation.metric import Need, Unavailable
from recaption.evaluation.metrics.overlap import Overlap
from recaption.evaluation.subject import Item, Subject
from recaption.evaluation.tools import Tools
from recaption.media.images import BatchImages


@dataclass
class Letters:
    """Counts letters, as a measure of how well a text fits, and says where it was asked."""

    name: str = "letters"
    needs: frozenset[Need] = frozenset()
    seen: list[tuple[str, ...]] = field(default_factory=list)
    noise: float = 0.0
    failing: bool = False

    def extract(self, subject: Subject, tools: Tools) -> dict[str, list[float]]:
        if self.failing:
            raise Unavailable("no such program; install it")
        self.seen.append(subject.columns)
        drift = self.noise * len(self.seen)
        return {
            c: [float(sum(map(len, t))) + drift * i for t in subject.texts(c)]
            for i, c in enumerate(subject.columns)
        }

    def score(self, subject: Subject, facts: dict[str, list[float]]) -> Sequence[Result]:
        about = About(
            name=self.name, title="Letters", group="agreement", better="higher", primary=True, plot=True
        )
        return [
            Additive(about=about, parts={c: mean_parts(v, len(subject)) for c, v in facts.items()}),
            Listing(name="l", title="L", header=("a",)),
            Control(name="c", title="C", value=1.0, expected="1", holds=True),
        ]


@pytest.fixture
def tools(tmp_path):
    ledger, meter = SqliteLedger(tmp_path / "l.sqlite"), SqliteMeter(tmp_path / "m.sqlite")
    yield Tools(ledger=ledger, meter=meter, make_images=BatchImages)
    ledger.close()
    meter.close()


def subject(n: int = 300) -> Subject:
    rng = np.random.default_rng(0)
    items = tuple(
        Item(
            key=str(i),
            texts=(("a" * int(5 + rng.integers(5)),), ("b " * int(6 + rng.integers(5)),)),
            slices={"half": "first" if i < n // 2 else "second"},
        )
        for i in range(n)
    )
    return Subject(columns=("old", "new"), items=items)


def test_what_metrics_say_becomes_a_report(tools: Tools):
    steps: list[Progress] = []
    metric = Letters()
    found = evaluate(subject(), tools, [metric], counts={"read": 310}, limits=["L"], watch=steps.append)
    told = found.evaluation
    assert told.headline == "letters"
    assert told.verdict.startswith("new: better than old. Letters goes from ")
    assert "300 items" in told.verdict
    assert told.counts == {"read": 310, "evaluated": 300}
    assert [r.about.name for r in told.rows] == ["letters"]
    assert told.listings[0].name == "l"
    assert [(c.name, c.holds) for c in told.controls] == [("c", True), ("old_against_old", True)]
    assert {s.by for s in told.slices} == {"half", "length against the baseline"}
    assert [h.measure for h in told.histograms] == ["letters"]
    assert sum(told.histograms[0].counts["new"]) == 300
    assert [s.column for s in told.scatters] == ["new"]
    assert {e.kind for e in told.examples} >= {"best", "random"}
    best = next(e for e in told.examples if e.kind == "best")
    gains = [len(i.texts[1][0]) - len(i.texts[0][0]) for i in subject().items]
    assert best.values["letters"]["new"] - best.values["letters"]["old"] == max(gains)
    assert steps == [Progress("letters", 1, 1)]
    assert found.figures[0].about.name == "letters"


def test_a_metric_that_tells_equal_columns_apart_fails_the_control_and_is_warned_of(tools: Tools):
    told = evaluate(subject(), tools, [Letters(noise=0.5)], counts={}).evaluation
    control = told.controls[-1]
    assert not control.holds
    assert control.value > 0
    assert told.findings[0].startswith("Control failed")


NEEDS: tuple[Need, ...] = (
    "images",
    "references",
    "labels",
    "candidates",
    "scorer",
    "image_text",
    "second_image_text",
    "language_model",
    "judge",
)


@pytest.mark.parametrize("need", NEEDS)
def test_what_cannot_run_is_skipped_with_what_is_missing(tools: Tools, need: Need):
    metric = Letters(needs=frozenset({need}))
    told = evaluate(subject(), tools, [metric], counts={}).evaluation
    assert metric.seen == []
    assert told.rows == []
    assert [s.metric for s in told.skipped] == ["letters"]
    assert told.skipped[0].reason
    assert "was not measured" in told.verdict


MISSING = "there was no scorer, no judge, and nobody to say what is in the images"
SEEING: frozenset[Need] = frozenset({"images", "scorer"})


@dataclass
class Described(Letters):
    """Says something of texts that decides nothing."""

    def score(self, subject: Subject, facts: dict[str, list[float]]) -> Sequence[Result]:
        about = About(name=self.name, title="Letters", group="length")
        return [Additive(about=about, parts={c: mean_parts(v, len(subject)) for c, v in facts.items()})]


def test_why_nothing_was_measured_is_said_as_it_is(tools: Tools):
    picture = Record(key="a", image=Image(path="x.png"))
    plain = subject(30)
    pictured = replace(plain, items=tuple(replace(i, record=picture) for i in plain.items))
    labelled = replace(plain, items=tuple(replace(i, labels=frozenset({"dog"})) for i in plain.items))

    def told(given: Subject, *metrics: Letters) -> str:
        verdict = evaluate(given, tools, metrics, counts={}).evaluation.verdict
        return verdict.partition("was not measured: ")[2].removesuffix(". The texts alone are compared.")

    assert told(pictured, Letters(needs=SEEING), Described()) == MISSING
    assert told(pictured, Described()) == "the metrics that look at the images were not asked for"
    assert told(labelled, Letters(needs=SEEING)) == "none of the items has an image"
    assert told(labelled, Letters(needs=frozenset({"images"}))) == "none of the items has an image"
    failing = Letters(name="f", failing=True, needs=frozenset({"labels"}))
    assert (
        told(labelled, Letters(needs=frozenset({"judge", "labels"})), failing) == "no such program; install it"
    )
    assert told(labelled, Letters(needs=frozenset({"judge", "labels"}))).startswith("no judge; name one with")
    assert told(labelled, Described(needs=frozenset({"labels"}))) == (
        "the metrics that look at the images were not asked for"
    )


def test_data_that_has_what_a_metric_needs_lets_it_run(tools: Tools):
    record = Record(key="a", image=Image(path="x.png"))
    item = Item(
        key="a",
        record=record,
        texts=(("a",), ("b",)),
        references=("r",),
        labels=frozenset(),
        candidates=((), ("b", "c")),
    )
    metric = Letters(needs=frozenset({"images", "references", "labels", "candidates"}))
    told = evaluate(Subject(columns=("old", "new"), items=(item,)), tools, [metric], counts={}).evaluation
    assert told.skipped == []


def test_what_a_metric_finds_missing_by_itself_is_skipped_too(tools: Tools):
    told = evaluate(subject(), tools, [Letters(failing=True)], counts={}).evaluation
    assert told.skipped[0].reason == "no such program; install it"


def test_a_subset_that_lost_is_named_although_the_whole_gained(tools: Tools):
    items = tuple(
        Item(
            key=str(i),
            texts=(("a" * 10,), ("b" * (5 if i < 60 else 30),)),
            slices={"kind": "x" if i < 60 else "y"},
        )
        for i in range(300)
    )
    told = evaluate(Subject(columns=("old", "new"), items=items), tools, [Letters()], counts={}).evaluation
    assert any("worse where kind is x" in sentence for sentence in told.findings)


class Judged(Letters):
    """A second one, of higher standing."""

    def score(self, subject: Subject, facts: dict[str, list[float]]) -> Sequence[Result]:
        about = About(name="judged", title="Judge", group="judges", better="lower", primary=True)
        return [Additive(about=about, parts={c: mean_parts(v, len(subject)) for c, v in facts.items()})]

    kind: ClassVar[str] = "judge"


def test_the_headline_is_the_figure_of_highest_standing_and_bad_news_is_said_as_plainly(tools: Tools):
    told = evaluate(subject(), tools, [Letters(), Judged()], counts={}).evaluation
    assert told.headline == "judged"
    assert told.verdict.startswith("new: worse than old.")


def test_the_control_writes_nothing(tools: Tools, tmp_path):
    frozen = tmp_path / "frequencies.json"
    kit = replace(tools, options=tools.options.model_copy(update={"freeze_document_frequencies": frozen}))
    items = tuple(
        replace(i, references=(f"a ball {k}", "a red ball")) for k, i in enumerate(subject(300).items)
    )
    evaluate(replace(subject(), items=items), kit, [Overlap()], counts={})
    assert json.loads(frozen.read_text())["images"] == 300


def test_images_that_could_not_be_read_and_what_a_metric_remarks_stand_among_the_limits(tools: Tools):
    class Blind(Letters):
        def extract(self, subject: Subject, tools: Tools) -> dict[str, list[float]]:
            for item in subject.items[:2]:
                tools.unreadable.add(item.key, "damaged PNG header")
            return super().extract(subject, tools)

        def score(self, subject: Subject, facts: dict[str, list[float]]) -> Sequence[Result]:
            return [*super().score(subject, facts), Remark(name="r", text="Of 300 items all are drawn.")]

    told = evaluate(subject(), tools, [Blind()], counts={"read": 300}, limits=["L"]).evaluation
    first, *others = told.limits
    assert first.startswith("2 of 300 items have no image that could be read")
    assert "2 × damaged PNG header (0, 1)" in first
    assert others == ["Of 300 items all are drawn.", "L"]
    assert told.counts["without an image that could be read"] == 2
    assert [listing.name for listing in told.listings] == ["missing_images", "l"]
    assert told.listings[0].rows == [("damaged PNG header", "2", "0, 1")]


def test_a_change_over_fewer_items_than_the_values_beside_it_is_said_to_be_that(tools: Tools):
    """Before 8 on average and after 6, and yet the same on every item that has both."""

    class Partly(Letters):
        def extract(self, subject: Subject, tools: Tools) -> dict[str, list[float]]:
            nothing, n = float("nan"), len(subject)
            old = [6.0 if i % 2 else 10.0 for i in range(n)]
            return {
                c: old if i == 0 else [6.0 if k % 2 else nothing for k in range(n)]
                for i, c in enumerate(subject.columns)
            }

    told = evaluate(subject(), tools, [Partly()], counts={}).evaluation
    row = told.rows[0]
    assert row.effects["new"].delta == 0
    assert [row.values[c].value for c in told.columns] == [8, 6]
    assert told.limits == [
        "new: a change is over the items that have a value in both columns, and so not the difference of the two "
        "values beside it, in: Letters."
    ]
    assert evaluate(subject(), tools, [Letters()], counts={}).evaluation.limits == []
