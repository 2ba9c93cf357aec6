"""What stands in each section: headline, key figures, tables, warnings, facts, examples, notebook."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from recaption.core.errors import UserError
from recaption.evaluation.measures import About, Group, Value
from recaption.evaluation.report.effects import figure_of, measure_of
from recaption.evaluation.report.examples import example_groups
from recaption.evaluation.report.facts import facts_of
from recaption.evaluation.report.headline import headline_of, key_measures
from recaption.evaluation.report.notebook import display
from recaption.evaluation.report.page import render
from recaption.evaluation.report.serialise import write_json
from recaption.evaluation.report.tables import GROUPS, group_tables, slice_tables
from recaption.evaluation.result import Effect, Evaluation, Example, Row, Slice
from tests.unit.evaluation.report.sample import FOUR, sample

ABOUT = About(name="m", title="Measure", group="agreement", better="higher")
BETTER = Effect(delta=0.2, low=0.1, high=0.3, n=100, wins=60, ties=10, losses=30, p_value=0.002)
WORSE = Effect(delta=-0.2, low=-0.3, high=-0.1, n=100)
UNCLEAR = Effect(delta=0.05, low=-0.1, high=0.2, n=100)
UNTESTED = Effect(delta=0.05, n=100)


def evaluation(effects: dict[str, Effect], verdict: str = "", about: About = ABOUT) -> Evaluation:
    columns = ("old", *effects)
    row = Row(about=about, values={c: Value(value=0.5, n=100) for c in columns}, effects=effects)
    return Evaluation(columns=columns, verdict=verdict, findings=(), counts={}, rows=(row,), headline="m")


@pytest.mark.parametrize(
    ("effects", "title"),
    [
        ({"new": BETTER}, "new is better than old"),
        ({"new": WORSE}, "new is worse than old"),
        ({"new": UNCLEAR}, "new shows no clear change from old"),
        ({"new": UNTESTED}, "new shows no clear change from old"),
        ({"a": BETTER, "b": BETTER, "c": BETTER}, "a, b and c are better than old"),
        ({"a": BETTER, "b": WORSE}, "a is better than old; b is worse than old"),
        ({"a": WORSE, "b": BETTER}, "b is better than old; a is worse than old"),
        ({"a": UNCLEAR, "b": UNCLEAR}, "a and b show no clear change from old"),
        ({}, "old, described"),
    ],
)
def test_the_headline_says_which_is_better(effects, title):
    found = headline_of(evaluation(effects))
    assert "".join(part.text for part in found.title) == title
    assert all(part.order is None or part.text in ("old", *effects) for part in found.title)


def test_where_no_direction_is_better_the_headline_takes_none():
    found = headline_of(evaluation({"new": BETTER}, about=replace(ABOUT, better=None)))
    assert "".join(part.text for part in found.title) == "new differs from old"


def test_lower_can_be_better():
    found = measure_of(evaluation({"new": WORSE}, about=replace(ABOUT, better="lower")).rows[0], ("old", "new"))
    assert (found.lines[0].tone, found.lines[0].word) == ("better", "better")


def test_a_verdict_on_several_columns_is_told_column_by_column():
    both = {"a": BETTER, "b": WORSE}
    found = headline_of(evaluation(both, "a: better than old, by far. b: worse than old."))
    assert [lane.verdict for lane in found.lanes] == ["a: better than old, by far.", "b: worse than old."]
    assert found.verdict == ""
    found = headline_of(evaluation(both, "All of it is fine."))
    assert [lane.verdict for lane in found.lanes] == ["", ""]
    assert found.verdict == "All of it is fine."
    found = headline_of(evaluation(both, "b: worse. b: again. a: better"))
    assert len(found.lanes) == 2


@pytest.mark.parametrize("columns", [("new v2", "v2"), ("v2", "new v2"), ("a. v2", "v2"), ("b", "a: b", "a")])
def test_a_verdict_is_told_column_by_column_where_a_name_ends_or_begins_like_another(columns):
    said = [f"{column}: better than old. M goes from 1 to 2 (100 items)." for column in columns]
    found = headline_of(evaluation(dict.fromkeys(columns, BETTER), " ".join(said)))
    assert [lane.verdict for lane in found.lanes] == said


def test_a_line_says_how_items_fared_and_how_sure_that_is():
    (line,) = measure_of(evaluation({"new": BETTER}).rows[0], ("old", "new")).lines
    assert line.counts == [("better", 60, 60.0), ("same", 10, 10.0), ("worse", 30, 30.0)]
    assert line.test == "sign test p = 0.002"
    assert (line.change, line.interval) == ("+0.200", "+0.100 to +0.300")
    (line,) = measure_of(evaluation({"new": UNTESTED}).rows[0], ("old", "new")).lines
    assert (line.tone, line.word, line.counts) == ("bare", "no interval", ())
    assert "circle" in line.drawn


def test_a_value_that_is_not_there_has_its_reason():
    assert figure_of(None, ABOUT).reason == "not measured"
    assert (
        figure_of(Value(value=None, n=0, reason="no item has a value"), ABOUT).reason == "no item has a value"
    )
    share = figure_of(Value(value=0.5, n=9, low=0.4, high=0.6), replace(ABOUT, unit="share"))
    assert (share.text, share.interval) == ("50.0 %", "40.0 to 60.0 %")


def test_key_figures_are_the_primary_ones_and_then_others():
    names = [m.name for m in key_measures(sample())]
    assert names == ["clip_cosine", "object_precision", "words"]
    plain = [replace(r, about=replace(r.about, primary=False)) for r in sample().rows]
    found = [m.name for m in key_measures(replace(sample(), rows=plain))]
    assert found == ["clip_cosine", "object_precision", "perplexity"]


def test_it_is_said_that_every_measure_is_drawn_to_a_scale_of_its_own():
    # A hundredth of one measure and three of another reach equally far.
    small, large = measure_of(evaluation({"new": BETTER}).rows[0], ("old", "new")), BETTER
    tenfold = replace(large, delta=2.0, low=1.0, high=3.0)
    assert (
        measure_of(evaluation({"new": tenfold}).rows[0], ("old", "new")).lines[0].drawn == small.lines[0].drawn
    )
    page = render(sample())
    figures, cards = page.split('id="figures"')[1], page.split("Key figures")[1]
    assert "each measure to its own scale" in figures.split("<tbody>")[0]
    assert "each to its own scale" in cards.split("<article")[0]
    alone = render(replace(sample(), columns=sample().columns[:1]))
    assert "own scale" not in alone


def test_every_group_has_its_place():
    assert set(GROUPS) == set(get_args(Group))
    tables = group_tables(sample())
    assert sum(len(t.measures) for t in tables) == len(sample().rows)
    (note,) = [n for n in tables[0].notes if "clip-vit" in n[1]]
    assert note[0] == "Recall@1, text → image, Recall@5, text → image"


def sliced(n: int, effect: Effect, whole: Effect = BETTER) -> list[str]:
    part = Slice(by="source", value="shop", measure="m", column="new", effect=replace(effect, n=n))
    (table,) = slice_tables(replace(evaluation({"new": whole}), slices=(part,)))
    return list(table.warnings)


def test_a_large_subset_that_lost_where_all_gained_has_a_warning():
    (warning,) = sliced(50, WORSE)
    assert "new: better on the whole, clearly worse where source is shop (−0.200, 50 items)" in warning
    (warning,) = sliced(50, replace(UNCLEAR, delta=-0.01))
    assert "perhaps worse" in warning
    assert sliced(49, WORSE) == []
    assert sliced(50, BETTER) == []
    assert sliced(50, WORSE, whole=WORSE) == []
    assert sliced(50, WORSE, whole=UNCLEAR) == []


def test_subsets_of_unknown_figures_and_columns_are_left_out():
    parts = [
        Slice(by="b", value="v", measure="gone", column="new", effect=BETTER),
        Slice(by="b", value="v", measure="m", column="gone", effect=BETTER),
    ]
    assert slice_tables(replace(evaluation({"new": BETTER}), slices=parts)) == []
    many = [Slice(by="b", value=str(i), measure="m", column="new", effect=BETTER) for i in range(40)]
    (table,) = slice_tables(replace(evaluation({"new": BETTER}), slices=many))
    assert (len(table.subsets), table.left_out) == (12, 28)


def test_facts_are_shown_by_their_shape():
    found = facts_of(
        {
            "recipe": "hybrid",
            "seconds": 3725.4,
            "wait_s": 2.5,
            "seed": 1234567,
            "calls": 1234567,
            "cost": 0.123456,
            "resume": True,
            "digest": "ab" * 32,
            "sizes": [3, 5],
            "models": ["a", "b"],
            "dropped": {"small": 1, "blank": 4},
            "spent": {"m": {"requests": 3, "cost": 0.5}},
            "nothing": {},
            "none": None,
            "huge": 10**400,
            "deep": {"a": {"b": {"c": {"d": {"e": 1}}}}},
        }
    )
    said = {f.label.text: f.value.text for f in found if f.kind == "value"}
    assert said == {
        "Recipe": "hybrid",
        "Seconds": "1 h 2 min",
        "Wait": "2.5 s",
        "Seed": "1234567",
        "Calls": "1,234,567",
        "Cost": "0.1235",
        "Resume": "yes",
        "Digest": "abababababab…",
        "Sizes": "3, 5",
        "Huge": "a number of more than 15 digits",
    }
    by_label = {f.label.text: f for f in found}
    assert [c.text for c in by_label["Models"].items] == ["a", "b"]
    assert [(c.name.text, c.number, c.share) for c in by_label["Dropped"].counts] == [
        ("blank", "4", 100.0),
        ("small", "1", 25.0),
    ]
    assert by_label["Spent"].facts[0].facts[0].value.text == "3"
    assert by_label["Deep"].kind == "facts"
    assert "Nothing" not in by_label


def shown(before: list[str], **after: list[str]):
    columns = ("old", *after)
    example = Example(
        kind="odd",
        measure=None,
        key="k",
        texts={"old": before, **after},
        values={"m": {"old": 0.1, "new": 0.3}, "x": {}},
    )
    found = replace(evaluation(dict.fromkeys(after, BETTER)), columns=columns, examples=(example,))
    (group,) = example_groups(found, {})
    assert group.title == "odd"
    return group.first[0]


def test_an_example_marks_what_changed():
    item = shown(["A dog on the beach"], new=["A brown dog on a beach"])
    old, new = (c.texts[0] for c in item.columns)
    assert [s.text for s in new.spans if s.kind == "new"] == ["brown", "a"]
    assert [s.text for s in old.spans if s.kind == "gone"] == ["the"]
    assert [(v.title, v.baseline, v.others) for v in item.values] == [
        ("Measure", "0.100", [("0.300", "+0.200", "gain")])
    ]


def test_an_example_says_what_stayed_as_it_was_and_what_was_rewritten():
    assert shown(["A dog"], new=["A dog"]).columns[1].texts[0].note == "unchanged"
    assert shown(["IMG_1.JPG"], new=["A dog on a beach"]).columns[1].texts[0].note == "rewritten"
    assert shown([""], new=["A dog on a beach"]).columns[1].texts[0].note == ""


def test_several_texts_and_none_are_shown_plain():
    item = shown(["one", "two"], new=["three"])
    assert [len(c.texts) for c in item.columns] == [2, 1]
    assert {s.kind for c in item.columns for t in c.texts for s in t.spans} == {"same"}
    assert shown([], new=["a dog"]).columns[0].texts == []


def test_with_several_columns_the_baseline_has_no_marks():
    item = shown(["A dog on the beach"], new=["A brown dog on a beach"], other=["A dog"])
    assert [s.kind for s in item.columns[0].texts[0].spans] == ["same"]
    assert "new" in [s.kind for s in item.columns[1].texts[0].spans]


def test_a_notebook_shows_the_page_in_a_frame_and_text_elsewhere(tmp_path):
    write_json(sample(FOUR), tmp_path / "report.json")
    found = display(tmp_path)
    bundle = found._repr_mimebundle_()
    html = bundle["text/html"]
    assert html.startswith('<iframe title="Recaption report" sandbox="" srcdoc="')
    assert html.count("<") == 2  # the frame alone: the page stands in its attribute
    assert "&lt;!doctype html&gt;" in html
    assert "Recall@1, text → image" in bundle["text/plain"]
    assert "hybrid" in repr(found)
    assert "\x1b" not in repr(display(replace(sample(), verdict="\x1b[31mred")))
    assert display(sample())._repr_html_() == display(sample())._repr_html_()


def test_a_folder_without_a_report_is_told(tmp_path):
    with pytest.raises(UserError, match="Evaluate first: recaption eval OUT"):
        display(str(tmp_path))
