"""How tokens are drawn, against plain arithmetic and the library's own processors."""

import pytest

torch = pytest.importorskip("torch")
from transformers import (  # noqa: E402
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TopPLogitsWarper,
)

from recaption.core.digests import seed_from  # noqa: E402
from recaption.core.protocols import Sampling  # noqa: E402
from recaption.models.hf.drawing import Draw, Penalties, gumbel  # noqa: E402

CPU = torch.device("cpu")


def seeds(count: int) -> list[int]:
    return [seed_from("test", i) for i in range(count)]


class TestNoise:
    def test_it_is_gumbel(self) -> None:
        noise = gumbel(torch.tensor(seeds(40)), 3, 5000).double()
        assert noise.mean().item() == pytest.approx(0.57722, abs=0.01)  # Euler's constant
        assert noise.var().item() == pytest.approx(1.64493, abs=0.03)  # a sixth of pi squared
        assert torch.isfinite(noise).all()

    def test_rows_steps_and_tokens_are_independent(self) -> None:
        a, b, c = (gumbel(torch.tensor(seeds(2)), step, 20_000) for step in (0, 1, 2))
        for x, y in ((a[0], a[1]), (a[0], b[0]), (b[0], c[0]), (a[0, :-1], a[0, 1:]), (a[0, 1:], b[0, :-1])):
            assert abs(torch.corrcoef(torch.stack([x, y]))[0, 1].item()) < 0.03

    def test_it_is_the_same_whatever_the_batch_and_the_vocabulary(self) -> None:
        alone, among = gumbel(torch.tensor(seeds(1)), 70, 50), gumbel(torch.tensor(seeds(9)), 70, 90)
        assert torch.equal(alone[0], among[0, :50])


class TestDraw:
    @pytest.mark.parametrize(("heat", "share"), [(1.0, 1.0), (0.5, 1.0), (2.0, 0.7)])
    def test_tokens_come_as_often_as_the_softmax_says(self, heat: float, share: float) -> None:
        logits, rows = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0]), 20_000
        draw = Draw([Sampling(temperature=heat, top_p=share)] * rows, seeds(rows), None, CPU)
        chosen = draw(torch.zeros(rows, 1, dtype=torch.long), logits.repeat(rows, 1)).argmax(dim=1)
        warm = (logits / heat)[None]
        kept = TopPLogitsWarper(share)(None, warm) if share < 1 else warm
        expected = kept.softmax(dim=1)[0]
        assert (torch.bincount(chosen, minlength=5) / rows).tolist() == pytest.approx(
            expected.tolist(), abs=0.012
        )

    def test_rows_are_drawn_each_by_its_own_settings(self) -> None:
        sampling = [Sampling(), Sampling(temperature=1.0), Sampling(temperature=1.0, top_p=0.01)]
        draw = Draw(sampling, seeds(3), None, CPU)
        scores = torch.tensor([[0.0, 5.0, 1.0]]).repeat(3, 1)
        drawn = draw(torch.zeros(3, 1, dtype=torch.long), scores)
        assert torch.equal(drawn[0], scores[0])
        assert not torch.equal(drawn[1], scores[1])
        assert drawn[2].isneginf().tolist() == [True, False, True]

    def test_log_probabilities_are_those_of_the_model(self) -> None:
        draw = Draw([Sampling(temperature=3.0, top_p=0.5, repetition_penalty=2.0)], [1], None, CPU)
        logits, ids = torch.randn(3, 1, 7), torch.zeros(1, 2, dtype=torch.long)
        expected = []
        for step in logits:
            token = draw(ids, step).argmax(dim=1)
            expected.append(step.log_softmax(dim=1)[0, token].item())
            ids = torch.cat([ids, token[None]], dim=1)
        found, broken = draw.finished(ids[:, 2:])
        assert found[0].tolist() == pytest.approx(expected, abs=1e-5)
        assert not broken.any()

    def test_what_is_no_number_is_found(self) -> None:
        draw = Draw([Sampling()] * 2, [1, 2], None, CPU)
        draw(torch.zeros(2, 1, dtype=torch.long), torch.tensor([[0.0, 1.0], [float("nan"), 1.0]]))
        assert draw.finished(torch.zeros(2, 1, dtype=torch.long))[1].tolist() == [False, True]

    def test_groups_keep_away_from_what_those_before_them_take(self) -> None:
        draw = Draw([Sampling(beams=3, beam_groups=3, diversity_penalty=1.0)] * 6, [0] * 6, None, CPU)
        scores = torch.tensor([[3.0, 2.5, 2.4, 0.0], [0.0, 0.0, 9.0, 0.0]]).repeat_interleave(3, dim=0)
        chosen = draw(torch.zeros(6, 1, dtype=torch.long), scores).argmax(dim=1)
        assert chosen.tolist() == [0, 1, 2, 2, 2, 2]

    def test_a_group_that_has_ended_takes_nothing(self) -> None:
        draw = Draw([Sampling(beams=2, beam_groups=2, diversity_penalty=9.0)] * 2, [0, 0], None, CPU, ends=[3])
        draw(torch.zeros(2, 1, dtype=torch.long), torch.zeros(2, 4))
        written = torch.tensor([[0, 3], [0, 1]])
        assert draw(written, torch.tensor([[9.0, 0, 0, 0]] * 2)).argmax(dim=1).tolist() == [0, 0]

    def test_guidance_moves_away_from_what_is_said_blindly(self) -> None:
        draw = Draw([Sampling(guidance=2.0)], [1], 2.0, CPU)
        seeing, blind = torch.tensor([[2.0, 1.9]]), torch.tensor([[3.0, 0.0]])
        scores = draw(torch.zeros(2, 1, dtype=torch.long), torch.cat([seeing, blind]))
        expected = 2 * seeing.log_softmax(1) - blind.log_softmax(1)
        assert torch.allclose(scores[0], expected[0])
        assert torch.equal(scores[0], scores[1])
        assert scores[0].argmax() == 1


class TestPenalties:
    PROMPT = torch.tensor([[5, 6, 5]])
    WRITTEN = torch.tensor([[5, 6, 5, 1, 2, 3, 1, 2]])

    def penalties(self, **sampling: float) -> Penalties:
        made = Penalties([Sampling(**sampling)], CPU)  # type: ignore[arg-type]
        made(self.PROMPT, torch.zeros(1, 8))
        return made

    def test_repetition_is_as_in_the_library_and_the_prompt_is_free(self) -> None:
        scores = torch.randn(1, 8)
        expected = RepetitionPenaltyLogitsProcessor(1.7, prompt_ignore_length=3)(self.WRITTEN, scores)
        assert torch.allclose(self.penalties(repetition_penalty=1.7)(self.WRITTEN, scores), expected)

    @pytest.mark.parametrize("size", [1, 2, 3, 4])
    def test_banned_runs_are_as_in_the_library(self, size: int) -> None:
        scores = torch.randn(1, 8)
        expected = NoRepeatNGramLogitsProcessor(size)(self.WRITTEN[:, 3:], scores)
        assert torch.equal(self.penalties(no_repeat_ngram=size)(self.WRITTEN, scores), expected)

    def test_off_means_untouched(self) -> None:
        scores = torch.randn(1, 8)
        assert self.penalties()(self.WRITTEN, scores) is scores
