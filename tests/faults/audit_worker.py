"""One scripted auditor in a process of its own, for tests that kill it.

Works until everything is finished. Now and then it falls asleep past its lease, submits twice, opens a second window,
skips or undoes. What the store acknowledged is written to a file, synced, one line per verdict: `verdict item`.
"""

import json
import os
import random
import sys
import time

from recaption.audit.errors import ConflictError, LeaseError
from recaption.audit.opening import open_store
from recaption.audit.store import AuditStore
from recaption.audit.types import Draft

IDLE_S = 0.02


class Worker:
    def __init__(self, store: AuditStore, auditor: int, seed: int, acknowledged: int) -> None:
        self.store, self.auditor, self.acknowledged = store, auditor, acknowledged
        self.random = random.Random(seed)
        self.name = f"{seed}-"
        self.requests = 0

    def work(self) -> None:
        while True:
            got = self.store.next_item(self.auditor)
            if got is None:
                progress = self.store.progress()
                if progress.finished == progress.items:
                    return
                time.sleep(IDLE_S)
                continue
            chance = self.random.random()
            if chance < 0.01:
                time.sleep(self.store.settings.lease_s * 1.5)  # lunch
            item, fence = got.lease.item, got.lease.fence
            if chance > 0.98:
                self.leave(fence)
                continue
            draft = Draft(
                action="edit", text=f"{self.auditor} says {self.random.random()} of {item}", took_ms=3
            )
            done = self.say(item, draft, fence, self.request())
            if done and chance > 0.96:
                self.undo(done)

    def request(self) -> str:
        self.requests += 1
        return self.name + str(self.requests)

    def say(self, item: int, draft: Draft, fence: int, request: str) -> int | None:
        """Submit, sometimes twice, sometimes from two windows; return the verdict."""
        try:
            receipt = self.store.submit(self.auditor, item, draft, request=request, fence=fence)
            self.note(receipt.verdict, item)
            if self.random.random() < 0.3:
                again = self.store.submit(self.auditor, item, draft, request=request, fence=fence)
                window = self.store.submit(self.auditor, item, draft, request=self.request(), fence=fence)
                assert again.verdict == window.verdict == receipt.verdict
        except ConflictError:
            return None
        return receipt.verdict

    def leave(self, fence: int) -> None:
        """Put an item aside and take it up again: with few auditors everybody is needed."""
        try:
            self.store.skip(self.auditor, fence, request=self.request())
            self.store.undo(self.auditor, request=self.request())
        except LeaseError:
            return

    def undo(self, verdict: int) -> None:
        receipt = self.store.undo(self.auditor, request=self.request(), verdict=verdict)
        if receipt.lease:
            draft = Draft(action="accept", note="on second thoughts")
            self.say(receipt.item, draft, receipt.lease.fence, self.request())

    def note(self, verdict: int, item: int) -> None:
        os.write(self.acknowledged, f"{verdict} {item}\n".encode())


def main() -> None:
    plan = json.loads(sys.argv[1])
    acknowledged = os.open(plan["acknowledged"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with open_store(plan["place"], project=plan["project"]) as store:
        Worker(store, plan["auditor"], plan["seed"], acknowledged).work()


if __name__ == "__main__":
    main()
