"""What a training step does with a batch: the losses of each model, put together."""

from typing import Any, cast

import torch
from data import fact_ids
from losses import Batch, CellLoss, FactLoss, by_length, consistent, contrast, ranking, role_table, stated_facts
from negatives import SWAPS
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel, VisionEncoderDecoderModel, VisionTextDualEncoderModel

from recaption.models.embedded.architecture import GridConfig, WordsConfig

ASPECT_WEIGHTS = (1.0, 1.2, 1.2, 1.5, 0.5, 2.0)
"""How often the captioner learns from a brief, appearance, texture, context, text, dense caption."""
CAPTIONS_PER_PICTURE = 3
MAX_SCALE = 4.6
LENGTH_GROUPS = 5


class Task(nn.Module):
    """A model with the layers that are trained along and thrown away; called, it returns a loss and its parts."""

    model: PreTrainedModel
    tower: nn.Module
    """The model's picture tower."""


class CaptionerTask(Task):
    """Teaches the captioner: the next word of three captions per picture, and what every cell shows."""

    model: VisionEncoderDecoderModel
    aspects: Tensor

    def __init__(self, model: VisionEncoderDecoderModel, aspect_ids: list[int]) -> None:
        super().__init__()
        self.model = model
        self.tower = model.encoder
        self.cells = CellLoss(cast(GridConfig, model.config.encoder).hidden_size)
        self.register_buffer("aspects", torch.tensor(aspect_ids))

    def forward(
        self, batch: Batch, cell_weight: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Any]]:
        """Return the loss and what it is made of."""
        size = len(batch["pixels"])
        tokens = self.model.encoder(pixel_values=batch["pixels"]).last_hidden_state
        cells, shape = self.cells(tokens, batch)
        weights = torch.tensor(ASPECT_WEIGHTS, device=tokens.device).expand(size, -1)
        aspect = torch.multinomial(weights, CAPTIONS_PER_PICTURE, generator=generator)
        wording = torch.randint(
            batch["captions"].shape[2], aspect.shape, device=tokens.device, generator=generator
        )
        rows = torch.arange(size, device=tokens.device)[:, None]
        target = batch["captions"][rows, aspect, wording].long().flatten(0, 1)
        start = torch.full((len(target), 1), self.model.config.decoder_start_token_id, device=tokens.device)
        prompt = self.aspects[aspect.flatten()][:, None]
        given = torch.cat([start, prompt, target[:, :-1]], dim=1)
        picture = torch.arange(size, device=tokens.device).repeat_interleave(CAPTIONS_PER_PICTURE)
        words = torch.zeros((), device=tokens.device)
        for group, longest in by_length(target, LENGTH_GROUPS):
            logits = self.model.decoder(
                input_ids=given[group, : longest + 1],
                encoder_hidden_states=tokens[picture[group]],
                use_cache=False,
            ).logits[:, 1:]
            wanted = target[group, :longest].flatten()
            words = words + functional.cross_entropy(
                logits.float().flatten(0, 1), wanted, ignore_index=0, reduction="sum"
            )
        words = words / (target != 0).sum()
        return words + cell_weight * cells, {"words": words, "cells": cells, "shape": shape}


class DualEncoderTask(Task):
    """Teaches the dual encoder: its own caption among others, and the truer of two captions of one picture."""

    model: VisionTextDualEncoderModel
    table: Tensor

    def __init__(self, model: VisionTextDualEncoderModel) -> None:
        super().__init__()
        self.model = model
        self.tower = model.vision_model
        size = cast(GridConfig, model.config.vision_config).hidden_size
        text_size = cast(WordsConfig, model.config.text_config).hidden_size
        self.cells, self.facts = CellLoss(size), FactLoss(size)
        self.claims = nn.Linear(text_size, len(fact_ids()) + 1)
        self.register_buffer("table", role_table())
        self.roles = nn.Linear(text_size, self.table.shape[1])
        for head, rare in (
            (self.claims, -6.0),
            (self.roles, -3.0),
            (self.cells.head, 0.0),
            *self.facts.heads(),
        ):
            # From zero, so that a model that goes on is not shaken by them.
            nn.init.zeros_(head.weight)
            nn.init.constant_(head.bias, rare)

    def forward(
        self, batch: Batch, cell_weight: float, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Any]]:
        """Return the loss and what it is made of."""
        size, groups, group = batch["texts"].shape[:3]
        seen = self.model.vision_model(pixel_values=batch["pixels"])
        cells, shape = self.cells(seen.last_hidden_state, batch)
        facts = self.facts(seen.pooler_output, batch)
        rows = torch.arange(size, device=seen.pooler_output.device)
        pick = torch.randint(groups, (size,), device=rows.device, generator=generator)
        also = (pick + 1) % groups
        ids = torch.cat([batch["texts"][rows, pick].flatten(0, 1), batch["texts"][rows, also, 0]]).long()
        claims = torch.cat([batch["claims"][rows, pick].flatten(0, 1), batch["claims"][rows, also, 0]])
        read = self._read(ids)
        images = functional.normalize(self.model.visual_projection(seen.pooler_output).float(), dim=-1)
        texts = functional.normalize(self.model.text_projection(read).float(), dim=-1)
        scale = self.model.logit_scale.clamp_max(MAX_SCALE).exp()
        by_group = texts[: size * group].view(size, group, -1)
        scores = scale * torch.einsum("bgd,bd->bg", by_group, images)
        rank, order = ranking(scores, batch["right"][rows, pick])
        stated = stated_facts(claims, batch["true"].shape[1])
        own = stated[: size * group : group], stated[size * group :]
        pairs = contrast(scale * by_group[:, 0] @ images.T, consistent(own[0], batch["true"]))
        pairs = pairs + contrast(scale * texts[size * group :] @ images.T, consistent(own[1], batch["true"]))
        said = functional.binary_cross_entropy_with_logits(self.claims(read).float(), stated, reduction="none")
        words = said.sum(1).mean()
        sides = ((stated @ self.table) > 0).float()
        roles = functional.binary_cross_entropy_with_logits(self.roles(read).float(), sides, reduction="none")
        roles = roles.sum(1).mean()
        loss = pairs / 2 + 2 * rank + 0.5 * facts + 0.1 * words + 0.3 * roles + cell_weight * cells
        kinds = batch["kinds"][rows, pick].long()
        told = (scores[:, :1] > scores).float()
        report = {f"swap {kind}": _mean_where(told, kinds == k) for k, kind in enumerate(SWAPS)}
        parts = {"pairs": pairs, "rank": rank, "order": order, "facts": facts, "cells": cells, "shape": shape}
        return loss, {**parts, "claims": words, "roles": roles, "scale": scale, **report}

    def _read(self, ids: Tensor) -> Tensor:
        """Return the pooled output of padded texts, (texts, size)."""
        order, found = [], []
        for group, longest in by_length(ids, LENGTH_GROUPS):
            some = ids[group, :longest]
            found.append(self.model.text_model(input_ids=some, attention_mask=some != 0).pooler_output)
            order.append(group)
        return torch.cat(found)[torch.cat(order).argsort()]


def _mean_where(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum() / where.sum().clamp_min(1)
