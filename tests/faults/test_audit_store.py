"""Many auditors in processes of their own, killed at any moment: nothing acknowledged is lost, every item is judged
by exactly as many as were asked for, nobody waits for ever."""

import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from recaption.audit.schema import leases, verdicts
from tests.servers.audit_stores import ENGINES, Place, engine_url, fill, place_in, troubles

OVERLAP = 3
ROOT = Path(__file__).parents[2]


@dataclass
class Crew:
    """The workers of one test. A killed one is replaced by another that goes on as the same auditor."""

    place: Place
    people: list[int]
    acknowledged: Path
    seeds: random.Random

    def __post_init__(self) -> None:
        self.at_work = {auditor: self.start(auditor) for auditor in self.people}

    def start(self, auditor: int) -> subprocess.Popen[str]:
        plan = {
            "place": str(self.place.where),
            "project": self.place.project,
            "auditor": auditor,
            "seed": self.seeds.getrandbits(40),
            "acknowledged": str(self.acknowledged),
        }
        command = [sys.executable, "-m", "tests.faults.audit_worker", json.dumps(plan)]
        return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)

    def kill(self, auditor: int) -> bool:
        """Kill a worker without warning and start another; False where it had finished."""
        worker = self.at_work[auditor]
        if worker.poll() is not None:
            return False
        worker.kill()
        worker.communicate()
        self.at_work[auditor] = self.start(auditor)
        return True

    def end(self, timeout_s: float) -> list[str]:
        """Wait for all; return what those that failed said."""
        end = time.monotonic() + timeout_s
        failed = []
        for worker in self.at_work.values():
            _, words = worker.communicate(timeout=max(0.1, end - time.monotonic()))
            if worker.returncode:
                failed.append(words[-2000:])
        return failed

    def clear(self) -> None:
        for worker in self.at_work.values():
            if worker.poll() is None:
                worker.kill()
            worker.communicate()


def campaign(
    place: Place, folder: Path, *, people: int, items: int, kills: int, lease_s: float, limit_s: float
):
    """Run one campaign and check every promise; return the figures."""
    store = place.create(overlap=OVERLAP, lease_s=lease_s)
    auditors = fill(store, items, people)
    begin = time.monotonic()
    crew = Crew(place, auditors, folder / "acknowledged", random.Random(5))
    killed = 0
    try:
        while killed < kills:
            before = store.progress()
            assert time.monotonic() - begin < limit_s, f"stuck: {before}"
            if before.finished == before.items:
                break
            # One kill for every so much of the work, whatever the speed of the machine.
            if before.done >= before.slots * (killed + 0.5) / (kills + 1):
                killed += crew.kill(crew.seeds.choice(auditors))
            time.sleep(0.01)
        failed = crew.end(limit_s - (time.monotonic() - begin))
    finally:
        crew.clear()
    assert failed == []
    seconds = time.monotonic() - begin
    acknowledged = [tuple(map(int, line.split())) for line in crew.acknowledged.read_text().splitlines()]
    log = {v.id: v for v in store.verdicts()}
    lost = [(number, item) for number, item in acknowledged if number not in log or log[number].item != item]
    judges: dict[int, set[str]] = {}
    standing = [v for v in log.values() if v.standing and v.draft.action != "skip"]
    for verdict in standing:
        judges.setdefault(verdict.item, set()).add(verdict.auditor)
    assert lost == []
    assert len(standing) == items * OVERLAP  # with the next line: nobody said two things
    assert {item: len(names) for item, names in judges.items()} == dict.fromkeys(range(items), OVERLAP)
    assert troubles(store) == []
    with store._database.reading() as connection:
        expired = len(connection.execute(select(leases.c.id).where(leases.c.ended == "expired")).all())
        requests = connection.execute(select(verdicts.c.auditor, verdicts.c.request)).all()
    assert len(requests) == len(set(requests))
    store.close()
    return {
        "acknowledged": len(acknowledged),
        "lost": len(lost),
        "rows in the log": len(log),
        "kills": killed,
        "leases that ran out": expired,
        "seconds": round(seconds, 1),
    }


@pytest.fixture
def place(request, tmp_path):
    with engine_url(request.param) as url:
        yield place_in(url, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", ENGINES, indirect=True)
def test_auditors_that_are_killed(place, tmp_path):
    items, kills = 40, 4
    figures = campaign(place, tmp_path, people=5, items=items, kills=kills, lease_s=1.0, limit_s=280)
    print(figures)
    assert figures["kills"] == kills
    assert figures["leases that ran out"] >= 1
    assert figures["acknowledged"] >= items * OVERLAP - kills
