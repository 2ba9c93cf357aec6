"""A crowd of scripted people at the page of an audit, and what must be true of the store when they are done.

They fall asleep past their leases, send the same request twice, keep two tabs open, go back, change their minds and
skip. What the server does not answer, because it was killed, they send again under the same request id, as the page
does.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recaption.audit.project import About
from recaption.audit.schema import conflicts, leases, verdicts
from recaption.audit.sheets import Sheet, ShownCaption
from recaption.audit.store import AuditStore
from recaption.audit.types import AuditItem, Draft
from tests.servers.audit_page import Gone, PageProcess, Tab
from tests.servers.audit_stores import Place, rows, troubles

__all__ = ["Crowd", "campaign", "race_edits"]

IDLE_S = 0.3
RETRY_S = 0.25
GIVE_UP_S = 120
TWO_TABS = 4
"""Every so many-th person has two tabs open, which get the same items and contradict each other."""


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How often people do what, as a share of the items that they see."""

    sleep: float = 0.01
    skip: float = 0.02
    twice: float = 0.3
    back: float = 0.03
    revise: float = 0.03


@dataclass
class Notes:
    """What the crowd remembers, to be held against the store."""

    acknowledged: list[tuple[int, int, int, str, dict[str, Any]]] = field(default_factory=list)
    """Auditor, verdict, item, request, and what was sent."""
    refused: list[tuple[int, str, str]] = field(default_factory=list)
    """Auditor, request and text of what came second."""
    sent: set[tuple[int, str]] = field(default_factory=set)
    sent_again: int = 0
    repeated: int = 0
    slept: int = 0
    failed: list[str] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)


class Window:
    """One tab of one person, at work until everything is finished."""

    def __init__(
        self, tab: Tab, auditor: int, name: str, notes: Notes, lease_s: float, alone: bool, habits: Habits
    ) -> None:
        self.tab, self.auditor, self.notes, self.lease_s, self.alone = tab, auditor, notes, lease_s, alone
        self.habits = habits
        self.random = random.Random(name)
        self._requests = (f"{name}-{n}" for n in itertools.count())

    def work(self) -> None:
        try:
            self._work()
        except Exception as error:
            self.notes.failed.append(f"auditor {self.auditor}: {type(error).__name__}: {error}")
        finally:
            self.tab.close()

    def _work(self) -> None:
        skipped = False
        while True:
            told = self._call("/api/next", {"skipped": skipped}, {200})[1]
            if told["item"] is not None:
                self._look_at(told["item"])
                skipped = False
                continue
            if told["progress"]["finished"] == told["progress"]["items"]:
                return
            skipped = not skipped
            time.sleep(IDLE_S)

    def _look_at(self, item: dict[str, Any]) -> None:
        habits = self.habits
        if self.random.random() < habits.sleep:
            self.notes.slept += 1
            time.sleep(self.lease_s * 1.5)
        if self.random.random() < habits.skip:
            self._say("/api/skip", {"fence": item["fence"], "reason": "blurred"}, item["item"])
            return
        done = self._judge(item)
        if done is None:
            return
        if self.random.random() < habits.revise:
            done = self._judge({**item, "fence": None}, base=done) or done
        if self.random.random() < habits.back:
            back = self._say("/api/undo", {"verdict": done}, item["item"])
            if back is not None and back["back"] is not None:
                self._judge(back["back"])

    def _judge(self, item: dict[str, Any], base: int | None = None) -> int | None:
        """Return the number of the verdict; None where somebody was first."""
        action = self.random.choice(("accept", "edit", "edit", "reject"))
        body = {"item": item["item"], "action": action, "shown": item["shown"], "took_ms": 5, "base": base}
        words = f"{self.auditor} says {self.random.random()} of {item['item']}"
        body["text" if action == "edit" else "note"] = words
        receipt = self._say("/api/verdict", {**body, "fence": item["fence"]}, item["item"])
        return None if receipt is None else int(receipt["verdict"])

    def _say(self, path: str, body: dict[str, Any], item: int) -> dict[str, Any] | None:
        """Write something, now and then twice; return the receipt, or None where it came second."""
        request = next(self._requests)
        body = {"request": request, **body}
        self.notes.sent.add((self.auditor, request))
        allowed = {"/api/verdict": {200, 409}, "/api/skip": {200, 410}, "/api/undo": {200}}[path]
        if not self.alone:
            allowed = allowed | {422}  # the other tab has taken it back already
        status, told = self._call(path, body, allowed)
        if status == 409:
            text = body.get("text") or body["note"]
            assert text in (told["mine"]["text"], told["mine"]["note"]), "the loser's text was not sent back"
            self.notes.refused.append((self.auditor, request, text))
        if status != 200:
            return None
        assert told["item"] == item
        self.notes.acknowledged.append((self.auditor, told["verdict"], item, request, body))
        if self.random.random() < self.habits.twice:
            again = self._call(path, body, {200})[1]
            assert (again["verdict"], again["repeated"]) == (told["verdict"], True), "it was carried out twice"
            self.notes.repeated += 1
        return told

    def _call(self, path: str, body: dict[str, Any], allowed: set[int]) -> tuple[int, dict[str, Any]]:
        """Ask until there is an answer, under the same request id."""
        end = time.monotonic() + GIVE_UP_S
        while time.monotonic() < end:
            begin = time.monotonic()
            with contextlib.suppress(Gone):
                status, told = self.tab.post(path, body)
                if status not in {500, 503}:
                    self.notes.seconds.setdefault(path, []).append(time.monotonic() - begin)
                    assert status in allowed, f"{path} {body} was answered {status} {told}"
                    return status, told
            self.notes.sent_again += 1
            time.sleep(RETRY_S)
        raise TimeoutError(f"{path} was not answered for {GIVE_UP_S} s")


class Crowd:
    """A store, its page in a process, and people who have come in by their links."""

    def __init__(self, place: Place, folder: Path, *, people: int, items: int, overlap: int, lease_s: float):
        self.store = place.create(overlap=overlap, lease_s=lease_s, about=About().to_json())
        self.store.add_items(AuditItem(key=f"key {n}", payload=_sheet(n)) for n in range(items))
        self.page = PageProcess(place, folder)
        self.lease_s, self.overlap = lease_s, overlap
        self._tabs: list[Tab] = []
        self._links = [self.store.add_auditor(f"auditor {n}") for n in range(people)]

    def tab(self, cookie: str = "") -> Tab:
        """Return another tab, which is closed at the end."""
        self._tabs.append(Tab(self.page.port, cookie))
        return self._tabs[-1]

    @contextlib.contextmanager
    def open(self) -> Iterator[list[tuple[int, Tab]]]:
        """Yield the number and the tab of each person."""
        self.page.start()
        try:
            inside = []
            for auditor, token in self._links:
                tab = self.tab()
                assert tab.enter(token) == 200
                assert self.tab().enter(token) == 401, "a link was good twice"
                inside.append((auditor.id, tab))
            yield inside
        finally:
            for tab in self._tabs:
                tab.close()
            self.page.kill()
            self.store.close()


def campaign(
    place: Place,
    folder: Path,
    *,
    people: int,
    items: int,
    kills: int,
    lease_s: float = 3.0,
    overlap: int = 3,
    limit_s: float = 3600,
    habits: Habits = Habits(),
) -> dict[str, Any]:
    """Let a crowd work and kill the server again and again; check every promise and return the figures."""
    crowd = Crowd(place, folder, people=people, items=items, overlap=overlap, lease_s=lease_s)
    notes, chance, killed = Notes(), random.Random(3), 0
    with crowd.open() as inside:
        windows = []
        for n, (auditor, tab) in enumerate(inside):
            alone = bool(n % TWO_TABS)
            tabs = [tab] if alone else [tab, crowd.tab(tab.cookie)]
            windows += [
                Window(t, auditor, f"{n}.{m}", notes, lease_s, alone, habits) for m, t in enumerate(tabs)
            ]
        begin = time.monotonic()
        threads = [threading.Thread(target=window.work, daemon=True) for window in windows]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert time.monotonic() - begin < limit_s, f"stuck: {crowd.store.progress()} {notes.failed}"
            progress = crowd.store.progress()
            # One kill for every so much of the work, whatever the speed of the machine.
            if killed < kills and progress.done >= progress.slots * (killed + 0.5) / kills:
                time.sleep(chance.random() / 20)
                crowd.page.kill()
                crowd.page.start()
                killed += 1
            time.sleep(0.02)
        seconds = time.monotonic() - begin
        assert notes.failed == []
        assert "Traceback" not in crowd.page.log()
        figures = _held_against(crowd.store, notes, overlap)
    return {"kills": killed, "seconds": round(seconds, 1), **figures}


def _held_against(store: AuditStore, notes: Notes, overlap: int) -> dict[str, Any]:
    """Hold what people were told against what is there."""
    log = {row.id: row for row in rows(store, verdicts)}
    replaced = {row.supersedes: row for row in log.values() if row.supersedes is not None}
    lost = []
    for auditor, number, item, request, body in notes.acknowledged:
        row, later = log.get(number), replaced.get(number)
        if row is None or (row.auditor, row.item, row.request) != (auditor, item, request):
            lost.append((number, "is not there"))
        elif body.get("text") not in (None, Draft.of(row.action, row.body, None).text):
            lost.append((number, "says something else"))
        elif later is not None and (later.auditor, later.request) not in notes.sent:
            lost.append((number, "was replaced by nobody"))
    kept = {(row.auditor, row.request): Draft.of(row.action, row.body, None) for row in rows(store, conflicts)}
    forgotten = [
        (auditor, request)
        for auditor, request, text in notes.refused
        if (auditor, request) not in kept
        or text not in (kept[auditor, request].text, kept[auditor, request].note)
    ]
    judges: dict[int, list[str]] = {}
    for verdict in store.verdicts(standing_only=True):
        judges.setdefault(verdict.item, []).append(verdict.auditor)
    progress = store.progress()
    assert lost == []
    assert forgotten == []
    assert sorted(judges) == list(range(progress.items))
    assert (
        {len(names) for names in judges.values()} == {len(set(names)) for names in judges.values()} == {overlap}
    )
    assert troubles(store) == []
    waits = _waits(store, overlap)
    assert max(waits) <= store.settings.lease_s + 60, f"an item waited {max(waits)} s"
    return {
        "acknowledged": len(notes.acknowledged),
        "lost": len(lost),
        "rows in the log": len(log),
        "auditors per item": overlap,
        "sent twice on purpose": notes.repeated,
        "sent again, unanswered": notes.sent_again,
        "slept past the lease": notes.slept,
        "leases that ran out": sum(row.ended == "expired" for row in rows(store, leases)),
        "came second": len(notes.refused),
        "longest wait of a place, s": round(max(waits), 1),
        **{f"{path} ms (median, p95)": _milliseconds(s) for path, s in sorted(notes.seconds.items())},
    }


def _waits(store: AuditStore, overlap: int) -> list[float]:
    """Return, for each item, the longest time in seconds that it had been begun and a place on it was empty.

    A place is taken from the time a lease is given to the end of that lease, or for good by a verdict that stands.
    """
    said = rows(store, verdicts)
    by_fence = {row.fence: row.at_ms for row in said if row.fence is not None}
    undone = {row.supersedes: row.at_ms for row in said if row.action == "undo"}
    changes: dict[int, list[tuple[int, int]]] = {}
    for lease in rows(store, leases):
        changes.setdefault(lease.item, []).append((lease.granted_ms, 1))
        end = by_fence.get(lease.id, lease.expires_ms) if lease.ended != "expired" else lease.expires_ms
        changes[lease.item].append((end, -1))
    for row in said:
        if row.action not in ("skip", "undo") and row.fence is not None:
            changes[row.item].append((row.at_ms, 1))
    for row in said:
        if row.id in undone and row.action != "skip":
            changes[row.item].append((undone[row.id], -1))
    longest = []
    for events in changes.values():
        taken, since, worst = 0, None, 0
        for at, change in sorted(events):
            if since is not None and taken < overlap:
                worst = max(worst, at - since)
            taken, since = taken + change, at
        longest.append(worst / 1000)
    return longest


def race_edits(place: Place, folder: Path, pairs: int) -> dict[str, int]:
    """Let two tabs change the same verdict at once, again and again: one wins, the other gets its text back."""
    crowd = Crowd(place, folder, people=1, items=1, overlap=1, lease_s=600)
    counts = {"pairs": pairs, "one won": 0, "the loser has both texts": 0, "the loser's text is kept": 0}
    with crowd.open() as [(_, tab)], ThreadPoolExecutor(2) as pool:
        item = tab.post("/api/next", {})[1]["item"]
        first = {"request": "first", "item": 0, "action": "accept", "fence": item["fence"]}
        base = tab.post("/api/verdict", first)[1]["verdict"]
        tabs = (tab, crowd.tab(tab.cookie))
        for n in range(pairs):
            start = threading.Barrier(2)

            def change(window: Tab, text: str, start: threading.Barrier = start, base: int = base) -> Any:
                body = {"request": text, "item": 0, "action": "edit", "text": text, "base": base}
                start.wait()
                return window.post("/api/verdict", body)

            texts = [f"left-{n}", f"right-{n}"]
            answers = list(pool.map(change, tabs, texts))
            won = [(text, told) for text, (status, told) in zip(texts, answers, strict=True) if status == 200]
            lost = [(text, told) for text, (status, told) in zip(texts, answers, strict=True) if status == 409]
            if len(won) == len(lost) == 1:
                (winner, told), (loser, refusal) = won[0], lost[0]
                both = (refusal["mine"]["text"], refusal["theirs"]["text"]) == (loser, winner)
                counts["one won"] += 1
                counts["the loser has both texts"] += both
                base = told["verdict"]
        kept = {row.request: row.body for row in rows(crowd.store, conflicts)}
        counts["the loser's text is kept"] = sum(request in body for request, body in kept.items())
        assert crowd.store.verdict(base).standing
    return counts


def _sheet(n: int) -> dict[str, Any]:
    captions = (
        ShownCaption(id=f"{n:x}", text=f"A brown dog, number {n}, runs.", role="subject", origin="model"),
        ShownCaption(id="alt", text=f"IMG_{n}.jpg", role="original", origin="alt"),
    )
    return Sheet(captions=captions).to_payload()


def _milliseconds(seconds: list[float]) -> tuple[float, float]:
    middle, high = np.percentile(np.array(seconds) * 1000, [50, 95])
    return round(float(middle), 1), round(float(high), 1)
