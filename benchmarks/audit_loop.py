"""People in the loop, closed: does an audit find the truth, does what it teaches hold, do captions get better?

    OMP_NUM_THREADS=1 python -m benchmarks.audit_loop [--folder FOLDER] [--scenes 500] [--judged 300] [--repeats 200]

Rendered scenes are captioned once, drawn hot (temperature 2) so that a good part is wrong, four candidates a scene,
the best by image-text score chosen. Made-up auditors know the scenes' facts. What is captioned or embedded is
remembered in FOLDER, so that a second call takes seconds.

Coverage: an audit is drawn and judged again and again, and the interval for the share of acceptable captions is held
against the share in the whole set, which is known. One of these audits goes through a real store.

Learning: a preference model is learned from judgements and held against the run's own scores on held-out pairs, for
auditors who ask for different things, and for auditors whose word is chance: of these, how often "better" is said.

Quality: the facts that are right and that are said, before, after people's rulings are applied, and after candidates
are chosen anew by the preference model; also over the scenes that nobody judged.

Captioner and encoder are the small ones of this package, trained on this very world: the encoder knows nearly all
that these auditors know, which no encoder of photos does. What is shown is that the parts do what they say.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recaption.audit.allocation import score_edges
from recaption.audit.examples import examples_of
from recaption.audit.judgements import Judgement, outcomes
from recaption.audit.learning import Lesson, learned
from recaption.audit.meaning import meaning_of
from recaption.audit.opening import create_store
from recaption.audit.project import About
from recaption.audit.quality import Quality, read_quality
from recaption.audit.sampling import Design, Row, SamplePlan, draw_sample
from recaption.audit.sheets import Sheet, sheet_of
from recaption.audit.store import AuditStore
from recaption.audit.types import AuditItem, Draft, Settings, Verdict
from recaption.audit.words import judgements
from recaption.core.types import Record
from recaption.datasets.detect import open_dataset
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.run_folder import RunFolder
from recaption.demo.auditors import DemoAuditor, work
from recaption.demo.dataset import write_demo
from recaption.demo.score import fact_table
from recaption.demo.world import Scene
from recaption.recipes.recipe import load_recipe
from recaption.runs.audit_applying import apply
from recaption.runs.audit_learning import learn
from recaption.runs.auditing import plan_of
from recaption.runs.run import RunOptions, run

SCORE = "image_text"
DRAWN = {
    "caption.n": 4,
    "caption.temperature": 2.0,
    "select.original": "only_if_nothing",
    "select.keep": 4,
}
PEOPLE = ("ann", "bob", "eve")
COMPARED = 4
"""Cards side by side."""
TASTES: Mapping[str, Mapping[str, Any]] = {
    "nothing wrong, 80 % of the facts said": {"enough": 0.8},
    "nothing wrong, 60 % of the facts said, 3 sentences at most": {
        "enough": 0.6,
        "most_sentences": 3,
    },
}
"""What people ask for. Of the first the encoder knows all, of the second, a rule of the house, it does not."""
JUDGE, CARDS = About(), About(task="compare", captions=COMPARED)
CHANCES = 20
"""Audits by auditors whose word is chance."""


@dataclass(frozen=True)
class World:
    """A captioned run, and what is true of it."""

    folder: Path
    records: Mapping[str, Record]
    sheets: Mapping[str, Sheet]
    scenes: Mapping[str, Scene]

    @property
    def keys(self) -> list[str]:
        """Keys of the records, in their order."""
        return list(self.sheets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="Where captions are kept; a temporary folder if left out.")
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--judged", type=int, default=300, help="Captions that are judged to learn from.")
    parser.add_argument("--repeats", type=int, default=200, help="Audits by which coverage is measured.")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch) / "world"
        started = time.perf_counter()
        world = captioned(folder, arguments.scenes, arguments.seed)
        print(f"{len(world.sheets)} captions in {time.perf_counter() - started:.0f} s")
        coverage(world, arguments.repeats)
        learning(world, arguments.judged, Path(scratch))
        quality(world, arguments.judged, arguments.seed, Path(scratch))
        print(f"{time.perf_counter() - started:.0f} s in all")


def captioned(
    folder: Path, scenes: int, seed: int, changes: Mapping[str, object] = {}, name: str = "run"
) -> World:
    """Render and caption scenes, or go on where that stopped."""
    images = folder / "input"
    write_demo(images, scenes, seed, evidence=False)
    reader = open_dataset(str(images), options=ReaderOptions())
    recipe = load_recipe("hybrid", {**DRAWN, **changes})
    target = RunFolder(folder / name)
    run(reader, recipe, target, RunOptions(seed=seed), source={"path": str(images), "options": {}})
    return world_of(folder / name)


def world_of(folder: Path) -> World:
    """Read a run of rendered scenes."""
    records = {record.key: record for record in RunFolder(folder).records()}
    sheets = {key: sheet for key, record in records.items() if (sheet := sheet_of(record)) is not None}
    return World(folder, records, sheets, {key: scene_of(record) for key, record in records.items()})


def scene_of(record: Record) -> Scene:
    """Return the scene that a record shows."""
    facts = record.metadata["facts"]
    return Scene.from_json(json.loads(facts) if isinstance(facts, str) else facts)


# --- coverage -------------------------------------------------------------------------------------------------------


def coverage(world: World, repeats: int) -> None:
    """Print how often the interval holds the truth."""
    exact = [DemoAuditor(name=PEOPLE[0])]
    hasty = [DemoAuditor(name=name, error=0.1) for name in PEOPLE]
    quarters = strata(world)
    print(f"\nshare of acceptable captions, {repeats} audits of each kind")
    print(f"{'audit':58}{'truth':>8}{'mean':>8}{'width':>8}{'covered':>10}")
    for title, people, names, design in (
        ("100 drawn plainly", exact, {}, Design(size=100)),
        ("100 drawn by quarter of the score", exact, quarters, Design(size=100)),
        ("the same, twice as many of the lowest quarter", exact, quarters, lowest_twice(quarters)),
        ("100 by quarter, 3 people, each wrong in 10 %, majority", hasty, quarters, Design(size=100)),
    ):
        print(f"{title:58}" + "".join(covered(world, people, names, design, repeats)))
    store_matches(world, quarters)


def strata(world: World) -> dict[str, str]:
    """Return the quarter of the score of each caption, by key."""
    scores = {key: sheet.subject.scores[SCORE] for key, sheet in world.sheets.items()}
    edges = score_edges(list(scores.values()))
    return {key: f"quarter {bisect_right(edges, score) + 1}" for key, score in scores.items()}


def lowest_twice(quarters: Mapping[str, str]) -> Design:
    """Return a design that looks twice as often where the score is low."""
    return Design(share=0.16, shares={min(quarters.values()): 0.32})


def covered(
    world: World, people: Sequence[DemoAuditor], names: Mapping[str, str], design: Design, repeats: int
) -> Iterator[str]:
    """Yield the columns of one kind of audit."""
    said = {key: {person.name: judgement(person, key, world) for person in people} for key in world.keys}
    # One word an item, that of most: agreement between people, which is slow to find, is no part of this figure.
    most = outcomes(said)
    words = {
        key: replace(min(said[key].values(), key=lambda w: w.kind != most[key]), auditor="most") for key in said
    }
    # What these people would say of the whole set is what a sample of their words estimates.
    truth = np.mean([kind == "accept" for kind in most.values()])
    rows = [Row(key, names.get(key, "all")) for key in world.keys]
    found = []
    for seed in range(repeats):
        plan = draw_sample(rows, replace(design, seed=seed))
        quality = read_quality([words[item.key] for item in plan.fair], plan)
        found.append((quality.accepted.value, quality.accepted.wilson.low, quality.accepted.wilson.high))
    value, low, high = np.array(found).T
    yield f"{truth:8.3f}{value.mean():8.3f}{(high - low).mean():8.3f}"
    yield f"{100 * ((low <= truth) & (truth <= high)).mean():9.1f}%"


def judgement(person: DemoAuditor, key: str, world: World) -> Judgement:
    """Return what a person says, as quality is read from."""
    sheet = world.sheets[key]
    draft = person.judged(key, sheet, world.scenes[key])
    meaning = meaning_of(draft, sheet.subject.text)
    assert meaning is not None
    assert meaning.said != "prefer"
    return Judgement(
        key=key,
        auditor=person.name,
        kind=meaning.said,
        reason=meaning.reason,
        edited=meaning.text,
        shown=sheet.subject.text,
    )


def store_matches(world: World, quarters: Mapping[str, str]) -> None:
    """Run one audit through a real store, and compare what is read from it with what the same people say."""
    people = [DemoAuditor(name=name, error=0.1) for name in PEOPLE]
    plan = draw_sample([Row(key, quarters[key]) for key in world.keys], Design(size=100, seed=1))
    with (
        tempfile.TemporaryDirectory() as scratch,
        stored(world, plan, Path(scratch) / "a.sqlite", overlap=3) as store,
    ):
        said = work(store, people, world.scenes)
        found = read_quality(judgements(store), plan_of(store))
    words = [judgement(person, item.key, world) for item in plan.fair for person in people]
    again = read_quality(words, plan)
    same = told(found) == told(again)
    print(
        f"through a real store: {said} words, {told(found)}: {'the same' if same else f'NOT the same: {told(again)}'}"
    )


def told(found: Quality) -> str:
    """Return the share and its interval."""
    of = found.accepted.wilson
    return (
        f"{found.accepted.value:.4f} ({of.low:.4f} to {of.high:.4f}), alpha {found.agreement.alpha.value:.3f}"
    )


def stored(world: World, plan: SamplePlan, place: Path, overlap: int = 1, about: About = JUDGE) -> AuditStore:
    """Make a store of a sample."""
    about = replace(about, sizes=plan.sizes, drawn=len(plan.items))
    store = create_store(place, Settings(overlap=overlap, about=about.to_json()))
    store.add_items(
        AuditItem(
            key=item.key,
            payload=world.sheets[item.key].to_payload(),
            stratum=item.stratum,
            probability=item.probability,
            unbiased=item.unbiased,
        )
        for item in plan.items
    )
    return store


# --- learning -------------------------------------------------------------------------------------------------------


def learning(world: World, judged: int, scratch: Path) -> None:
    """Print what is learned from different auditors."""
    print(f"\npreference model against the best plain score, {judged} items judged, held-out pairs")
    flat: dict[str, Any] = {"edits": 0.0, "error": 0.5}
    for title, about, asked in (
        *((title, JUDGE, {**asked, "error": 0.05}) for title, asked in TASTES.items()),
        ("a coin", JUDGE, flat),
        *((f"{title}; {COMPARED} cards", CARDS, {**asked, "error": 0.05}) for title, asked in TASTES.items()),
        (f"a coin; {COMPARED} cards", CARDS, {"error": 1 - 1 / COMPARED}),
    ):
        people = [DemoAuditor(name=name, **asked) for name in PEOPLE]
        print(f"\npeople who ask for: {title}; wrong in {100 * asked['error']:.0f} %")
        with one_audit(world, judged, people, scratch / f"{title}.sqlite", about) as store:
            found = learn(world.folder, store, scratch / f"{title}.json", even_so=True)
        for row in found.rows():
            print("  " + "".join(f"{cell:<{width}}" for cell, width in zip(row, WIDTHS, strict=True)))
        print(
            f"  {found.sentence.partition(' Written')[0]} Ridge {found.lesson.strength:g}, {found.paid} calls paid."
        )
    false_alarms(world, judged)


WIDTHS = (46, 7, 8, 26, 14, 26, 26)


def one_audit(
    world: World, judged: int, people: Sequence[DemoAuditor], place: Path, about: About = JUDGE
) -> AuditStore:
    """Return a store in which so many items were judged, each by one of the people."""
    plan = draw_sample([Row(key) for key in world.keys], Design(size=judged, seed=2))
    store = stored(world, plan, place, about=about)
    work(store, people, world.scenes, captions=about.captions if about.task == "compare" else None)
    return store


def false_alarms(world: World, judged: int) -> None:
    """Print how often something is said to be better that was learned from chance."""
    keys = [
        item.key for item in draw_sample([Row(key) for key in world.keys], Design(size=judged, seed=2)).fair
    ]
    found, areas = [], []
    features = None
    for seed in range(CHANCES):
        person = DemoAuditor(name="coin", edits=0.0, error=0.5, seed=seed)
        lesson, features = from_memory(world, keys, person, features)
        found.append(lesson.verdict)
        areas.append(lesson.comparisons[0].learned.value)
    print(
        f"\nchance {CHANCES} times over: better in {found.count('better')}; "
        f"area under the curve {np.mean(areas):.3f} on average, {min(areas):.3f} to {max(areas):.3f}"
    )


def from_memory(
    world: World, keys: Sequence[str], person: DemoAuditor, features: np.ndarray | None
) -> tuple[Lesson, np.ndarray]:
    """Learn from one person without a store; features of the same captions are made once."""
    items = [AuditItem(key=key, payload=world.sheets[key].to_payload()) for key in keys]
    drafts = {key: person.judged(key, world.sheets[key], world.scenes[key]) for key in keys}
    examples = examples_of(items, [verdict(n, key, draft) for n, (key, draft) in enumerate(drafts.items())])
    if features is None:
        features = features_of(world, examples.keys, [text.text for text in examples.texts])
    plain = {SCORE: np.array([text.scores[SCORE] for text in examples.texts])}
    return learned(examples, features, plain, seed=person.seed), features


def features_of(world: World, keys: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """Return the features of one text for each key."""
    from recaption.media.images import BatchImages
    from recaption.models.preference_head import features
    from recaption.recipes.backends import backend

    encoder = backend("scorers", "embedded", "benchmark").build()
    images = np.array(encoder.embed_images([world.records[key] for key in keys], BatchImages(max_side_px=1024)))
    return features(images, texts, encoder.embed_texts(texts))


def verdict(number: int, key: str, draft: Draft) -> Verdict:
    """Return a row of a log."""
    return Verdict(id=number, item=number, key=key, auditor="coin", draft=draft, at_ms=number)


# --- quality --------------------------------------------------------------------------------------------------------


def quality(world: World, judged: int, seed: int, scratch: Path) -> None:
    """Print what is right, said and acceptable: before, after rulings are applied, after choosing anew."""
    originals = {key: record.original_text or "" for key, record in world.records.items()}
    for number, (title, asked) in enumerate(TASTES.items()):
        people = [DemoAuditor(name=name, error=0.02, edits=0.5, **asked) for name in PEOPLE]
        applied = scratch / f"applied{number}"
        shutil.copytree(world.folder, applied)
        columns = {"original": originals, "before": texts(world)}
        told = []
        for task in (JUDGE, CARDS):
            place = scratch / f"quality{number}{task.task}"
            with one_audit(world, judged, people, place.with_suffix(".sqlite"), task) as store:
                looked_at = {item.key for item in store.items()}
                head = learn(world.folder, store, place.with_suffix(".json"), even_so=True)
                if task is JUDGE:
                    done = apply(RunFolder(applied), store)
                    columns["rulings applied"] = texts(world_of(applied))
            columns[f"by liked, {task.task}"] = texts(chosen_anew(world, place.with_suffix(".json"), seed))
            told.append(f"from {task.task}: {head.head.worth}")
        print(
            f"\npeople who ask for: {title}. {judged} captions judged, {done.edited} edited, "
            f"{done.to_candidate + done.to_original + done.dropped} fell back, {done.redone} records redone with "
            f"{done.calls_paid} calls; preference models {'; '.join(told)}"
        )
        perfect = replace(people[0], error=0.0)
        rows = {"judged": looked_at, "nobody judged": set(world.keys) - looked_at}
        print(f"  {'':32}" + "".join(f"{name:>19}" for name in columns))
        for name, keys in rows.items():
            for measure, values in measured(world, columns, keys, perfect).items():
                print(f"  {f'{name}: {measure}':32}" + "".join(f"{100 * value:18.1f}%" for value in values))


def measured(
    world: World, columns: Mapping[str, Mapping[str, str]], keys: Set[str], person: DemoAuditor
) -> dict[str, list[float]]:
    """Return shares by column: claims that hold, facts that are said, captions that a person would accept."""
    pairs = {name: [(key, of.get(key, "")) for key in sorted(keys)] for name, of in columns.items()}
    sides = fact_table(
        {name: [(world.scenes[k], text) for k, text in some] for name, some in pairs.items()}
    ).sides
    return {
        "claims right": [side.total.precision or 0.0 for side in sides.values()],
        "facts said": [side.total.recall or 0.0 for side in sides.values()],
        "captions all right": [side.fully_correct / side.captions for side in sides.values()],
        "captions these people accept": [
            float(np.mean([person.accepts(text, world.scenes[key], key) for key, text in some]))
            for some in pairs.values()
        ],
    }


def chosen_anew(world: World, head: Path, seed: int) -> World:
    """Return the run with candidates chosen by the preference model; no caption is written anew."""
    folder = world.folder.parent
    shutil.rmtree(folder / "liked", ignore_errors=True)
    (folder / "liked").mkdir()
    shutil.copytree(world.folder / "ledger", folder / "liked" / "ledger")
    shutil.copy2(world.folder / "run.json", folder / "liked")
    liked = {"liked": {"preference": {"file": str(head)}}}
    changes = {
        "score.scorers": {SCORE: "embedded", "repetition": "repetition", **liked},
        "select.by": {"liked": 1},
        "select.units": {},
    }
    return captioned(folder, len(world.records), seed, changes, "liked")


def texts(world: World) -> dict[str, str]:
    """Return the caption that stands, by key."""
    return {key: sheet.subject.text for key, sheet in world.sheets.items()}


if __name__ == "__main__":
    main()
