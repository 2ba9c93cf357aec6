"""The command line as a user has it: a process, its exit code, what it prints, what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from benchmarks.kill_resume import PLUGIN, logged, outputs
from tests.servers.plans import Plan
from tests.servers.running import server_process
from tests.servers.warm import Done, Warm

FORMATS = ("parquet", "jsonl", "sidecar", "webdataset", "imagefolder", "coco")
TEXTS = [
    "A red bicycle by the wall | Shop",
    "IMG_2041.JPG",
    "Teh old lighthouse of Dover!!! buy now",
    "",
    "海边的一只狗",
]


@cache
def _warm() -> Warm:
    return Warm(PYTHONPATH=str(PLUGIN), COLUMNS="200")


def recaption(*arguments: object, cwd: Path | None = None, code: int = 0, fresh: bool = False) -> str:
    """Run the command line, check its exit code, and return all it printed.

    Args:
        fresh: In a process that nothing was loaded in before, which sees the environment as it is now.
    """
    given = [str(argument) for argument in arguments]
    done = _fresh(given, cwd) if fresh else _warm().run(*given, cwd=cwd)
    assert done.code == code, done.out + done.err
    assert "Traceback" not in done.err
    return done.out + done.err


def _fresh(arguments: list[str], cwd: Path | None) -> Done:
    command = [sys.executable, "-m", "recaption", *arguments]
    env = {**os.environ, "PYTHONPATH": str(PLUGIN), "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env)
    return Done(done.returncode, done.stdout, done.stderr)


def add_images(folder: Path, numbers: range) -> None:
    folder.mkdir(exist_ok=True)
    for i in numbers:
        coarse = np.random.default_rng(i).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((48, 32)).save(folder / f"photo{i:02d}.png")
        if TEXTS[i % 5]:
            (folder / f"photo{i:02d}.txt").write_text(TEXTS[i % 5], encoding="utf-8")


@pytest.fixture
def images(tmp_path) -> Path:
    folder = tmp_path / "images"
    add_images(folder, range(10))
    return folder


def rows(out: Path) -> list[dict[str, Any]]:
    return [
        row for path in sorted((out / "captions").glob("*.parquet")) for row in pq.read_table(path).to_pylist()
    ]


def test_a_run_gives_captions_beside_the_originals(images, tmp_path):
    out = tmp_path / "out"
    printed = recaption("run", images, out)
    table = rows(out)
    assert [r["key"] for r in table] == [f"photo{i:02d}" for i in range(10)]
    assert [r["original_caption"] for r in table] == [TEXTS[i % 5] or None for i in range(10)]
    assert all(r["caption"] for r in table)
    first = table[0]
    assert first["caption"].startswith("A red bicycle by the wall")
    assert "Shop" not in first["caption"]
    assert {"text", "origin", "aspect", "kept", "scores", "flags", "provenance"} <= set(first["captions"][0])
    assert json.loads((out / "run.json").read_text())["counts"]["kept"] == 10
    assert "10 of 10" in printed
    assert "folder" in printed  # what was detected is said


def test_a_second_run_does_nothing_and_says_so(images, tmp_path):
    out = tmp_path / "out"
    recaption("run", images, out)
    before = outputs(out)
    printed = recaption("run", images, out)
    assert "10 were done before" in printed
    assert "calls made: 0" in printed
    assert outputs(out) == before


@pytest.mark.parametrize(
    ("change", "paid"),
    [
        (["--set", "select.prefer=[{origin: alt}]"], 0),
        pytest.param(["--set", "fit.budget=words", "--set", "fit.limit=5"], 0, marks=pytest.mark.slow),
        pytest.param(["--set", "normalise.rules.urls=false"], 0, marks=pytest.mark.slow),
        pytest.param(["--seed", "7"], 0, marks=pytest.mark.slow),
    ],
    ids=["last stage", "budget", "one rule", "seed"],
)
def test_a_change_further_down_pays_for_no_call_again(images, tmp_path, change, paid):
    out, log = tmp_path / "out", tmp_path / "calls.log"
    counting = ["--expert", "counting", "--set", f"gather.experts.counting.log={log}"]
    recaption("run", images, out, *counting)
    assert len(logged(log)) == 10
    recaption("run", images, out, *counting, *change)
    assert len(logged(log)) == 10 + paid
    add_images(images, range(10, 13))
    recaption("run", images, out, *counting, *change)
    assert len(logged(log)) == 13 + paid
    assert len(rows(out)) == 13


@pytest.mark.slow
def test_where_neighbours_are_compared_the_batch_size_belongs_to_the_run(images, tmp_path):
    recipe = tmp_path / "compared.yaml"
    recipe.write_text("stages: [{caption: {captioner: scripted}}, check, {select: {prefer: [{}]}}]\n")
    for name, size in (("one", "4"), ("two", "4"), ("three", "8")):
        recaption("run", images, tmp_path / name, "--recipe", recipe, "--batch-size", size)
    about = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("one", "two", "three")]
    assert [each["batch_size"] for each in about] == [4, 4, 8]
    markers = [(tmp_path / name / "shards" / "00000.json").read_text() for name in ("one", "two", "three")]
    assert markers[0] == markers[1]
    work = [json.loads(marker)["work_digest"] for marker in markers]
    assert work[0] == work[1] != work[2]
    recaption("run", images, tmp_path / "plain", "--batch-size", "4")
    assert "batch_size" not in json.loads((tmp_path / "plain" / "run.json").read_text())


def test_what_cannot_be_read_is_rejected_with_a_reason_and_can_be_retried(images, tmp_path):
    out = tmp_path / "out"
    torn = images / "photo03.png"
    whole = torn.read_bytes()
    torn.write_bytes(whole[: len(whole) // 2])
    (images / "photo04.png").write_bytes(b"<html>404</html>")
    printed = recaption("run", images, out, "--max-failed", "0.1", code=3)
    assert "8 of 10" in printed
    assert "2 of 10 records failed" in printed
    rejects = pq.read_table(out / "rejects" / "00000.parquet").to_pylist()
    assert [(r["key"], r["stage"], r["kind"]) for r in rejects] == [
        ("photo03", "gather", "failed"),
        ("photo04", "gather", "failed"),
    ]
    assert all(r["reason"] for r in rejects)
    assert "sound" in recaption("verify", out)
    assert "photo03: failed at stage 'gather'" in recaption("explain", out, "photo03")
    torn.write_bytes(whole)
    recaption("run", images, out, "--max-failed", "0.1")
    assert len(rows(out)) == 9


@pytest.mark.slow
def test_retry_does_again_what_may_be_retried_and_nothing_else(images, tmp_path):
    table = tmp_path / "table.csv"
    lines = [f"{i},images/photo{i:02d}.png,Photo number {i} of a lighthouse" for i in range(10)]
    table.write_text("\n".join(["key,image_path,caption", *lines, "late,images/late.png,Comes later"]) + "\n")
    out, log = tmp_path / "out", tmp_path / "calls.log"
    counting = ["--expert", "counting", "--set", f"gather.experts.counting.log={log}"]
    printed = recaption("run", table, out, *counting)
    assert "1 may be tried again" in printed
    add_images(images, range(42, 43))
    (images / "photo42.png").rename(images / "late.png")
    recaption("retry", out)
    assert [r["key"] for r in rows(out)] == [*map(str, range(10)), "late"]
    assert len(logged(log)) == 11
    assert "sound" in recaption("verify", out)


def test_explain_tells_the_whole_chain(images, tmp_path):
    out = tmp_path / "out"
    recaption("run", images, out)
    told = recaption("explain", out, "photo02")
    assert "came with the data" in told
    assert "Teh old lighthouse of Dover!!! buy now" in told
    assert "by normalise from" in told
    assert "chosen" in told
    assert "photo02" in recaption("explain", out, "photo2", code=2)


def test_verify_finds_damage(images, tmp_path):
    out = tmp_path / "out"
    recaption("run", images, out)
    path = out / "captions" / "00000.parquet"
    path.write_bytes(path.read_bytes()[:-7])
    assert "digest differs" in recaption("verify", out, code=3)


def test_a_dry_run_writes_nothing(images, tmp_path):
    printed = recaption("run", images, tmp_path / "out", "--dry-run")
    assert "10 items" in printed
    assert "at most 10 expert calls" in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "rule"], "Did you mean 'rules'"),
        (["--set", "fit.budgit=clip77"], "Did you mean 'budget'"),
        (["--set", "fit.budget=clip7"], "clip77"),
        (["--expert", "ocrr"], "ocr"),
        (["--format", "foldr"], "folder"),
        (["--set", "nonsense"], "NAME=VALUE"),
        (["--limit", "0"], "limit"),
    ],
)
def test_wrong_use_is_one_clear_message_and_exit_code_2(images, tmp_path, arguments, message):
    printed = recaption("run", images, tmp_path / "out", *arguments, code=2)
    assert message in printed
    assert not (tmp_path / "out" / "captions").exists() or not rows(tmp_path / "out")


def test_an_input_that_is_not_there_is_said(tmp_path):
    assert "nowhere" in recaption("run", tmp_path / "nowhere", tmp_path / "out", code=2)


def test_an_empty_input_is_not_a_success(tmp_path):
    (tmp_path / "empty").mkdir()
    recaption("run", tmp_path / "empty", tmp_path / "out", code=2)


@pytest.mark.slow
def test_a_limit_and_two_shard_sizes_give_the_same_captions(images, tmp_path):
    recaption("run", images, tmp_path / "one", "--limit", "7", "--shard-size", "3", "--batch-size", "2")
    recaption("run", images, tmp_path / "two", "--limit", "7", "--shard-size", "5", "--workers", "3")
    assert len(rows(tmp_path / "one")) == 7
    assert rows(tmp_path / "one") == rows(tmp_path / "two")


@pytest.mark.slow
def test_a_smaller_input_leaves_no_stale_shard(images, tmp_path):
    recaption("run", images, tmp_path / "out", "--shard-size", "3")
    assert "without --limit" in recaption("run", images, tmp_path / "out", "--limit", "4", code=2)
    assert len(rows(tmp_path / "out")) == 10
    for i in range(4, 10):
        (images / f"photo{i:02d}.png").unlink()
        (images / f"photo{i:02d}.txt").unlink(missing_ok=True)
    recaption("run", images, tmp_path / "out", "--shard-size", "3")
    assert len(rows(tmp_path / "out")) == 4
    assert "sound" in recaption("verify", tmp_path / "out")


@pytest.mark.slow
def test_a_run_folder_is_an_input_too(images, tmp_path):
    recaption("run", images, tmp_path / "one")
    recaption("run", tmp_path / "one", tmp_path / "two", "--recipe", "text")
    assert [r["original_caption"] for r in rows(tmp_path / "two")] == [TEXTS[i % 5] or None for i in range(10)]


@pytest.mark.slow
def test_shards_without_any_good_record_lose_nothing(tmp_path):
    table = tmp_path / "table.jsonl"
    good = [json.dumps({"key": f"k{i}", "text": f"A lighthouse, number {i}"}) for i in range(6)]
    table.write_text("\n".join(["{bad json", "{bad too", *good[:3], "{bad", "{bad", "{bad", *good[3:]]) + "\n")
    out = tmp_path / "out"
    for _ in range(2):  # the second time, the first shard without work is not the first of all
        printed = recaption("run", table, out, "--recipe", "text", "--shard-size", "2", "--max-failed", "1")
        assert "6 of 11 records captioned" in printed
        assert [r["key"] for r in rows(out)] == [f"k{i}" for i in range(6)]
        assert "11 items = 6 kept + 0 dropped + 5 failed" in recaption("verify", out)


@pytest.mark.slow
def test_retry_keeps_a_record_whose_key_stands_twice(images, tmp_path):
    table, out = tmp_path / "table.csv", tmp_path / "out"
    lines = [("a", "photo00"), ("b", "photo01"), ("a", "photo02"), ("late", "late")]
    table.write_text("key,image_path,caption\n" + "".join(f"{k},images/{n}.png,A house\n" for k, n in lines))
    recaption("run", table, out, "--max-failed", "1")
    recaption("retry", out, "--max-failed", "1")
    assert [r["key"] for r in rows(out)] == ["a", "b"]
    (images / "photo03.png").rename(images / "late.png")
    recaption("retry", out, "--max-failed", "1")
    assert [r["key"] for r in rows(out)] == ["a", "b", "late"]


@pytest.mark.slow
def test_the_output_is_never_the_input(images, tmp_path):
    out = tmp_path / "out"
    recaption("run", images, out)
    before = outputs(out)
    assert "lies in the output" in recaption("run", out, out, code=2)
    assert "lies in the output" in recaption("run", out / "captions", out, code=2)
    assert outputs(out) == before


@pytest.mark.slow
def test_a_finished_folder_is_not_given_to_another_input(images, tmp_path):
    out = tmp_path / "out"
    recaption("run", images, out)
    before = outputs(out)
    (tmp_path / "others").mkdir()
    assert "no records" in recaption("run", tmp_path / "others", out, code=2) or outputs(out) == before
    add_images(tmp_path / "others", range(2))
    assert "holds captions of" in recaption("run", tmp_path / "others", out, code=2)
    assert outputs(out) == before


def test_an_unfinished_run_is_neither_exported_nor_read(images, tmp_path):
    out = tmp_path / "out"
    recaption("run", images, out)
    about = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**about, "complete": False}))
    assert "has not ended" in recaption("export", out, tmp_path / "x.jsonl", code=2)
    assert "has not ended" in recaption("run", out, tmp_path / "two", code=2)


def hear_interrupts() -> None:
    """A shell that runs the tests in the background has its children ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_says_so_and_goes_on_later(images, tmp_path, signal_number):
    out, log = tmp_path / "out", tmp_path / "calls.log"
    slow = [f"gather.experts.counting.log={log}", "gather.experts.counting.delay_s=0.2"]
    arguments = ["run", images, out, "--batch-size", "1", "--workers", "1", "--expert", "counting"]
    arguments += [part for setting in slow for part in ("--set", setting)]
    process = subprocess.Popen(
        [sys.executable, "-m", "recaption", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(PLUGIN)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )
    while not logged(log):
        assert process.poll() is None
    process.send_signal(signal_number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on where it stopped" in told
    assert "Traceback" not in told
    recaption(*arguments)
    assert len(rows(out)) == 10
    assert len(logged(log)) == 10


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["hang", "503"])
def test_an_interrupted_run_does_not_wait_for_a_server(images, tmp_path, mode):
    plan = Plan(rates={mode: 1.0}, hang_s=300)
    out = tmp_path / "out"
    with server_process(plan, tmp_path / "server.log") as server:
        arguments = ["run", images, out, "--recipe", "server", "--captioner", f"{server.url}/v1#m"]
        process = subprocess.Popen(
            [sys.executable, "-m", "recaption", *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=hear_interrupts,
        )
        while not server.stats()["calls"]:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "go on where it stopped" in told
        assert "Traceback" not in told
        server.control(plan=Plan())
        assert "10 of 10 records" in recaption(*arguments)


def test_what_a_terminal_would_obey_is_shown_harmless(tmp_path):
    table = tmp_path / "table.jsonl"
    table.write_text(json.dumps({"im\x1b[31mg": "x", "text": "a \x1b]0;owned\x07 dog :warning:"}) + "\n")
    told = recaption("run", table, tmp_path / "out", "--caption-column", "zzz", code=2)
    told += recaption("run", table, tmp_path / "out", "--recipe", "text")
    assert "\x1b" not in told
    assert "\x07" not in told


def test_a_path_no_file_can_have_is_one_reject(tmp_path):
    table = tmp_path / "table.jsonl"
    lines = [
        {"key": "a", "image_path": "x\ud800.png", "text": "one"},
        {"key": "b", "text": "A dog on the beach"},
    ]
    table.write_text("\n".join(map(json.dumps, lines)) + "\n")
    assert "1 of 2 records" in recaption("run", table, tmp_path / "out", "--max-failed", "1")


def test_an_output_that_cannot_be_written_is_said(images, tmp_path):
    (tmp_path / "file").write_text("x")
    assert "cannot make" in recaption("run", images, tmp_path / "file", code=2)
    assert "recaption:" in recaption("run", images, "/proc/nowhere/out", code=2)


@pytest.mark.slow
def test_exported_sidecars_keep_the_originals_and_are_not_taken_for_them(images, tmp_path):
    out, pixels = tmp_path / "out", "pixel"
    recaption("run", images, out)
    before = [r["original_caption"] for r in rows(out)]
    recaption("export", out, images, "--format", "sidecar", "--set", "mode=overwrite")
    recaption("run", images, tmp_path / "again")
    found = rows(tmp_path / "again")
    assert [r["original_caption"] for r in found if before[found.index(r)]] == [t for t in before if t]
    recaption("run", out, tmp_path / "third")
    facts = [sum(e["kind"] == pixels for e in r["evidence"]) for r in rows(out)]
    assert [sum(e["kind"] == pixels for e in r["evidence"]) for r in rows(tmp_path / "third")] == facts


@pytest.mark.slow
def test_a_text_in_a_lost_encoding_does_not_stand_for_its_image(images, tmp_path):
    (images / "photo00.txt").write_bytes("Café de Zürich am See".encode("latin-1"))
    recaption("run", images, tmp_path / "out")
    assert "\ufffd" not in rows(tmp_path / "out")[0]["caption"]


@pytest.mark.slow
def test_retry_says_when_there_is_nothing_to_retry(images, tmp_path):
    recaption("run", images, tmp_path / "out")
    assert "nothing to retry" in recaption("retry", tmp_path / "out")


@pytest.mark.parametrize(
    "format",
    ["jsonl", *(pytest.param(f, marks=pytest.mark.slow) for f in FORMATS if f != "jsonl")],
)
def test_every_format_is_exported(images, tmp_path, format):
    recaption("run", images, tmp_path / "out")
    suffix = {"parquet": ".parquet", "jsonl": ".jsonl", "coco": ".json"}.get(format, "")
    target = tmp_path / f"exported{suffix}"
    assert "written: 10" in recaption("export", tmp_path / "out", target, "--format", format)
    assert target.exists()


@pytest.mark.slow
def test_recipes_are_listed_and_shown(tmp_path):
    assert "rules" in recaption("recipes")
    shown = recaption("recipes", "rules")
    (tmp_path / "copy.yaml").write_text(shown)
    assert recaption("recipes", tmp_path / "copy.yaml")


def test_doctor_names_every_library():
    printed = recaption("doctor", "--recipe", "rules")
    assert "pyarrow" in printed
    assert "recipe rules: ready" in printed


@pytest.mark.slow
def test_doctor_says_which_models_are_here_and_how_to_get_the_rest(tmp_path, monkeypatch):
    snapshot = tmp_path / "hub" / "models--acme--tiny" / "snapshots" / ("a1" * 20)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text('{"model_type": "blip-2"}')
    (snapshot / "model.safetensors").write_bytes(bytes(2_500_000))
    refs = tmp_path / "hub" / "models--acme--tiny" / "refs"
    refs.mkdir()
    (refs / "main").write_text("a1" * 20)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    printed = recaption("doctor", fresh=True)
    assert "blip-2, 2.5 MB, a1a1a1a1" in printed
    assert "hf download Salesforce/blip2-opt-2.7b" in printed
    assert "embedded dual_encoder" in printed
    assert "models run on " in printed
    told = recaption("doctor", "--recipe", "blip2", code=2, fresh=True)
    assert "hf download Salesforce/blip2-opt-2.7b" in told


def test_version():
    assert recaption("--version").startswith("recaption ")


def test_help_is_quick_because_nothing_heavy_is_imported():
    code = "import sys, recaption.cli; print(sorted({'numpy', 'pyarrow', 'PIL', 'ftfy', 'yaml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


MODEL_RECIPE = """
stages:
  - caption: {captioner: scripted, n: 3, temperature: 1.0, canary: false}
  - select: {prefer: [{origin: model}]}
  - mark_for_audit: {share: 1}
"""


def test_a_plan_says_what_a_run_would_cost_and_writes_nothing(images, tmp_path):
    recipe, out = tmp_path / "mine.yaml", tmp_path / "out"
    recipe.write_text(MODEL_RECIPE)
    printed = recaption("plan", images, out, "--recipe", recipe, "--rate", "5")
    assert "10 items, 10 with an image" in printed
    assert "at most 10 requests" in printed
    assert "time: about 2 s, at the 5 images a second given" in printed
    assert "disk: at most" in printed
    assert "cost" not in printed  # nobody is paid
    assert not out.exists()
    recaption("run", images, out, "--recipe", recipe)
    again = recaption("plan", images, out, "--recipe", recipe, "--price-in", "1", "--price-out", "1")
    assert "at most 0 requests" in again
    assert "cost: at most 0.00" in again
    assert "at most 0 requests" in recaption("run", images, out, "--recipe", recipe, "--dry-run")


def test_marks_for_audit_are_counted_explained_and_exported(images, tmp_path):
    recipe, out = tmp_path / "mine.yaml", tmp_path / "out"
    recipe.write_text(MODEL_RECIPE)
    assert "10 marked for audit" in recaption("run", images, out, "--recipe", recipe)
    flags = [{f["name"]: f["reason"] for c in row["captions"] for f in c["flags"]} for row in rows(out)]
    assert [f["audit"] for f in flags] == ["drawn, 100 % of all"] * 10
    assert "flag audit: drawn, 100 % of all" in recaption("explain", out, "photo02")
    recaption("export", out, tmp_path / "x.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert all(any("audit" in c["flags"] for c in line["captions"]) for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--captioner", "scripted"], "--captioner: the recipe 'rules' has no stage `caption`"),
        (["--scorer", "embedded"], "--scorer: the recipe 'rules' has no stage `score`"),
    ],
)
def test_a_model_for_a_recipe_without_one_is_an_error(images, tmp_path, arguments, message):
    assert message in recaption("run", images, tmp_path / "out", *arguments, code=2)
    assert message in recaption("plan", images, *arguments, code=2)


@pytest.mark.slow
def test_the_captioner_is_named_on_the_command_line(images, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(MODEL_RECIPE.replace("captioner: scripted", "captioner: {scripted: {behaviour: empty}}"))
    recaption("run", images, tmp_path / "out", "--recipe", recipe, "--captioner", "scripted")
    assert all(row["origin"] == "model" for row in rows(tmp_path / "out"))
    told = recaption("run", images, tmp_path / "two", "--recipe", recipe, "--captioner", "scriptd", code=2)
    assert "Did you mean 'scripted'" in told


@pytest.mark.slow
def test_a_budget_stops_the_run_where_it_can_go_on(images, tmp_path):
    recipe, out = tmp_path / "mine.yaml", tmp_path / "out"
    recipe.write_text(MODEL_RECIPE)
    arguments = ["run", images, out, "--recipe", recipe, "--batch-size", "2", "--workers", "1"]
    told = recaption(*arguments, "--max-requests", "4", code=2)
    assert "the budget is spent: 4 of 4 requests" in told
    assert "run the same command again to go on" in told
    assert "the budget is spent" in recaption(*arguments, "--max-requests", "4", code=2)
    told = recaption(*arguments, "--max-requests", "10")
    assert "10 of 10" in told
    assert "10 requests" in told  # what was spent in all, over three runs
    assert "no captioner" in recaption("run", images, tmp_path / "two", "--max-requests", "4", code=2)
    told = recaption("run", images, tmp_path / "two", "--recipe", "server", "--max-cost", "4", code=2)
    assert "no price is known" in told


@pytest.mark.slow
def test_model_recipes_run_with_models_named_on_the_command_line(images, tmp_path):
    arguments = ["--captioner", "scripted", "--scorer", "repetition", "--set", "caption.canary=false"]
    told = recaption("run", images, tmp_path / "out", "--recipe", "hybrid", *arguments)
    assert "10 of 10" in told
    assert "model, dense" in told
    told = recaption("explain", tmp_path / "out", "photo01")
    assert "rank 1 of" in told
    assert "flag not_selected" in told


@pytest.mark.slow
def test_the_embedded_models_say_what_they_know_and_libraries_keep_quiet(images, tmp_path):
    told = recaption(
        "run", images, tmp_path / "out", "--recipe", "hybrid", "--limit", "2", "--batch-size", "2", fresh=True
    )
    assert "note: the embedded models know the demo's drawn scenes only" in told
    assert "name yours: --captioner, --scorer" in told
    assert "transformers]" not in told
    assert "of the 2 that a model wrote for" in told or "it stays for all 2" in told
    assert "note: the embedded" not in recaption("run", images, tmp_path / "rules", "--limit", "2")
