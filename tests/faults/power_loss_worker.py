"""Somebody who starts an audit and works on it, while every write is recorded; what was acknowledged is said at once.

Each line is JSON: `["made", items, [auditors]]`, or `["word", row of the log, item, action, text]`.
"""

import json
import os
import random
import sys
from pathlib import Path

from recaption.audit import database
from recaption.audit.opening import create_store, open_store
from recaption.audit.store import AuditStore
from recaption.audit.types import AuditItem, Draft, Foreign, Receipt, Settings

SESSIONS, WORDS, TOGETHER = 3, 50, 20
ITEMS, PEOPLE = 180, 3


class Worker:
    def __init__(self, said: int) -> None:
        self.descriptor = said
        self.random = random.Random(1)
        self.requests = 0

    def say(self, *what: object) -> None:
        os.write(self.descriptor, (json.dumps(what) + "\n").encode())

    def request(self) -> str:
        self.requests += 1
        return f"r{self.requests}"

    def word(self, receipt: Receipt, action: str, text: str | None = None) -> None:
        self.say("word", receipt.verdict, receipt.item, action, text)

    def draft(self) -> Draft:
        return Draft(action="edit", text=f"{self.random.random()} " + "x" * self.random.choice((0, 30, 3000)))

    def work(self, store: AuditStore, people: list[int]) -> None:
        for _ in range(WORDS):
            auditor, chance = self.random.choice(people), self.random.random()
            got = store.next_item(auditor)
            assert got is not None
            item, fence, draft = got.lease.item, got.lease.fence, self.draft()
            if chance < 0.1:
                self.word(store.skip(auditor, fence, request=self.request()), "skip")
                continue
            first = store.submit(auditor, item, draft, request=self.request(), fence=fence)
            self.word(first, "edit", draft.text)
            if chance > 0.9:
                self.word(store.undo(auditor, request=self.request(), verdict=first.verdict), "undo")
            elif chance > 0.8:
                draft = self.draft()
                again = store.submit(auditor, item, draft, request=self.request(), base=first.verdict)
                self.word(again, "edit", draft.text)

    def bring(self, store: AuditStore, auditor: int, session: int) -> None:
        """Record verdicts from elsewhere, from the end of the sample, where nobody is yet."""
        last = ITEMS - session * TOGETHER
        told = [
            Foreign(auditor=auditor, key=f"key {n}", draft=self.draft(), request=self.request())
            for n in range(last - TOGETHER, last)
        ]
        for one, receipt in zip(told, store.record(told), strict=True):
            assert isinstance(receipt, Receipt)
            self.word(receipt, "edit", one.draft.text)


def main() -> None:
    plan = json.loads(sys.argv[1])
    if plan["synchronous"]:  # what must be found out

        def careless(connection):
            connection.exec_driver_sql(f"PRAGMA synchronous={plan['synchronous']}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        database._begin_sqlite = careless
    worker = Worker(os.open(plan["said"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    place = Path(plan["place"])
    with create_store(place, Settings(overlap=2)) as store:
        store.add_items(AuditItem(key=f"key {n}", payload={"caption": f"text {n}"}) for n in range(ITEMS))
        people = [store.add_auditor(f"auditor {n}")[0].id for n in range(PEOPLE)]
        worker.say("made", ITEMS, people)
    for session in range(SESSIONS):
        with open_store(place) as store:
            worker.work(store, people)
            worker.bring(store, people[0], session)


if __name__ == "__main__":
    main()
