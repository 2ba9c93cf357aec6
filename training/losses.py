"""What the models are taught. All of it is computed on the device, from whole batches."""

import torch
from data import SIGN_OWNER, THINGS, fact_ids
from negatives import OPPOSITE
from torch import Tensor, nn
from torch.nn import functional

from recaption.demo.claims import PICTURE
from recaption.demo.vocabulary import vocabulary

Batch = dict[str, Tensor]
_SIDES = {"left": "left of", "right": "right of", "top": "above", "bottom": "below"}


def _sizes() -> tuple[int, int, int, int, int, int]:
    known = vocabulary()
    named = (known.shapes, known.colours, known.materials, known.sizes, known.backgrounds, known.words)
    shapes, colours, materials, sizes, backgrounds, words = (len(n) for n in named)
    return shapes, colours, materials, sizes, backgrounds, words


class CellLoss(nn.Module):
    """Asks every cell what it shows and where the middle of that thing is. Trained along, then thrown away."""

    def __init__(self, size: int) -> None:
        super().__init__()
        shapes, colours, materials, sizes, backgrounds, words = _sizes()
        self.widths = [shapes + 2, colours, materials, sizes, words, backgrounds, 2]
        self.head = nn.Linear(size, sum(self.widths))

    def forward(self, tokens: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss, and the share of a thing's cells whose shape is found."""
        owners = batch["cells"].long()
        here = (owners >= 1) & (owners <= THINGS)
        sign = owners == SIGN_OWNER
        at = (owners - 1).clamp(0, THINGS - 1)
        looks = torch.gather(batch["looks"].long(), 1, at[..., None].expand(-1, -1, 4)).clamp_min(0)
        shapes = self.widths[0] - 2
        shape = torch.where(here, looks[..., 0], torch.where(sign, shapes, shapes + 1))
        places = torch.where(sign, THINGS, at)[..., None].expand(-1, -1, 2)
        centre = torch.gather(batch["centres"], 1, places)
        parts = self.head(tokens).float().split(self.widths, dim=-1)
        weight = torch.where(here | sign, 1.0, 0.1)
        word = batch["word"].long().clamp_min(0)[:, None].expand_as(owners)
        scenery = batch["background"].long()[:, None].expand_as(owners)
        loss = _mean(_entropy(parts[0], shape), weight)
        loss = loss + sum(_mean(_entropy(parts[k], looks[..., k]), here) for k in (1, 2, 3))
        loss = loss + _mean(_entropy(parts[4], word), sign) + 0.3 * _entropy(parts[5], scenery).mean()
        loss = loss + 4 * _mean(
            functional.smooth_l1_loss(parts[6], centre, reduction="none").sum(-1), here | sign
        )
        right = _mean((parts[0].argmax(-1) == shape).float(), here)
        return loss, right.detach()


class FactLoss(nn.Module):
    """Asks one vector which things a picture shows, how they look, and where they are."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.shapes, *looks, backgrounds, words = _sizes()
        self.widths = [1, *looks, 2]
        self.things = nn.Linear(size, self.shapes * sum(self.widths))
        self.rest = nn.Linear(size, backgrounds + words + 1)
        self.words = words + 1

    def heads(self) -> list[tuple[nn.Linear, float]]:
        """Return the layers, and where their biases start."""
        return [(self.things, 0.0), (self.rest, 0.0)]

    def forward(self, pooled: Tensor, batch: Batch) -> Tensor:
        """Return the loss over (B, size)."""
        looks = batch["looks"].long()
        here = looks[..., 0] >= 0
        shape = looks[..., 0].clamp_min(0)
        all_things = self.things(pooled).float().view(len(pooled), self.shapes, -1)
        present = torch.zeros(len(pooled), self.shapes, device=pooled.device)
        present.scatter_add_(1, shape, here.float())
        loss = 2 * functional.binary_cross_entropy_with_logits(all_things[..., 0], present.clamp_max(1))
        mine = torch.gather(all_things, 1, shape[..., None].expand(-1, -1, all_things.shape[-1]))
        parts = mine.split(self.widths, dim=-1)
        loss = loss + sum(_mean(_entropy(parts[k], looks[..., k].clamp_min(0)), here) for k in (1, 2, 3))
        off = functional.smooth_l1_loss(parts[4], batch["centres"][:, :THINGS], reduction="none").sum(-1)
        loss = loss + 4 * _mean(off, here)
        scenery, word = (
            self.rest(pooled).float().split([self.rest.out_features - self.words, self.words], dim=-1)
        )
        loss = loss + 0.5 * functional.cross_entropy(scenery, batch["background"].long())
        said = torch.where(batch["word"] < 0, self.words - 1, batch["word"].long())
        return loss + functional.cross_entropy(word, said)


def contrast(logits: Tensor, holds: Tensor) -> Tensor:
    """Return the contrastive loss both ways over (texts, pictures), where text i is written about picture i.

    Args:
        logits: Scaled similarities.
        holds: Which texts are true of which pictures; true pairs other than (i, i) are no negatives.
    """
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    masked = logits.masked_fill(holds & ~own, -1e4)
    target = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(masked, target) + functional.cross_entropy(masked.T, target)) / 2


def ranking(scores: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Return how badly each picture's captions are ranked, and the share of pairs in the right order.

    Args:
        scores: (B, G), scaled.
        right: (B, G), precision of each caption; below 0 means less than 1, and not known better.
    """
    better, worse = right[:, :, None], right[:, None, :]
    pair = ((better == 1) & (worse < 1)) | ((worse >= 0) & (better > worse + 0.02))
    gap = scores[:, :, None] - scores[:, None, :]
    return _mean(functional.softplus(-gap), pair), _mean((gap > 0).float(), pair).detach()


def consistent(stated: Tensor, true: Tensor) -> Tensor:
    """Return which captions are true of which pictures, (captions, pictures).

    Args:
        stated: (captions, facts), from `stated_facts`.
        true: (pictures, facts), what holds.
    """
    return stated @ (~true).float().T < 0.5


def stated_facts(claims: Tensor, facts: int) -> Tensor:
    """Return (captions, facts), 1 where a caption states a fact."""
    stated = torch.zeros(len(claims), facts + 1, device=claims.device)
    stated.scatter_(1, torch.where(claims < 0, facts, claims.long()), 1.0)
    return stated[:, :-1]


def _entropy(logits: Tensor, target: Tensor) -> Tensor:
    return functional.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="none").view(
        target.shape
    )


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    weight = weight.to(values.dtype)
    return (values * weight).sum() / weight.sum().clamp_min(1)


def role_table() -> Tensor:
    """Return (facts, roles): which thing lies on which side, as far as one relation says so.

    "A is left of B" puts A on the left and B on the right. Few roles are shared by many relations, so they are
    learned long before those.
    """
    ids = fact_ids()
    names = sorted({fact.subject for fact in ids if fact.kind == "relation"})
    role = {(name, side): i for i, (name, side) in enumerate((n, s) for n in names for s in OPPOSITE)}
    table = torch.zeros(len(ids) + 1, len(role))
    for fact, i in ids.items():
        if fact.kind == "relation" and fact.target == PICTURE:
            for word in fact.value.split():
                if word in _SIDES:
                    table[i, role[fact.subject, _SIDES[word]]] = 1
        elif fact.kind == "relation":
            table[i, role[fact.subject, fact.value]] = 1
            table[i, role[fact.target, OPPOSITE[fact.value]]] = 1
    return table


def by_length(ids: Tensor, parts: int) -> list[tuple[Tensor, int]]:
    """Return the rows of padded texts in groups of like length, each with its longest; saves work on padding."""
    lengths = (ids != 0).sum(1)
    order = lengths.argsort()
    groups = order.tensor_split(parts)
    longest = torch.stack([lengths[g[-1]] for g in groups]).tolist()
    return list(zip(groups, longest, strict=True))
