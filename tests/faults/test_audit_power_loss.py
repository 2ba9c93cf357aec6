"""The power goes while an audit is under way: whatever the disk kept, no word that was acknowledged is lost, and the
audit goes on."""

import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from recaption.audit.opening import open_store
from recaption.audit.store import AuditStore
from recaption.core.errors import RecaptionError
from tests.faults.disk import Disk, recorded, why_not_recorded
from tests.servers.audit_stores import judge, troubles

ROOT = Path(__file__).parents[2]
PLACE = "run/audit/store.sqlite"


def worked(folder: Path, *, synchronous: str = "") -> Disk:
    """Record somebody at work; `synchronous` is what SQLite is told instead of what we tell it."""
    reason = why_not_recorded()
    if reason:
        pytest.skip(reason)
    (folder / "disk").mkdir()
    said = folder / "said"
    plan = {"place": str(folder / "disk" / PLACE), "said": str(said), "synchronous": synchronous}
    command = [sys.executable, "-m", "tests.faults.power_loss_worker", json.dumps(plan)]
    return recorded(command, folder / "disk", said, cwd=ROOT)


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    return worked(tmp_path_factory.mktemp("recorded"))


def moments(disk: Disk, count: int, chance: random.Random) -> list[int]:
    """Return when the power goes, from when the store was made: at any time, and just when something was said."""
    said = [when for when, _ in disk.said]
    anytime = [chance.randint(said[0], disk.end) for _ in range(count // 2)]
    return anytime + [chance.choice(said) for _ in range(count - len(anytime))]


def lost(store: AuditStore, lines: list[str]) -> int:
    """Return how many of the words that were acknowledged are not in the log as they were said."""
    log = {v.id: [v.id, v.item, v.draft.action, v.draft.text] for v in store.verdicts()}
    return sum(log.get(word[0]) != word for word in words(lines))


def words(lines: list[str]) -> list[list[Any]]:
    return [said[1:] for said in map(json.loads, lines) if said[0] == "word"]


def goes_on(store: AuditStore, lines: list[str]) -> None:
    """Check that a store is whole, and that it can be worked with."""
    _, count, people = json.loads(lines[0])
    with store._database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    assert store.progress().items == count
    assert [person.id for person in store.auditors()] == people
    receipt = judge(store, people[1], request="after the power came back")
    assert store.verdict(receipt.verdict).standing
    assert troubles(store) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_acknowledged_word_is_lost_when_the_power_goes(disk, tmp_path):
    chance, there, acknowledged = random.Random(7), tmp_path / "after", 0
    cuts = moments(disk, 300, chance)
    for number, moment in enumerate(cuts):
        disk.lay_out(moment, chance, there)
        lines = disk.said_by(moment)
        with open_store(there / PLACE) as store:
            assert lost(store, lines) == 0, f"power cut {number}, at {moment} of {disk.end}"
            goes_on(store, lines)
        acknowledged += len(words(lines))
        shutil.rmtree(there)
    print(f"{len(cuts)} power cuts in {disk.end} deeds, none of {acknowledged} acknowledged words lost")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_the_loss_of_a_store_that_does_not_sync_is_found(tmp_path, synchronous):
    disk, chance = worked(tmp_path, synchronous=synchronous), random.Random(7)
    losses = []
    for number, moment in enumerate(moments(disk, 40, chance)):
        there = tmp_path / f"after {number}"
        disk.lay_out(moment, chance, there)
        lines = disk.said_by(moment)
        try:
            with open_store(there / PLACE) as store:
                losses.append(lost(store, lines))
        except RecaptionError:  # there is nothing left that could be opened
            losses.append(len(words(lines)))
    print(
        f"{synchronous}: {sum(map(bool, losses))} of {len(losses)} power cuts lost words, at most {max(losses)}"
    )
    assert max(losses) > 0


@pytest.mark.slow
def test_the_loss_of_a_folder_that_is_not_synced_is_found(disk, tmp_path, monkeypatch):
    """A name that nobody has synced may go, whatever was synced below it."""
    assert disk.root.syncs
    monkeypatch.setattr(disk.root, "syncs", [])
    chance, kept = random.Random(7), []
    for number in range(20):
        disk.lay_out(disk.end, chance, tmp_path / f"after {number}")
        kept.append((tmp_path / f"after {number}" / PLACE).exists())
    assert set(kept) == {True, False}
