"""An audit as a user has it: the command, the link it prints, verdicts over HTTP, what they say and where they go."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recaption.datasets.run_folder import RunFolder
from tests.e2e.test_cli import add_images, recaption
from tests.servers.audit_page import Tab

LINK = re.compile(r"(\S+): http://127\.0\.0\.1:(\d+)/#token=(\S+)")


@contextmanager
def auditing(*arguments: object) -> Iterator[dict[str, Tab]]:
    """Run `recaption audit`, and yield a tab for every link it prints; end it as a user does."""
    command = [sys.executable, "-m", "recaption", "audit", *map(str, arguments), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        tabs: dict[str, Tab] = {}
        for line in process.stdout:
            if found := LINK.match(line):
                tab = Tab(int(found[2]))
                assert tab.enter(found[3]) == 200
                tabs[found[1]] = tab
            elif line.startswith("Ctrl+C"):
                break
        assert tabs, process.stderr.read()
        try:
            yield tabs
        finally:
            for tab in tabs.values():
                tab.close()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            assert "Traceback" not in errors


def judge(tab: Tab, words: list[dict[str, object]]) -> list[str]:
    """Say these words of the next items, and return the items' keys."""
    keys = []
    for number, word in enumerate(words):
        status, answer = tab.post("/api/next", {"beside": []})
        assert status == 200, answer
        item = answer["item"]
        keys.append(item["key"])
        said = {"request": f"r{number}-{item['fence']}", "item": item["item"], "fence": item["fence"], **word}
        status, answer = tab.post("/api/verdict", {**said, "shown": item["shown"]})
        assert status == 200, answer
    return keys


ACCEPT: dict[str, object] = {"action": "accept", "took_ms": 4000}
REJECT: dict[str, object] = {"action": "reject", "reason": "invented", "took_ms": 2500}
EDIT: dict[str, object] = {"action": "edit", "text": "A picture that a person described.", "took_ms": 9000}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    add_images(folder / "images", range(12))
    recaption("run", folder / "images", folder / "out")
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A finished run of its own; its images stay where they are."""
    out = tmp_path / "out"
    subprocess.run(["cp", "-r", str(finished / "out"), str(out)], check=True)
    return out


@pytest.mark.timeout(300)
def test_from_a_finished_run_to_verdicts_and_back(run):
    with auditing(run, "--size", "6") as tabs:
        keys = judge(tabs["me"], [ACCEPT, REJECT, EDIT, ACCEPT])
    told = recaption("audit", "quality", run, "--limit", "0.05", "--fail", code=3)
    assert "4 of 6 drawn captions judged, which speak for all 12" in told
    assert "is at most 5 % bad?" in told
    assert "why rejected: invented 1" in told
    quality = json.loads((run / "audit" / "quality.json").read_text())
    assert quality["accepted"]["wilson"]["value"] == pytest.approx(0.5)
    assert quality["accepted"]["wilson"]["low"] < 0.5 < quality["accepted"]["wilson"]["high"]
    told = recaption("audit", "apply", run)
    assert "edited: the human text stands" in told
    records = {record.key: record for record in RunFolder(run).records()}
    human = records[keys[2]].best
    assert human is not None
    assert (human.text, human.origin) == ("A picture that a person described.", "human")
    assert human.provenance.parents
    rejected = [c for c in records[keys[1]].captions if "rejected" in c.flags] if keys[1] in records else []
    assert keys[1] not in records or rejected
    assert "sound" in recaption("verify", run)
    assert "person described" in recaption("explain", run, keys[2])
    before = {p.name: p.read_bytes() for p in (run / "captions").iterdir()}
    assert "0 records done again" in recaption("audit", "apply", run)
    assert {p.name: p.read_bytes() for p in (run / "captions").iterdir()} == before


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_several_people_judge_and_their_links_are_their_own(run):
    with auditing(run, "--size", "5", "--overlap", "2", "--auditor", "Ann", "--auditor", "Bo") as tabs:
        assert judge(tabs["Ann"], [ACCEPT] * 5) == judge(tabs["Bo"], [ACCEPT] * 4 + [REJECT])
    told = recaption("audit", "quality", run)
    assert "agreement of 2 auditors on 5 items" in told
    link = LINK.match("Ann: " + recaption("audit", "invite", run, "Ann").strip())
    assert link
    assert "there are: Ann, Bo" in recaption("audit", "dismiss", run, "Cy", code=2)
    recaption("audit", "dismiss", run, "Bo")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_link_that_was_sent_stays_good_where_others_reach_the_page(run):
    with auditing(run, "--size", "5", "--auditor", "Ann"):
        pass
    sent = LINK.match("Ann: " + recaption("audit", "invite", run, "Ann").strip())
    assert sent
    command = [sys.executable, "-m", "recaption", "audit", str(run), "--port", "0", "--no-browser"]
    command += ["--allow-host", "audit.example.org"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        is_open = re.match(r"http://audit\.example\.org:(\d+) is open for Ann\n", told)
        assert is_open, told
        tab = Tab(int(is_open[1]))
        assert tab.enter(sent[3]) == 200
        tab.close()
        process.send_signal(signal.SIGINT)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_captions_are_compared_blind(run):
    with auditing(run, "--share", "1", "--compare", "2") as tabs:
        tab = tabs["me"]
        for _ in range(4):
            _, answer = tab.post("/api/next", {"beside": []})
            item = answer["item"]
            assert {frozenset(c) for c in item["captions"]} == {frozenset({"id", "text"})}
            status, answer = tab.post(
                "/api/verdict",
                {
                    "request": f"p{item['fence']}",
                    "item": item["item"],
                    "fence": item["fence"],
                    "action": "prefer",
                    "preferred": item["captions"][0]["id"],
                },
            )
            assert status == 200, answer
    told = recaption("audit", "quality", run)
    assert "4 of 10 drawn items compared blind" in told
    assert "exact sign test" in told or "no majority" in told
    assert "--limit" in recaption("audit", "quality", run, "--limit", "0.1", code=2)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_any_dataset_can_be_audited_and_answers_come_back_from_a_table(finished, tmp_path):
    place, sheet = tmp_path / "audit", tmp_path / "sheet.csv"
    assert "--out DIR" in recaption("audit", finished / "images", code=2)
    with auditing(finished / "images", "--out", place, "--size", "4"):
        pass
    told = recaption("audit", finished / "images", "--out", place, "--size", "5", code=2)
    assert "--size" in told
    assert "drawn already" in told
    recaption("audit", "export", place, sheet)
    assert len(sheet.read_text(encoding="utf-8-sig").splitlines()) >= 5
    assert "imported: 0" in recaption("audit", "import", place, sheet, "--auditor", "Di")


def test_what_is_misspelt_is_said_before_anything_is_drawn(run, tmp_path):
    told = recaption("audit", run, "--by", "orign", "--no-browser", code=2)
    assert "Did you mean 'origin'?" in told
    assert "--doubt" in recaption("audit", run, "--doubtful", "3", "--doubt", "mood", "--no-browser", code=2)
    assert "no caption has that" in recaption("audit", run, "--doubtful", "3", "--no-browser", code=2)
    assert "there is no audit" in recaption("audit", "quality", run, code=2)
    assert not (run / "audit").exists()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_page_that_cannot_open_ends_nobodys_session(run):
    with auditing(run, "--size", "5", "--auditor", "Ann") as tabs:
        port = tabs["Ann"].port
        told = recaption("audit", run, "--port", port, "--no-browser", code=2)
        assert "cannot listen" in told
        assert judge(tabs["Ann"], [ACCEPT])
    assert "is no name of a host" in recaption("audit", run, "--allow-host", "foo:bar", code=2)


def test_options_that_contradict_each_other_are_refused(run):
    assert "give one of them" in recaption("audit", run, "--share", "0.1", "--size", "5", code=2)
    assert "give both" in recaption("audit", run, "--doubt", "margin", code=2)


def test_sample_sizes_are_told_without_a_run():
    told = recaption("audit", "size", "--margin", "0.05", "--rejected", "0.01")
    assert "385 captions" in told
    assert "299 captions, none rejected" in told
