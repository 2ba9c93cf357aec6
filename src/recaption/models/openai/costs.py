"""What calls cost: the most before they go out, what they did cost afterwards, an estimate where nobody says."""

from __future__ import annotations

from typing import Final

from recaption.core.protocols import Usage
from recaption.models.openai.calls import AttemptJob
from recaption.models.openai.outcome import Answer, Trouble
from recaption.models.openai.settings import Price
from recaption.models.openai.transport import Lost, Reply

__all__ = ["Costs"]

_NEW_SHARE: Final = 0.1
"""Weight of the last reply in a running mean."""


class Costs:
    """Prices calls, and remembers what they usually cost: (prompt tokens, tokens of one draw)."""

    def __init__(self, price: Price) -> None:
        self._price = price
        self._usual: tuple[float, float] | None = None

    def most(self, job: AttemptJob) -> Usage:
        """Return the most that a call can cost."""
        prompt, answer = job.owner.body.most_tokens
        return self._usage(prompt, answer * len(job.draws))

    def used(self, got: Reply | Lost, verdict: Answer | Trouble, most: Usage, draws: int) -> Usage:
        """Return what a call has cost.

        What was never sent costs nothing, an error reply a request and no tokens. Where an answer got lost, or does
        not say, it is what such calls usually cost, and the most it can be while nothing is known.
        """
        if isinstance(verdict, Answer) and verdict.usage is not None:
            prompt, answer = verdict.usage.prompt_tokens, verdict.usage.completion_tokens
            old = self._usual or (prompt, answer / draws)
            self._usual = (
                old[0] + _NEW_SHARE * (prompt - old[0]),
                old[1] + _NEW_SHARE * (answer / draws - old[1]),
            )
            return self._usage(prompt, answer)
        if isinstance(got, Lost) and not got.sent:
            return Usage()
        if isinstance(got, Reply) and got.status != 200:
            return Usage(requests=1)
        if self._usual is None:
            return most
        prompt, answer = round(self._usual[0]), round(self._usual[1] * draws)
        return self._usage(min(prompt, most.prompt_tokens), min(answer, most.completion_tokens))

    def _usage(self, prompt_tokens: int, completion_tokens: int) -> Usage:
        cost = self._price.of(prompt_tokens, completion_tokens)
        return Usage(requests=1, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, cost=cost)
