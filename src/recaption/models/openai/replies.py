"""What is done about a reply: delivered, asked again, given up for this request, or the end for everybody."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from recaption.core.errors import BackendError
from recaption.core.protocols import Generation
from recaption.models.openai.calls import Asked, Attempt, AttemptJob, job_for
from recaption.models.openai.echoes import Echoes
from recaption.models.openai.outcome import Answer, Flaw, Trouble, judge
from recaption.models.openai.retry_after import wait_s
from recaption.models.openai.schedule import Schedule
from recaption.models.openai.settings import place_of
from recaption.models.openai.silence import Silence
from recaption.models.openai.transport import Lost, Reply

__all__ = ["Replies"]

_FIRST_CONTACT_S: Final = 20.0
"""An address that was never reached is a wrong address, or a server that nobody has started."""
_HOPELESS_AFTER: Final = 16
"""So many requests without one useful answer to anybody, and it is the set-up that is wrong."""
_USELESS: Final = "useless"
"""Counts the answers that were of no use, whatever the reason: the next ones get other seeds."""


class Replies:
    """Works on the schedule, in the loop. `fail` ends the run; `one_each` says which addresses ignore `n`."""

    def __init__(
        self,
        schedule: Schedule[Asked],
        *,
        model: str,
        json_asked: bool,
        outage_s: float,
        one_each: bool,
        redacted: Callable[[str], str],
        silence: Silence,
        fail: Callable[[BackendError], None],
    ) -> None:
        self._schedule, self._model, self._json_asked, self._outage_s = schedule, model, json_asked, outage_s
        self._redacted, self._silence, self._fail = redacted, silence, fail
        self.one_each = {endpoint.url: one_each for endpoint in schedule.endpoints}
        self._echoes = {endpoint.url: Echoes() for endpoint in schedule.endpoints}
        self._hopeless = 0

    @staticmethod
    def seeds_spoilt(job: AttemptJob) -> int:
        """Return how many seeds were of no use: the first bad answer may be bad luck and is asked for once more."""
        return max(0, job.faults[_USELESS] - 1)

    def verdict(self, got: Reply | Lost, attempt: Attempt) -> Answer | Trouble:
        """Return what came of an attempt."""
        if isinstance(got, Lost):
            down = got.fault in ("unreachable", "hang", "reset")
            return Trouble("again", got.fault, got.reason, down=down, bounded=got.bounded)
        asked = attempt.job.owner
        verdict = judge(got.status, got.body, asked.request.schema if self._json_asked else None)
        if isinstance(verdict, Trouble):
            return verdict
        if Echoes.swapped(attempt.request_id, got.headers.get("X-Request-Id")):
            return Trouble("again", "swapped", "the answer belongs to another request", bounded=True)
        if self._echoes[attempt.endpoint.url].stale(asked.number, verdict.id, got.body):
            return Trouble("again", "stale", "the answer was given before, to another request", bounded=True)
        return verdict

    def answered(self, attempt: Attempt, answer: Answer, now: float) -> None:
        """Put the choices where they belong and ask again for those that are missing or of no use."""
        self._silence.ended()
        job, endpoint = attempt.job, attempt.endpoint
        asked, choices = job.owner, answer.choices
        good = [choice if isinstance(choice, Generation) else None for choice in choices]
        endpoint.answered(now, attempt.ticket, useful=any(good))
        if len(choices) < len(job.draws):
            self.one_each[endpoint.url] = True
        missing = asked.draws.fill(job.draws, good)
        flaws = {draw: c for draw, c in zip(job.draws, choices, strict=False) if isinstance(c, Flaw)}
        for name in {flaw.fault for flaw in flaws.values()}:
            job.faults[name] += 1
            job.faults[_USELESS] += 1
        for draw in missing:
            flaw = flaws.get(draw)
            if flaw is not None and job.faults[flaw.fault] >= self._schedule.policy.same_fault:
                self._no_use(asked, (draw,), flaw.reason, flaw.raw)
            elif len(job.draws) == 1:
                self._again(job, flaw.reason if flaw else "", now, None)
            else:
                self._schedule.add(job_for(asked, (draw,), job))
        asked.deliver()

    def troubled(self, attempt: Attempt, trouble: Trouble, got: Reply | Lost, now: float) -> None:
        """Do what a reply without an answer calls for."""
        job, endpoint, policy = attempt.job, attempt.endpoint, self._schedule.policy
        reason = f"{place_of(endpoint.url)}: {self._redacted(trouble.reason)}"
        self._silence.trouble(reason)
        job.faults[trouble.fault] += 1
        wait = self._told_to_wait(attempt, trouble, got, now)
        if trouble.move == "fatal":
            self._fail(BackendError(f"{self._model}: {reason}"))
        elif trouble.move == "reject":
            finish = "refusal" if trouble.refusal else "error"
            raw = self._redacted(trouble.raw) if trouble.raw else None
            failure = Generation(
                text=None,
                finish_reason="refusal" if finish == "refusal" else "error",
                error=reason,
                # As long as nobody is answered, it is more likely the set-up, which can be mended.
                retryable=trouble.unspecific and not self._ever_answered(),
                raw=raw,
            )
            job.owner.draws.give_up(job.draws, failure)
            job.owner.deliver()
            if trouble.unspecific:
                self._count_hopeless(reason)
        elif trouble.bounded and job.faults[trouble.fault] >= policy.same_fault:
            self._no_use(job.owner, job.draws, reason, trouble.raw)
            job.owner.deliver()
        else:
            job.faults[_USELESS] += trouble.bounded and not trouble.down
            self._again(job, reason, now, wait, patient=trouble.move == "refused")
        if trouble.down:
            self._check_outage(trouble, reason, now)

    def _told_to_wait(self, attempt: Attempt, trouble: Trouble, got: Reply | Lost, now: float) -> float | None:
        """Tell the address how it went; return how long it wants us to wait, if it says so."""
        endpoint, policy, wait = attempt.endpoint, self._schedule.policy, None
        refused = trouble.move == "refused"
        if isinstance(got, Reply) and (refused or trouble.down):
            wait = wait_s(got.headers, time.time(), policy.longest_wait_s)
        if trouble.down:
            endpoint.failed(now)
        elif not refused:
            useful = trouble.move == "reject" and not trouble.unspecific
            endpoint.answered(now, attempt.ticket, useful=useful)
        if refused or wait is not None:
            endpoint.refused(now, attempt.ticket, wait, policy.backoff_s, policy.longest_backoff_s)
        return wait

    def _again(
        self, job: AttemptJob, reason: str, now: float, wait: float | None, *, patient: bool = False
    ) -> None:
        if self._schedule.again(job, now, wait, patient=patient):
            return
        first = job.first_sent or now
        if not any((e.last_answer or -math.inf) > first for e in self._schedule.endpoints):
            self._fail(BackendError(f"{self._model}: no answer for {now - first:.0f} s. Last: {reason}"))
            return
        deadline = self._schedule.policy.deadline_s
        error = f"no answer within {deadline:g} s and {job.attempts} attempts. Last: {reason}"
        failure = Generation(text=None, finish_reason="error", error=error, retryable=True)
        job.owner.draws.give_up(job.draws, failure)
        job.owner.deliver()

    def _no_use(self, asked: Asked, draws: tuple[int, ...], reason: str, raw: str | None) -> None:
        error = f"{reason} ({self._schedule.policy.same_fault} times)"
        raw = self._redacted(raw) if raw else None
        failure = Generation(text=None, finish_reason="error", error=error, retryable=True, raw=raw)
        asked.draws.give_up(draws, failure)
        self._count_hopeless(error)

    def _count_hopeless(self, reason: str) -> None:
        """Stop where nobody gets an answer: else a wrong setting would cost one call, and one reject, per record."""
        endpoints = self._schedule.endpoints
        if self._ever_answered():
            return
        self._hopeless += 1
        if self._hopeless >= min(_HOPELESS_AFTER, sum(endpoint.limit for endpoint in endpoints)):
            count = f"none of the first {self._hopeless} requests was answered"
            self._fail(BackendError(f"{self._model}: {count}. Last: {reason}"))

    def _ever_answered(self) -> bool:
        return any(endpoint.answers for endpoint in self._schedule.endpoints)

    def _check_outage(self, trouble: Trouble, reason: str, now: float) -> None:
        """Stop where no address has answered for too long. A server of ours that is being started is waited for."""
        endpoints = self._schedule.endpoints
        if any(endpoint.held for endpoint in endpoints):
            return
        since = [endpoint.breaker.failing_since for endpoint in endpoints]
        down = min(now - start if start is not None else 0.0 for start in since)
        never = trouble.fault == "unreachable" and not any(e.ever_reached for e in endpoints)
        if down >= (min(self._outage_s, _FIRST_CONTACT_S) if never else self._outage_s):
            hint = " Is the server running, and the address right?" if never else ""
            self._fail(BackendError(f"{self._model}: {reason}, for {down:.0f} s now.{hint}"))
