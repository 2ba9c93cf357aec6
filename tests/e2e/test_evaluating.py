"""`eval`, `report` and `compare` as a user has them: what they print, leave behind, pay for and refuse."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from recaption.demo.dataset import write_demo
from recaption.models.preference import pinned
from recaption.models.preference_head import TRAITS, Head
from recaption.recipes.backends import backend
from tests.e2e.test_cli import hear_interrupts, recaption
from tests.servers.plans import Plan
from tests.servers.running import serving

FIVE_WORDS = ["--set", "fit.budget=words", "--set", "fit.limit=5"]
TEXTS_ONLY = ["--metric", "length", "--metric", "repetition", "--metric", "copying"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A run of the rules over drawn scenes with boxes."""
    folder = tmp_path_factory.mktemp("runs")
    write_demo(folder / "input", 24, 0)
    recaption("run", folder / "input", folder / "out", "--recipe", "rules")
    return folder / "out"


@pytest.fixture
def out(finished, tmp_path) -> Path:
    shutil.copytree(finished, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "captions.jsonl"
    rows = [
        {"id": str(i), "alt": f"photo {i}", "better": f"a red ball no {i} on green grass", "half": "ab"[i % 2]}
        for i in range(40)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def report(folder: Path) -> dict[str, Any]:
    said = json.loads((folder / "report.json").read_text())
    found: dict[str, Any] = said["evaluation"]
    return found


def calls(folder: Path) -> int:
    with sqlite3.connect(folder / "evaluation" / "calls.sqlite") as connection:
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])


@pytest.mark.slow
def test_a_run_is_evaluated_and_evaluated_again_without_paying_twice(out):
    printed = recaption("eval", out, "--scorer", "embedded")
    assert "new: " in printed
    assert "Recall@1, text → image" in printed
    assert "control holds" in printed
    found = report(out)
    assert found["columns"] == ["original", "new"]
    assert found["counts"] == {"read": 24, "evaluated": 24}
    assert all(control["holds"] for control in found["controls"])
    assert {skipped["metric"] for skipped in found["skipped"]} >= {"arena", "overlap"}
    page = (out / "report.html").read_text()
    assert "data:image/" in page
    paid = calls(out)
    assert paid > 24
    again = recaption("eval", out, "--scorer", "embedded")
    assert calls(out) == paid
    assert again == printed
    assert report(out) == found


@pytest.mark.slow
def test_the_run_stays_sound_and_can_go_on(out):
    recaption("eval", out, *TEXTS_ONLY)
    assert "sound" in recaption("verify", out)
    assert "24 were done before" in recaption(
        "run", out.parent / "gone" if False else report(out)["run"]["input"], out
    )


@pytest.mark.slow
def test_every_figure_of_every_item_is_in_a_table(out):
    recaption("eval", out, *TEXTS_ONLY)
    items = pq.read_table(out / "evaluation" / "items.parquet")
    assert items.num_rows == 24
    assert {"key", "words:original", "words:new"} <= set(items.column_names)


def test_any_table_with_an_old_and_a_new_column(table, tmp_path):
    target = tmp_path / "found"
    asked = ["eval", table, "--caption-column", "alt", "--key-column", "id", "--out", target, *TEXTS_ONLY]
    printed = recaption(*asked, "--new", "better", "--by", "half", "--all")
    assert "Words per text" in printed
    assert report(target)["columns"] == ["original", "better"]
    told = {row["about"]["name"]: row for row in report(target)["rows"]}
    assert told["words"]["values"]["original"]["value"] == 2
    assert told["words"]["effects"]["better"]["delta"] == 6
    # The same by names of one's own.
    recaption("eval", table, "--old", "was=alt", "--new", "is=better", "--out", target, *TEXTS_ONLY)
    assert report(target)["columns"] == ["was", "is"]
    assert (
        next(r for r in report(target)["rows"] if r["about"]["name"] == "words")["effects"]["is"]["delta"] == 6
    )


def test_one_column_alone_is_described(table, tmp_path):
    printed = recaption("eval", table, "--caption-column", "alt", "--out", tmp_path / "found", *TEXTS_ONLY)
    assert "described by itself" in printed
    assert report(tmp_path / "found")["columns"] == ["original"]


def test_a_sample_is_said_to_be_one(table, tmp_path):
    recaption("eval", table, "--caption-column", "alt", "--out", tmp_path / "f", "--sample", 10, *TEXTS_ONLY)
    assert report(tmp_path / "f")["counts"] == {"read": 40, "not in the sample": 30, "evaluated": 10}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--new", "bettr"], "Did you mean 'better'"),
        (["--new", "better", "--metric", "lenght"], "Did you mean 'length'"),
        (["--new", "better", "--fail-if", "words"], "expected NAME < NUMBER"),
        (["--new", "better", "--fail-if", "word < 1"], "Did you mean 'words'"),
        (["--new", "better", "--set", "jugded=3"], "Did you mean 'judged'"),
        (["--new", "better", "--scorer", "nobody"], "unknown scorer 'nobody'"),
        (["--new", "better", "--scorer", "repetition"], "embeds no images and texts"),
        (["--new", "better", "--scorer", "preference"], "--scorer preference=OUT/audit/preference.json"),
        (["--new", "better", "--scorer", "preference=no.json"], "Learn one with: recaption audit learn"),
        (["--new", "better", "--references", "refs"], "'refs'"),
    ],
)
def test_what_is_misspelt_is_said_with_what_was_meant(table, tmp_path, arguments, message):
    asked = ["eval", table, "--caption-column", "alt", "--out", tmp_path / "f", *TEXTS_ONLY, *arguments]
    assert message in recaption(*asked, code=2)


@pytest.mark.slow
def test_where_to_write_must_be_named_and_must_not_hold_something_else(table, tmp_path):
    assert "--out DIR" in recaption("eval", table, "--caption-column", "alt", code=2)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "holiday.jpg").write_bytes(b"x")
    said = recaption("eval", table, "--caption-column", "alt", "--out", tmp_path / "mine", code=2)
    assert "holiday.jpg" in said


def test_a_gate_fails_with_code_three_after_the_report_is_written(table, tmp_path):
    asked = ["eval", table, "--caption-column", "alt", "--new", "better", "--out", tmp_path / "f", *TEXTS_ONLY]
    recaption(*asked, "--fail-if", "words < 5")
    said = recaption(*asked, "--fail-if", "words > 5", "--fail-if", "low(words) > 7", code=3)
    assert "words > 5: 6 for better" in said
    assert "low(words)" not in said.split("--fail-if", 1)[1]
    assert (tmp_path / "f" / "report.html").is_file()


@pytest.mark.slow
def test_two_runs_are_compared_over_what_they_share(out, tmp_path):
    other = tmp_path / "other"
    recaption("run", report_input(out), other, "--recipe", "rules", *FIVE_WORDS)
    recaption("compare", out, other, "--out", tmp_path / "versus", *TEXTS_ONLY, "--all")
    found = report(tmp_path / "versus")
    assert found["columns"] == ["out", "other"]
    words = next(row for row in found["rows"] if row["about"]["name"] == "words")
    assert words["effects"]["other"]["delta"] < 0
    assert "two run folders" in recaption("compare", out, "--out", tmp_path / "x", code=2)
    table = next((other / "captions").glob("*.parquet"))
    assert "is no run folder" in recaption("compare", out, table, "--out", tmp_path / "x", code=2)
    # A run's own report is not written over by one of something else.
    assert "of that run alone" in recaption("compare", out, other, "--out", other, *TEXTS_ONLY, code=2)


def test_a_seed_below_zero_is_refused_at_once(out):
    assert "--seed" in recaption("eval", out, "--seed", "-1", code=2)
    assert "seed" in recaption("eval", out, "--set", "seed=-1", code=2)


def report_input(out: Path) -> str:
    said: str = json.loads((out / "run.json").read_text())["input"]["path"]
    return said


@pytest.mark.slow
def test_a_report_is_made_again_without_evaluating_unless_the_captions_changed(out):
    recaption("eval", out, *TEXTS_ONLY)
    (out / "report.html").unlink()
    (out / "evaluation" / "items.parquet").unlink()
    assert "report.html" in recaption("report", out)
    assert (out / "report.html").is_file()
    assert not (out / "evaluation" / "items.parquet").exists()
    recaption("run", report_input(out), out, "--recipe", "rules", *FIVE_WORDS)
    assert "have changed since they were evaluated" in recaption("report", out, code=2)


def test_a_damaged_report_is_refused_in_one_line(out):
    (out / "report.json").write_text("{")
    said = recaption("report", out, code=2)
    assert "report.json" in said


PLACES = 256
"""Of the shipped encoder's embeddings."""


def taught(file: Path) -> Path:
    """Write a head on the shipped encoder, with made-up weights: they show where such a head counts."""
    encoder = backend("scorers", "embedded", "test").build()
    n = len(TRAITS) + PLACES
    head = Head(
        encoder=pinned("embedded", encoder),
        mean=(0.0,) * n,
        scale=(1.0,) * n,
        weights=(1.0,) + (0.0,) * (n - 1),
        bias=0.0,
        verdict="better",
        against="image_text",
        scope="within images",
    )
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(head.to_bytes())
    return file


@pytest.mark.slow
def test_a_learned_preference_scores_and_says_whose_verdicts_taught_it(out, tmp_path):
    file = taught(out / "audit" / "preference.json")
    alone = recaption("eval", out, "--scorer", f"preference={file}", "--metric", "agreement")
    assert "Chance that people accept it" in alone
    assert "taught by people's verdicts on this very run" in alone
    found = report(out)
    assert found["headline"] == "pair_score.preference"
    assert "taught by people's verdicts on this very run" in found["verdict"]
    assert found["caveat"] == "by a score taught by verdicts on this run"
    assert list(found["about"]["models"]) == ["preference"]
    paid = calls(out)
    beside = ["--scorer", "embedded", "--scorer", f"preference={file}", "--metric", "agreement"]
    recaption("eval", out, *beside)
    found = report(out)
    assert found["headline"] == "cosine"
    assert {"cosine", "pair_score.preference"} <= {row["about"]["name"] for row in found["rows"]}
    assert calls(out) > paid
    (out / "audit" / "preference.json").rename(tmp_path / "elsewhere.json")
    moved = recaption(
        "eval", out, "--scorer", f"preference={tmp_path / 'elsewhere.json'}", "--metric", "agreement"
    )
    assert "on this very run" not in moved
    assert "elsewhere was learned from people's verdicts" in moved


@pytest.mark.slow
def test_an_encoder_behind_the_preference_that_chose_is_no_stranger(finished, tmp_path):
    file, out = taught(tmp_path / "heads" / "head.json"), tmp_path / "out"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "stages:\n"
        "  - normalise\n"
        f"  - score: {{scorers: {{liked: {{preference: {{file: {file}}}}}}}}}\n"
        "  - select: {prefer: [{origin: alt}], by: {liked: 1}}\n"
    )
    recaption("run", report_input(finished), out, "--recipe", recipe)
    said = recaption("eval", out, "--scorer", "embedded", "--metric", "agreement")
    assert "which rests on embedded@" in said


@pytest.mark.slow
def test_a_judge_that_is_gone_ends_with_the_code_of_a_run_and_what_it_said_is_kept(out):
    asked = ["eval", out, "--metric", "arena"]
    with serving(Plan(says="first")) as (server, url):
        judge = ["--judge", f"{url}/v1#m"]
        recaption(*asked, "--sample", 6, *judge)
        kept = calls(out)
        assert kept > 0
        server.plan(Plan(rates={"401": 1.0}))
        said = recaption(*asked, "--sample", 12, *judge, code=1)
        assert "401" in said
        assert "run the same command again to go on" in said
        assert calls(out) == kept
        server.plan(Plan(says="first"))
        before = len(server.calls)
        recaption(*asked, "--sample", 12, *judge)
        assert calls(out) > kept
        assert len(server.calls) - before == calls(out) - kept


@pytest.mark.slow
def test_copies_and_pictures_that_cannot_be_read_are_said_everywhere(tmp_path):
    write_demo(tmp_path / "input", 24, 0)
    table = tmp_path / "input" / "metadata.jsonl"
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    for i in range(4):
        shutil.copy(tmp_path / "input" / rows[i]["file_name"], tmp_path / "input" / f"copy{i}.jpg")
        rows.append({**rows[i], "file_name": f"copy{i}.jpg"})
    table.write_text("\n".join(json.dumps(row) for row in rows))
    out = tmp_path / "out"
    recaption("run", tmp_path / "input", out)
    (tmp_path / "input" / rows[10]["file_name"]).write_bytes(b"no picture")
    (tmp_path / "input" / rows[11]["file_name"]).unlink()
    said = recaption("eval", out, "--scorer", "embedded", "--metric", "retrieval")
    for place in (said, "\n".join(report(out)["limits"]), (out / "report.html").read_text()):
        assert "2 of 28 items have no image that could be read" in place
        assert "1 × No such file or directory (000011)" in place
        assert "8 of 26 items share their picture with another item" in place
    assert report(out)["counts"]["without an image that could be read"] == 2
    tables = {listing["name"]: listing for listing in report(out)["listings"]}
    assert ["No such file or directory", "1", "000011"] in tables["missing_images"]["rows"]
    assert {row[2] for row in tables["retrieval_ceiling"]["rows"]} == {"8"}


NEVER_ENDING = """
import sys, time
from recaption.cli import main
from recaption.models.hf.dual_encoder import DualEncoderScorer

plain = DualEncoderScorer.embed_images

def slow(self, records, images):
    if hasattr(self, "asked"):  # the first batch is remembered, the others never end
        time.sleep(600)
    self.asked = True
    return plain(self, records, images)

DualEncoderScorer.embed_images = slow
main()
"""


@pytest.mark.slow
def test_who_interrupts_twice_does_not_wait_and_loses_nothing(out):
    asked = ["eval", str(out), "--scorer", "embedded", "--metric", "retrieval", "--set", "batch_size=8"]
    with subprocess.Popen(
        [sys.executable, "-c", NEVER_ENDING, *asked],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    ) as process:
        try:
            assert process.stderr is not None
            wait_for(lambda: process.poll() is not None or kept(out) > 0)
            process.send_signal(signal.SIGINT)
            while "press again to stop at once" not in (line := process.stderr.readline()):
                assert line
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "stopped at once" in told
    before = calls(out)
    assert before > 0
    recaption(*asked)
    assert calls(out) > before


def kept(folder: Path) -> int:
    """Return how many calls are remembered; none before there is a ledger."""
    try:
        return calls(folder)
    except sqlite3.OperationalError:
        return 0


def wait_for(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.02)


def words_more(folder: Path, column: str) -> float:
    words = next(row for row in report(folder)["rows"] if row["about"]["name"] == "words")
    return float(words["effects"][column]["delta"])


@pytest.mark.slow
def test_the_baseline_is_the_column_that_was_named(table, finished, tmp_path):
    recaption("eval", table, "--old", "was=alt", "--new", "same=alt", "--out", tmp_path / "a", *TEXTS_ONLY)
    assert words_more(tmp_path / "a", "same") == 0
    told = recaption("eval", table, "--old", "alt", "--new", "original", "--out", tmp_path / "b", code=2)
    assert "--old makes 'alt' the original here" in told
    ours = finished / "captions"
    told = recaption("eval", ours, "--old", "chosn", "--new", "original", "--out", tmp_path / "c", code=2)
    assert "no record has 'chosn'" in told
    recaption("eval", ours, "--old", "chosen", "--new", "original", "--out", tmp_path / "d", *TEXTS_ONLY)
    assert words_more(tmp_path / "d", "original") < 0


def test_records_that_cannot_be_read_are_told_with_their_reason(tmp_path):
    rows = [{"image": "../../away.png", "alt": "a dog", "better": "a red dog"}]
    (tmp_path / "t").mkdir()
    path = tmp_path / "t" / "all.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    told = recaption("eval", path, "--old", "alt", "--new", "better", "--out", tmp_path / "o", code=2)
    assert "nothing to evaluate" in told
    assert "--image-root" in told
    path.write_text(
        "\n".join(json.dumps(row) for row in [*rows, {"image": "here.png", "alt": "a", "better": "b"}])
    )
    recaption("eval", path, "--old", "alt", "--new", "better", "--out", tmp_path / "o", *TEXTS_ONLY)
    assert any("1 records could not be read" in limit for limit in report(tmp_path / "o")["limits"])
