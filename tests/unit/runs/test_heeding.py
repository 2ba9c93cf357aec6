"""What runs know of people's decisions, and that its end depends on what they say now, not on what they had said."""

import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.kill_resume import outputs
from recaption.core.types import Caption, Provenance, Record, Rejected
from recaption.datasets.detect import open_dataset
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.rulings import Ruling, rulings_place, write_rulings
from recaption.datasets.run_folder import RunFolder
from recaption.recipes.recipe import Recipe, load_recipe
from recaption.runs.heeding import Heeding
from recaption.runs.run import RunOptions, Summary, run
from recaption.runs.stats import tally
from recaption.stages.heed import Heed

RECIPE = """
stages:
  - normalise
  - triage
  - fit: {budget: words, limit: 4}
  - select: {prefer: [{}]}
"""
TEXTS = ["A dog | Shop", "one two three four five six", "  ", "海边的狗", "A cat", "IMG_1.JPG", "x"]
ALT = Caption(text="dog", origin="alt", provenance=Provenance(stage="source"))


def heeding(*rulings: Ruling) -> Heeding:
    found: dict[str, tuple[Ruling, ...]] = {}
    for ruling in rulings:
        found[ruling.key] = (*found.get(ruling.key, ()), ruling)
    return Heeding(found, Heed(found, []) if found else None)


def record(key: str, **details: Any) -> Record:
    caption = Caption(text="x", origin="model", provenance=Provenance(stage="caption", details=details))
    return Record(key=key, captions=(ALT, caption), chosen=caption.id)


ACCEPT = Ruling(key="a", shown="1", outcome="accept")


class TestHeeding:
    def test_without_a_file_nobody_is_heeded(self, tmp_path):
        found = Heeding.of(tmp_path, recipe(tmp_path), [])
        assert (found.rulings, found.stage, found.told(), found.marks([record("a")])) == ({}, None, {}, {})

    def test_marks_name_the_records_that_are_ruled_on_and_change_with_the_ruling(self):
        items: list[Record | Rejected] = [
            record("a"),
            record("b"),
            Rejected(key="a", stage="read", kind="failed", reason="twice"),
        ]
        (mark,) = heeding(ACCEPT).marks(items).items()
        assert mark[0] == Heeding.name("a")
        other = Ruling(key="a", shown="1", outcome="accept", verdicts=(2,))
        assert list(heeding(other).marks(items).values()) != [mark[1]]

    def test_what_became_of_rulings_is_counted_and_of_nothing_else(self):
        ruled = {
            key: Ruling(key=key, shown="1", outcome="accept", verdicts=(2,))
            for key in ("a", "b", "c", "d", "e", "another run's", "none of it")
        }

        def told(effect: str, verdict: int = 2) -> dict[str, Any]:
            return {**ruled["a"].told(), "verdicts": [verdict], "effect": effect}

        items: list[Record | Rejected] = [
            record("a", audit=told("accepted")),
            record("b", audit=told("rejected, another candidate stands")),
            record("nobody's", audit=told("edited")),
            record("another run's", audit=told("edited", verdict=1)),
            record("none of it"),
            Rejected(key="c", stage="audit", kind="dropped", reason="rejected"),
            Rejected(key="d", stage="audit", kind="failed", reason="image"),
            Rejected(key="e", stage="select", kind="dropped", reason="no caption"),
        ]
        assert heeding(*ruled.values()).tally(items) == {
            "audit": {
                "accepted": 1,
                "failed": 1,
                "rejected, another candidate stands": 1,
                "rejected, nothing is left": 1,
            }
        }
        assert heeding().tally(items) == {}

    def test_what_other_audits_said_of_a_record_that_is_gone_is_counted_apart(self):
        said = [Ruling(key="a", shown="1", outcome="accept", audit=n) for n in (1, 2, 3)]
        gone: list[Record | Rejected] = [Rejected(key="a", stage="audit", kind="dropped", reason="rejected")]
        assert heeding(*said).tally(gone) == {
            "audit": {"another ruling left nothing": 2, "rejected, nothing is left": 1}
        }

    def test_marks_and_digest_change_with_any_of_several_rulings_and_stay_for_one_as_they_were(self):
        one, two = (Ruling(key="a", shown="1", outcome="accept", audit=n) for n in (1, 2))
        found = [heeding(one), heeding(two), heeding(one, two)]
        assert len({*(h.marks([record("a")])[Heeding.name("a")] for h in found)}) == 3
        assert [h.told()["audit"]["rulings"] for h in found] == [1, 1, 2]
        # As it lies in the markers of runs made before several audits were heeded.
        assert heeding(ACCEPT).marks([record("a")]) == {"ca978112ca1bbdca": "47e8a9ebcc951fe7"}

    def test_a_recipe_that_never_lets_an_original_stand_is_known(self, tmp_path):
        write_rulings(rulings_place(tmp_path), [ACCEPT])
        given_recipes = {
            never: recipe(tmp_path, RECIPE.replace("prefer: [{}]", f"prefer: [{{}}], original: {never}"))
            for never in ("never", "competes")
        }
        found = {name: Heeding.of(tmp_path, r, []).stage for name, r in given_recipes.items()}
        assert {name: stage._originals for name, stage in found.items() if stage} == {
            "never": False,
            "competes": True,
        }


def test_a_person_in_an_audit_is_not_the_original_that_stays():
    human = Caption(text="y", origin="human", provenance=Provenance(stage="audit", parents=("1",)))
    short = Caption(text="y", origin="human", provenance=Provenance(stage="fit", parents=(human.id,)))
    made = record("a")
    for best in (human, short):
        counts = tally([Record(key="a", captions=(*made.captions, human, short), chosen=best.id)])
        assert counts["contest"] == {"a model wrote beside an original": 1}


def recipe(folder: Path, text: str = RECIPE) -> Recipe:
    (folder / "mine.yaml").write_text(text)
    return load_recipe(str(folder / "mine.yaml"))


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> SimpleNamespace:
    """A table of texts without images, and a recipe over it."""
    folder = tmp_path_factory.mktemp("table")
    lines = [json.dumps({"key": f"k{i}", "caption": text}) for i, text in enumerate(TEXTS)]
    (folder / "table.jsonl").write_text("\n".join(lines) + "\n")
    return SimpleNamespace(path=folder / "table.jsonl", recipe=recipe(folder))


def heeded(table: SimpleNamespace, out: Path, rulings: list[Ruling]) -> Summary:
    write_rulings(rulings_place(out), rulings)
    return plain(table, out)


def test_what_people_decided_in_the_run_that_is_read_is_not_counted_as_decided_in_this_one(table, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    plain(table, first)
    heeded(table, first, rulings_on(first, [("k0", "accept", 0, 1), ("k4", "accept", 9, 1)]))
    over = SimpleNamespace(path=first, recipe=table.recipe)
    assert "audit" not in plain(over, second).stats
    found = {record.key: record for record in RunFolder(second).records()}
    assert any("audit" in caption.provenance.details for caption in found["k0"].captions)
    assert any("stale_verdict" in caption.flags for caption in found["k4"].captions)
    rulings = rulings_on(second, [("k0", "edit", 1, 2), ("k4", "accept", 0, 2)])
    assert heeded(over, second, rulings).stats["audit"] == {"accepted": 1, "edited": 1}


def plain(table: SimpleNamespace, out: Path) -> Summary:
    reader = open_dataset(str(table.path), options=ReaderOptions())
    source = {"path": str(table.path), "options": {}}
    return run(
        reader, table.recipe, RunFolder(out), RunOptions(shard_size=3, batch_size=2, workers=1), source=source
    )


@st.composite
def said(draw: st.DrawFn) -> list[tuple[str, str, int, int]]:
    """Return some words: of which record, what, on which of its captions, and a number that makes them differ."""
    word = st.tuples(
        st.sampled_from([*(f"k{i}" for i in range(len(TEXTS))), "nobody"]),
        st.sampled_from(["accept", "edit", "reject", "prefer"]),
        st.integers(0, 3),
        st.integers(1, 2),
    )
    return draw(st.lists(word, max_size=6, unique_by=lambda w: w[0]))


def rulings_on(out: Path, words: list[tuple[str, str, int, int]]) -> list[Ruling]:
    found = {r.key: r for r in RunFolder(out).records()}
    made = []
    for key, outcome, place, number in words:
        ids = [c.id for c in found[key].captions] if key in found else ["gone"]
        shown = ids[place] if place < len(ids) else "gone"
        more: dict[str, Any] = {"verdicts": (number,)}
        if outcome == "edit":
            more["text"] = "short" if number == 1 else "a text that is too long here"
        if outcome == "prefer":
            more["preferred"] = shown
            shown = ids[0]
        made.append(Ruling(key=key, shown=shown, outcome=outcome, **more))  # type: ignore[arg-type]
    return made


@pytest.mark.slow
@settings(max_examples=15)
@given(st.lists(said(), min_size=1, max_size=3))
def test_whatever_was_said_before_the_run_ends_as_if_only_the_last_had_been_said(table, history):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        out, fresh = Path(one) / "out", Path(two) / "out"
        assert plain(table, out).redone == sum(bool(text) for text in TEXTS)
        plain(table, fresh)
        untouched = outputs(out)
        words = [rulings_on(out, part) for part in history]
        for rulings in words:
            heeded(table, out, rulings)
        heeded(table, fresh, words[-1])
        assert outputs(out) == outputs(fresh)
        again = heeded(table, out, list(reversed(words[-1])))
        assert again.redone == 0
        assert outputs(out) == outputs(fresh)
        heeded(table, out, [])
        rulings_place(out).unlink()
        assert outputs(out) == untouched
