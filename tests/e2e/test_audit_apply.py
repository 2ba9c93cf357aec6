"""What people decided comes back into the run: nothing else is touched, nothing is paid twice, nothing is lost."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from benchmarks.kill_resume import outputs
from recaption.audit.opening import create_store
from recaption.audit.project import About
from recaption.audit.sheets import sheet_of
from recaption.audit.store import AuditStore
from recaption.audit.types import AuditItem, Draft, Settings
from recaption.core.errors import RunFolderError, UserError
from recaption.core.types import Record, Rejected
from recaption.datasets.detect import open_dataset
from recaption.datasets.readers.options import ReaderOptions
from recaption.datasets.rulings import Ruling, read_rulings, rulings_place, write_rulings
from recaption.datasets.run_folder import RunFolder
from recaption.media.checks.batches import BATCH_FINDINGS
from recaption.media.image_bytes import read_bytes
from recaption.models.scripted import ScriptedGenerator
from recaption.recipes.recipe import load_recipe
from recaption.runs import audit_applying
from recaption.runs.audit_applying import Applied, apply
from recaption.runs.explain import explain_lines, find
from recaption.runs.run import RunOptions, Summary, run
from recaption.runs.verify import verify

RECIPE = """
stages:
  - normalise
  - triage
  - caption:
      captioner: {scripted: {behaviour: {truthful: 4, blind: 2, rambling: 1, bang: 1}}}
      aspects: [dense]
      n: 3
      temperature: 1.0
      max_tokens: 60
      canary: false
  - check
  - fit: {budget: words, limit: 20}
  - score: {scorers: {repetition: repetition}}
  - select:
      prefer: [{origin: model}, {}]
      by: {repetition: -1}
      keep: 2
  - mark_for_audit
"""
IMAGES = 24
OPTIONS = RunOptions(shard_size=8, batch_size=4, workers=2)
LONG = "A person wrote far more than the budget takes. " * 5


def captioned(images: Path, out: Path, recipe: str = RECIPE, **options: Any) -> Summary:
    """Run the recipe, as `recaption run` does."""
    written = out.parent / "mine.yaml"
    written.write_text(recipe)
    reader = open_dataset(str(images), options=ReaderOptions())
    source = {"path": str(images), "options": {}}
    loaded = load_recipe(str(written))
    return run(reader, loaded, RunFolder(out), replace(OPTIONS, **options), source=source)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images and, in `work/out`, a finished run."""
    root = tmp_path_factory.mktemp("finished")
    (root / "images").mkdir()
    for i in range(IMAGES):
        pixels = np.random.default_rng(i).integers(0, 256, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((32, 32)).save(root / "images" / f"{i:02d}.png")
        if i % 6:
            (root / "images" / f"{i:02d}.txt").write_text(f"Photo {i} of a lighthouse | Shop")
    torn = root / "images" / "23.png"
    torn.write_bytes(torn.read_bytes()[:60])
    (root / "work").mkdir()
    captioned(root / "images", root / "work" / "out")
    return root


@pytest.fixture
def out(finished: Path) -> Any:
    """The finished run, restored at the same path for every test: paths are part of what is compared."""
    kept = finished / "kept"
    if not kept.exists():
        shutil.copytree(finished / "work", kept)
    shutil.rmtree(finished / "work")
    shutil.copytree(kept, finished / "work")
    return finished / "work" / "out"


def records(out: Path) -> dict[str, Record]:
    return {record.key: record for record in RunFolder(out).records()}


def rows(out: Path) -> dict[str, dict[str, Any]]:
    paths = sorted((out / "captions").glob("*.parquet"))
    return {row["key"]: row for path in paths for row in pq.read_table(path).to_pylist()}


def ruling(record: Record, outcome: str, **more: Any) -> Ruling:
    assert record.chosen is not None
    told: dict[str, Any] = {"auditors": ("Ann",), "guideline": "g1", "at": 1.5, "verdicts": (1,), **more}
    return Ruling(key=record.key, shown=record.chosen, outcome=outcome, **told)  # type: ignore[arg-type]


def decided(out: Path) -> list[Ruling]:
    """One of each kind, in two of the three shards."""
    found = records(out)
    return [
        ruling(found["01"], "accept"),
        ruling(found["02"], "edit", text="A person wrote this."),
        ruling(found["03"], "reject", reason="wrong"),
        ruling(found["04"], "edit", text=LONG),
        ruling(found["09"], "reject", rejected=tuple(c.id for c in found["09"].captions), reason="all wrong"),
        ruling(found["10"], "prefer", preferred=found["10"].originals[0].id),
        Ruling(key="nobody", shown="x", outcome="accept"),
    ]


def applied(out: Path, rulings: list[Ruling]) -> Applied:
    return apply(RunFolder(out), rulings, workers=2)


@pytest.fixture
def no_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a caption was asked for again")

    monkeypatch.setattr(ScriptedGenerator, "generate", refuse)


def test_only_what_was_judged_is_touched_and_only_new_texts_are_paid_for(out, finished, no_generator):
    before, rulings = rows(out), decided(out)
    spent = captioned(finished / "images", out).usage
    found = applied(out, rulings)
    counts = (
        found.accepted,
        found.edited,
        found.to_candidate,
        found.to_original,
        found.dropped,
        found.preferred,
    )
    assert counts == (1, 2, 1, 0, 1, 1)
    assert (found.rulings, found.stale, found.failed, found.not_chosen) == (7, 1, 0, 0)
    assert (found.redone, found.calls_paid) == (6, 2)
    assert found.summary.resumed == IMAGES - 6
    after = rows(out)
    judged = {"01", "02", "03", "04", "09", "10"}
    assert {key for key in before if after.get(key) != before[key]} == judged
    assert {key: row["original_caption"] for key, row in after.items()} == {
        key: row["original_caption"] for key, row in before.items() if key != "09"
    }
    assert (after["02"]["caption"], after["02"]["origin"]) == ("A person wrote this.", "human")
    assert after["04"]["origin"] == "human"
    assert len(after["04"]["caption"].split()) <= 20
    assert after["10"]["caption"] == "Photo 10 of a lighthouse | Shop"
    human = records(out)["02"].best
    assert human is not None
    assert {"repetition", "tokens"} <= human.scores.keys()
    (gone,) = [r for r in RunFolder(out).results(1) if isinstance(r, Rejected)]
    assert (gone.key, gone.stage, gone.kind, gone.raw) == (
        "09",
        "audit",
        "dropped",
        "Photo 9 of a lighthouse | Shop",
    )
    assert found.summary.usage == spent


def test_a_shard_without_verdicts_is_not_written_again(out, no_generator):
    before = {path: path.stat().st_ino for path in sorted(out.glob("*/00002.*"))}
    applied(out, decided(out))
    assert {path: path.stat().st_ino for path in sorted(out.glob("*/00002.*"))} == before
    assert len(before) == 3


def test_the_folder_is_sound_and_says_who_decided(out, no_generator):
    applied(out, decided(out))
    assert verify(RunFolder(out)).faults == ()
    told = "\n".join(explain_lines(find(RunFolder(out), "02")))
    assert "edited by Ann (1 of 1)" in told
    assert "human, dense · by audit from" in told
    assert "rejected by Ann (1 of 1): all wrong" in "\n".join(explain_lines(find(RunFolder(out), "09")))
    described = json.loads((out / "run.json").read_text())
    assert (described["complete"], described["audit"]["rulings"]) == (True, 7)


def test_applying_twice_is_applying_once_and_so_is_a_plain_run(out, finished, no_generator):
    applied(out, decided(out))
    once = outputs(out)
    again = applied(out, list(reversed(decided_before(finished))))
    assert (again.redone, again.calls_paid, again.edited) == (0, 0, 2)
    assert outputs(out) == once
    plain = captioned(finished / "images", out)
    assert (plain.redone, plain.calls_paid, plain.stats["audit"]["edited"]) == (0, 0, 2)
    assert outputs(out) == once


def decided_before(finished: Path) -> list[Ruling]:
    return decided(finished / "kept" / "out")


def test_it_ends_as_if_people_had_spoken_before_the_run(out, finished, no_generator):
    applied(out, decided(out))
    expected = outputs(out)
    for path in [*out.glob("shards/*"), *out.glob("captions/*"), *out.glob("rejects/*")]:
        path.unlink()
    summary = captioned(finished / "images", out)
    assert (summary.redone, summary.calls_paid) == (IMAGES, 0)
    assert outputs(out) == expected


def test_verdicts_that_change_or_go_are_undone_from_the_ledger(out, finished, no_generator):
    untouched, first = outputs(out), decided(out)
    changed = [replace(first[1], text="Another text."), *first[2:4], replace(first[4], reason="other")]
    applied(out, changed)
    expected = outputs(out)
    applied(out, first)
    found = applied(out, changed)
    assert (found.redone, found.calls_paid) == (4, 0)  # 01, 02, 09 and 10; what was scored once is remembered
    assert outputs(out) == expected
    assert applied(out, []).rulings == 0
    assert without_audit(outputs(out)) == untouched


def test_a_record_made_again_stands_beside_those_it_stood_with_at_first(out, no_generator):
    untouched, found = outputs(out), records(out)
    compared = [r for r in found.values() if any(BATCH_FINDINGS.keys() & c.flags.keys() for c in r.captions)]
    assert compared
    applied(out, [ruling(record, "edit", text="A person wrote this.") for record in compared[:1]])
    assert applied(out, []).redone == 1
    assert without_audit(outputs(out)) == untouched


def without_audit(files: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in files.items() if not name.startswith("audit/")}


def test_a_changed_recipe_goes_on_heeding(out, finished, no_generator):
    rulings = decided(out)
    applied(out, rulings)
    changed = RECIPE.replace("limit: 20", "limit: 10").replace("keep: 2", "keep: 3")
    summary = captioned(finished / "images", out, changed)
    found = records(out)
    assert summary.stats["audit"]["edited"] == 2
    best = {key: record.best.text for key, record in found.items() if record.best}
    assert [best[key] for key in ("02", "04")] == [
        "A person wrote this.",
        "A person wrote far more than the budget takes.",
    ]
    assert summary.calls_paid >= 1  # what is cut elsewhere is new to the scorer
    assert verify(RunFolder(out)).faults == ()


def test_a_changed_captioner_leaves_edits_and_says_what_is_stale(out, finished):
    applied(out, decided(out))
    changed = (
        RECIPE.replace("n: 3", "n: 2")
        .replace("temperature: 1.0", "temperature: 0.9")
        .replace("{truthful: 4, blind: 2, rambling: 1, bang: 1}", "{hallucinating: 1}")
    )
    summary = captioned(finished / "images", out, changed)
    found = records(out)
    assert summary.stats["audit"] == {"edited": 2, "preferred": 1, "stale": 3}
    assert {key for key, r in found.items() if r.best and "stale_verdict" in r.best.flags} == {"01", "03", "09"}
    assert found["02"].best is not None
    told = found["02"].best.provenance.details["audit"]
    assert isinstance(told, dict)
    assert told["shown_is_gone"] is True
    assert applied(out, decided_before(finished)).stale == 4  # and the one on a record nobody has


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.slow
@pytest.mark.parametrize("audits", [1, 2])
def test_stopped_at_any_write_it_ends_in_the_same_bytes(out, tmp_path, monkeypatch, audits, request):
    said = decided(out) if audits == 1 else request.getfixturevalue("twice")[1]
    before = tmp_path / "before"
    shutil.copytree(out, before)
    apply(RunFolder(out), said, workers=2)
    expected = outputs(out)
    sync, left = os.fsync, [0]

    def stop(descriptor: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        sync(descriptor)

    for moment in range(1, 100):
        shutil.rmtree(out)
        shutil.copytree(before, out)
        left[0] = moment
        monkeypatch.setattr(os, "fsync", stop)
        try:
            apply(RunFolder(out), said, workers=2)
        except Killed:
            stopped = True
        else:
            stopped = False
        monkeypatch.setattr(os, "fsync", sync)
        if not stopped:
            break
        apply(RunFolder(out), said, workers=2)
        assert outputs(out) == expected, moment
    assert moment > 15


@pytest.mark.parametrize("applied_before", [False, True])
def test_an_unfinished_run_is_finished_first(out, finished, applied_before):
    if applied_before:
        applied(out, decided(out)[:1])
    described = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**described, "complete": False}))
    before = outputs(out)
    with pytest.raises(RunFolderError, match="has not ended"):
        applied(out, decided_before(finished))
    assert outputs(out) == before


def test_a_run_that_was_stopped_over_what_apply_left_unfinished_is_finished_first(out, finished, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(RunFolder, "commit", stop)
    with pytest.raises(Killed):
        applied(out, decided(out))
    left = json.loads((out / "run.json").read_text())
    assert (left["complete"], left["applying"]) == (False, True)
    with pytest.raises(Killed):
        captioned(finished / "images", out, RECIPE.replace("limit: 20", "limit: 10"))
    before = outputs(out)
    with pytest.raises(RunFolderError, match="has not ended"):
        applied(out, decided_before(finished))
    assert outputs(out) == before


def test_a_folder_that_another_run_is_writing_to_is_left_alone(out):
    applied(out, decided(out)[:1])
    stray = out / "audit" / ".1.recaption.part"  # of the run that is writing
    stray.write_text("")
    before = outputs(out)
    with RunFolder(out).locked(), pytest.raises(RunFolderError, match="another run is writing"):
        applied(out, decided(out))
    assert outputs(out) == before


def test_a_run_that_comes_between_reading_and_holding_the_folder_is_not_overwritten(out, finished, monkeypatch):
    locked = RunFolder.locked

    def late(folder: RunFolder) -> Any:
        described = folder.describe()
        folder.write_description({**described, "recipe": {"name": "other", "digest": "0"}})
        return locked(folder)

    rulings = decided(out)
    monkeypatch.setattr(RunFolder, "locked", late)
    with pytest.raises(RunFolderError, match="meanwhile"):
        applied(out, rulings)
    assert not rulings_place(out).exists()
    assert json.loads((out / "run.json").read_text())["complete"] is True


def test_an_input_that_is_gone_changes_nothing(out, finished):
    before, images = outputs(out), finished / "images"
    images.rename(finished / "elsewhere")
    images.mkdir()
    try:
        with pytest.raises(UserError):
            applied(out, decided(out))
        assert outputs(out) == before
    finally:
        images.rmdir()
        (finished / "elsewhere").rename(images)


def test_where_captions_would_have_to_be_written_nobody_is_asked_and_a_run_heeds_later(out, finished):
    Image.new("RGB", (32, 32)).save(finished / "images" / "24.png")
    try:
        with pytest.raises(UserError, match="is no longer done"):
            applied(out, decided(out))
        summary = captioned(finished / "images", out)
        assert (summary.items, summary.stats["audit"]["edited"]) == (IMAGES + 1, 2)
    finally:
        (finished / "images" / "24.png").unlink()


def test_without_rulings_nothing_in_the_folder_speaks_of_them(out):
    before = outputs(out)
    assert applied(out, []).redone == 0
    assert outputs(out) == before
    assert all("rulings" not in json.loads(p.read_text()) for p in out.glob("shards/*.json"))


def test_a_damaged_file_of_rulings_stops_the_run_before_anything_is_written(out, finished):
    applied(out, decided(out))
    rulings_place(out).write_bytes(b"{")
    before = outputs(out)
    with pytest.raises(RunFolderError, match="damaged"):
        captioned(finished / "images", out)
    assert outputs(out) == before


def test_retry_leaves_what_people_decided(out, finished, no_generator):
    applied(out, decided(out))
    before = outputs(out)
    assert captioned(finished / "images", out, retry=True).redone == 0
    assert outputs(out) == before


def test_what_may_be_retried_is_left_for_retry(out, finished, monkeypatch):
    shutil.rmtree(out)
    busy = RECIPE.replace("{truthful: 4, blind: 2,", "{truthful: 4, overloaded: 9,").replace("n: 3", "n: 1")
    retryable = captioned(finished / "images", out, busy).retryable
    assert retryable > 0
    untouched, found = outputs(out), records(out)
    monkeypatch.setattr(ScriptedGenerator, "generate", None)  # a call to it would fail its batch
    assert applied(out, [ruling(r, "edit", text="Seen.") for r in found.values()]).edited == len(found)
    assert applied(out, []).summary.retryable == retryable
    assert without_audit(outputs(out)) == untouched
    monkeypatch.undo()
    again = captioned(finished / "images", out, busy, retry=True)
    assert (again.retryable, again.redone) == (retryable, retryable)


def judged(out: Path, store: Path, source: str = "") -> AuditStore:
    """A store in which Ann has accepted, edited and rejected."""
    found, about = records(out), About(source=source).to_json()
    opened = create_store(store, Settings(about=about))
    sheets = {key: sheet_of(found[key]) for key in ("01", "02", "03")}
    opened.add_items(AuditItem(key=k, payload=sheet.to_payload()) for k, sheet in sheets.items() if sheet)
    ann = opened.add_auditor("Ann")[0].id
    drafts = [Draft(action="accept"), Draft(action="edit", text="Seen."), Draft(action="reject", reason="no")]
    for number, draft in enumerate(drafts):
        got = opened.next_item(ann)
        assert got is not None
        opened.submit(ann, got.item.position or 0, draft, request=str(number), fence=got.lease.fence)
    return opened


def test_verdicts_in_a_store_are_applied(out, no_generator):
    with judged(out, out / "audit" / "store.sqlite", str(out)) as store:
        result = apply(RunFolder(out), store, workers=1)
    assert (result.accepted, result.edited, result.to_candidate, result.redone) == (1, 1, 1, 3)
    assert rows(out)["02"]["caption"] == "Seen."
    assert rows(out)["02"]["origin"] == "human"
    write_rulings(rulings_place(out), [])
    assert captionless(out) == []


def test_verdicts_on_another_run_are_refused_and_nothing_is_changed(out, tmp_path, no_generator):
    other = tmp_path / "other"
    shutil.copytree(out, other)
    before = outputs(out)
    with judged(out, tmp_path / "store.sqlite", str(other)) as store:
        with pytest.raises(UserError, match=rf"{other}.* not of {out}.*--even-so"):
            apply(RunFolder(out), store, workers=1)
        assert outputs(out) == before
        assert apply(RunFolder(out), store, workers=1, even_so=True).redone == 3


@pytest.mark.parametrize("spelled", ["through a link", "with dots", "nothing"])
def test_a_run_is_known_however_its_path_is_spelled(out, tmp_path, monkeypatch, spelled):
    (tmp_path / "link").symlink_to(out)
    source = {"through a link": str(tmp_path / "link"), "with dots": f"{out}/../out", "nothing": ""}[spelled]
    monkeypatch.chdir(out.parent)
    with judged(out, tmp_path / "store.sqlite", source) as store:
        assert apply(RunFolder(Path("out")), store, workers=1).redone == 3


def says(**drafts: Draft) -> dict[str, Draft]:
    return {name.removeprefix("k"): draft for name, draft in drafts.items()}


def edit(text: str) -> Draft:
    return Draft(action="edit", text=text)


ACCEPT = Draft(action="accept")
REJECT = Draft(action="reject", reason="no")


def audited(out: Path, place: Path, drafts: dict[str, Draft]) -> AuditStore:
    """A store with the records as they stand now, on which Ann has said these things."""
    found = records(out)
    opened = create_store(place, Settings(about=About(source=str(out)).to_json()))
    sheets = {key: sheet_of(found[key]) for key in drafts}
    opened.add_items(AuditItem(key=key, payload=s.to_payload()) for key, s in sheets.items() if s)
    ann = opened.add_auditor("Ann")[0].id
    while (got := opened.next_item(ann)) is not None:
        draft, position = drafts[got.item.key], got.item.position or 0
        opened.submit(ann, position, draft, request=f"first {position}", fence=got.lease.fence)
    return opened


def revised(store: AuditStore, key: str, draft: Draft) -> int:
    """Let Ann say something else of a record, and return the verdict."""
    standing = {verdict.key: verdict for verdict in store.verdicts(standing_only=True)}[key]
    return store.submit(1, standing.item, draft, request=f"more {standing.id}", base=standing.id).verdict


FIRST = says(
    k01=ACCEPT, k02=edit("Ann saw this."), k03=REJECT, k04=edit(LONG), k09=ACCEPT, k10=edit("Ann saw that.")
)
SECOND = says(k02=ACCEPT, k03=edit("Ann saw more."), k04=ACCEPT, k10=REJECT, k11=REJECT)


@pytest.fixture
def twice(out: Path, tmp_path: Path) -> Any:
    """A run audited in its folder, and audited again in another one once that was applied."""
    with audited(out, tmp_path / "first.sqlite", FIRST) as first:
        apply(RunFolder(out), first, workers=2)
        with audited(out, tmp_path / "second.sqlite", SECOND) as second:
            yield first, second


def captions(out: Path) -> dict[str, tuple[str, str]]:
    return {key: (row["caption"], row["origin"]) for key, row in rows(out).items()}


def test_a_second_audit_is_heeded_after_the_first_and_takes_nothing_of_it_back(out, twice, no_generator):
    _, second = twice
    before = captions(out)
    found = apply(RunFolder(out), second, workers=2)
    after = captions(out)
    assert after["02"] == ("Ann saw this.", "human")
    assert after["03"] == ("Ann saw more.", "human")
    assert after["10"] not in (before["10"], ("Photo 10 of a lighthouse | Shop", "alt"))
    assert {key for key in before if after.get(key) != before[key]} == {"03", "10", "11"}
    assert (found.rulings, found.accepted, found.edited, found.stale, found.overruled) == (11, 4, 4, 0, 0)
    assert verify(RunFolder(out)).faults == ()


def test_whichever_audit_is_applied_last_or_again_the_bytes_are_the_same(out, finished, twice, no_generator):
    first, second = twice
    apply(RunFolder(out), second, workers=2)
    expected = outputs(out)
    for store in (first, second):
        assert apply(RunFolder(out), store, workers=2).redone == 0
        assert outputs(out) == expected
    rulings_place(out).unlink()
    for store in (second, first):
        apply(RunFolder(out), store, workers=2)
    assert outputs(out) == expected
    assert captioned(finished / "images", out).redone == 0
    assert outputs(out) == expected


def test_what_is_said_and_taken_back_in_one_audit_leaves_the_other(out, twice, no_generator):
    first, second = twice
    apply(RunFolder(out), second, workers=2)
    expected = captions(out)
    verdict = revised(first, "02", REJECT)
    found = apply(RunFolder(out), first, workers=2)
    assert (found.stale, captions(out)["02"][1], captions(out)["03"][0]) == (1, "model", "Ann saw more.")
    first.undo(1, request="back", verdict=verdict)
    assert apply(RunFolder(out), first, workers=2).stale == 0
    assert captions(out) == expected
    before = outputs(out)
    for store in (second, first):
        assert apply(RunFolder(out), store, workers=2).redone == 0
        assert outputs(out) == before


def test_older_rulings_that_name_no_audit_are_replaced_by_their_own_alone(out, twice, no_generator):
    first, second = twice
    lying = [ruling for several in read_rulings(rulings_place(out)).values() for ruling in several]
    assert {ruling.audit for ruling in lying} == {first.created_ms}
    apply(RunFolder(out), second, workers=2)
    expected = outputs(out)
    write_rulings(rulings_place(out), [replace(ruling, audit=0, picture="") for ruling in lying])
    found = apply(RunFolder(out), second, workers=2)
    assert (found.rulings, found.stale, captions(out)["02"][0]) == (11, 0, "Ann saw this.")
    assert apply(RunFolder(out), first, workers=2).rulings == 11
    assert outputs(out) == expected


def test_a_damaged_file_is_not_written_over_by_one_of_several_audits(out, twice):
    rulings_place(out).write_bytes(b"{")
    before = outputs(out)
    with pytest.raises(RunFolderError, match="every audit of it again"):
        apply(RunFolder(out), twice[1], workers=2)
    assert outputs(out) == before


@pytest.fixture
def replaced(finished: Path) -> Any:
    """Puts another picture under the key of one, until the test has ended."""
    kept: list[tuple[Path, bytes, os.stat_result]] = []

    def replace_it(key: str) -> None:
        path = finished / "images" / f"{key}.png"
        kept.append((path, path.read_bytes(), path.stat()))
        Image.new("RGB", (48, 48), "yellow").save(path)

    def restore() -> None:
        while kept:
            path, data, stat = kept.pop()
            path.write_bytes(data)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    yield replace_it, restore
    restore()


def test_on_a_picture_that_was_replaced_nobody_has_spoken(out, finished, tmp_path, replaced):
    replace_it, restore = replaced
    untouched = captioned(finished / "images", out).stats
    said = says(k01=edit("Red."), k02=ACCEPT, k03=REJECT, k04=edit("Blue."))
    with audited(out, tmp_path / "store.sqlite", said) as store:
        apply(RunFolder(out), store, workers=2)
        rejected = captions(out)["03"]
        for key in ("01", "02", "03"):
            replace_it(key)
        summary = captioned(finished / "images", out)
        assert summary.stats["audit"] == {"edited": 1, "stale": 3}
        assert summary.stats["flags"]["stale_verdict"] == 3
        assert "stale_verdict" not in untouched["flags"]
        found = captions(out)
        assert {key: origin for key, (_, origin) in found.items() if origin == "human"} == {"04": "human"}
        flag = next(c.flags["stale_verdict"] for c in records(out)["01"].captions if "stale_verdict" in c.flags)
        assert flag.endswith("was edited by Ann (1 of 1) beside another picture")
        again = apply(RunFolder(out), store, workers=2)
        assert (again.stale, again.edited, again.redone) == (3, 1, 0)
        revised(store, "01", edit("Yellow."))  # by now she has seen the other one
        assert apply(RunFolder(out), store, workers=2).stale == 2
        assert captions(out)["01"] == ("Yellow.", "human")
    restore()
    assert captioned(finished / "images", out).stats["audit"]["stale"] == 1
    assert captions(out)["03"] == rejected


def test_pictures_are_read_once_and_only_those_ruled_on(out, tmp_path, monkeypatch, no_generator):
    asked: list[str] = []

    def read(image: Any, max_bytes: int) -> bytes:
        asked.append(Path(image.path).stem)
        return read_bytes(image, max_bytes)

    monkeypatch.setattr(audit_applying, "read_bytes", read)
    said = says(k01=ACCEPT, k02=edit("Seen."), k03=REJECT)
    with audited(out, tmp_path / "store.sqlite", said) as store:
        apply(RunFolder(out), store, workers=2)
        assert sorted(asked) == ["01", "02", "03"]
        apply(RunFolder(out), store, workers=2)
        assert len(asked) == 3


def captionless(out: Path) -> list[str]:
    return [key for key, row in rows(out).items() if not row["caption"]]
