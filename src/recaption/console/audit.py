"""What an audit found, in the terminal: the share that people let stand, why the rest not, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from recaption.audit.predictors import Predictor
from recaption.audit.preferences import Preferences
from recaption.audit.quality import Lot, Quality, Rate
from recaption.audit.working import Agreement, Drift, Pace
from recaption.console import out, safe, show_table
from recaption.statistics.discrimination import Cut
from recaption.statistics.estimates import Estimate

__all__ = ["show_preferences", "show_quality"]

MOST_STRATA: Final = 20
MOST_REASONS: Final = 8
MOST_PREDICTORS: Final = 5
_BAR: Final = 24


def show_quality(quality: Quality) -> None:
    """Print what an audit found, the most important first."""
    out.print(
        f"[bold]{quality.judged:,} of {quality.drawn:,} drawn captions judged[/], "
        f"which speak for all {quality.population:,}"
    )
    if not quality.judged:
        out.print("nothing was judged yet: open the page, recaption audit OUT")
        return
    show_table(
        ("of all captions", "share", "95 %", "exact 95 %"),
        [
            _rate("are right as they stand", quality.accepted),
            _rate("are right, or were after an edit", quality.usable),
            _rate("must go", quality.rejected),
        ],
    )
    if quality.lot is not None:
        _show_lot(quality.lot)
    if len(quality.strata) > 1:
        _show_strata(quality)
    if quality.doubtful.chosen:
        counts = ", ".join(f"{n:,} {kind}" for kind, n in quality.doubtful.counts.items()) or "none yet"
        out.print(
            f"of {quality.doubtful.chosen:,} that were chosen for being doubtful, {quality.doubtful.judged:,} "
            f"judged: {counts}; they count in no estimate"
        )
    _show_work(quality)
    _show_agreement(quality.agreement)
    _show_predictors(quality.predictors)
    if quality.strangers:
        out.print(
            f"[yellow]note:[/] {quality.strangers:,} judged items are not of this sample; they are left out"
        )


_TAKEN: Final = {
    "subject": "the caption that stands",
    "original": "the text that came with the image",
    "candidate": "another candidate",
    "none": "none of them",
    "undecided": "no majority",
}


def show_preferences(found: Preferences) -> None:
    """Print what people took who did not know which caption was which."""
    out.print(
        f"[bold]{found.judged:,} of {found.drawn:,} drawn items compared blind[/], "
        f"which speak for all {found.population:,}"
    )
    if not found.judged:
        out.print("nothing was compared yet: open the page, recaption audit OUT")
        return
    show_table(
        ("people took", "share", "95 %"),
        [
            (_TAKEN[kind], _percent(share.value), _span(share.low, share.high))
            for kind, share in found.shares.items()
        ],
    )
    if found.p_value is not None:
        out.print(
            f"standing caption against original: {found.wins:,} wins, {found.losses:,} losses, "
            f"p = {found.p_value:.2g} (exact sign test)"
        )
    if found.doubtful:
        out.print(f"{found.doubtful:,} more were compared for being doubtful; they count in no share")


def _rate(name: str, rate: Rate) -> tuple[str, str, str, str]:
    return (
        name,
        _percent(rate.value),
        _span(rate.wilson.low, rate.wilson.high),
        _span(rate.exact.low, rate.exact.high),
    )


_DECISIONS: Final = {
    "accept": ("green", "yes: accept the set"),
    "reject": ("red", "no: reject the set"),
    "sample more": ("yellow", "not known yet"),
}


def _show_lot(lot: Lot) -> None:
    decision = lot.decision
    colour, told = _DECISIONS[decision.action]
    out.print(
        f"[bold]is at most {100 * decision.limit:g} % bad?[/] [{colour}]{told}[/]; "
        f"between {_percent(decision.low)} and {_percent(decision.high)} is, each bound at 95 %"
    )
    if decision.more is not None:
        out.print(f"about {decision.more:,} more would decide, were they like those seen")
    if lot.accept_up_to is not None and lot.curve:
        out.print(
            f"so many items drawn at random are accepted with up to {lot.accept_up_to:,} rejected among them:"
        )
        step = max(1, len(lot.curve) // 8)
        for share, chance in lot.curve[::step]:
            out.print(
                f"  {_percent(share):>8} bad  {'█' * round(_BAR * chance):<{_BAR}} {_percent(chance)} accepted"
            )


def _show_strata(quality: Quality) -> None:
    ranked = sorted(quality.strata, key=lambda s: (s.accepted is None, s.accepted or 0.0, -s.size))
    show_table(
        ("stratum", "captions", "judged", "right as they stand", "95 %"),
        [
            (
                s.stratum,
                f"{s.size:,}",
                f"{s.judged:,}",
                _percent(s.accepted),
                _span(s.wilson.low, s.wilson.high),
            )
            for s in ranked[:MOST_STRATA]
        ],
    )
    if len(ranked) > MOST_STRATA:
        out.print(f"{len(ranked) - MOST_STRATA} more strata: quality.json", style="dim")


def _show_work(quality: Quality) -> None:
    if quality.reasons:
        ranked = list(quality.reasons.items())
        told = ", ".join(f"{safe(reason)} {n:,}" for reason, n in ranked[:MOST_REASONS])
        out.print(
            f"why rejected: {told}"
            + (f", {len(ranked) - MOST_REASONS} more" if len(ranked) > MOST_REASONS else "")
        )
    edits = quality.edits
    if edits.n and edits.mean is not None:
        out.print(
            f"{edits.n:,} edits changed {_percent(edits.mean)} of the words, half of them "
            f"{_percent(edits.median)} or more"
        )
    _show_pace(quality.pace, quality.by_auditor)
    _show_drift(quality.drift)


def _show_pace(pace: Pace, by_auditor: Mapping[str, Pace]) -> None:
    if pace.median is None:
        return
    out.print(
        f"time per item: {pace.median:.1f} s (a tenth under {pace.fast:.1f} s, a tenth over {pace.slow:.1f} s)"
    )
    if len(by_auditor) > 1:
        show_table(
            ("auditor", "items", "median seconds"),
            [
                (name, f"{p.n:,}", "–" if p.median is None else f"{p.median:.1f}")
                for name, p in by_auditor.items()
            ],
        )


def _show_drift(drift: Drift) -> None:
    trend = drift.trend
    if trend.value is None or trend.low is None or trend.high is None or len(drift.stretches) < 2:
        return
    if trend.low > 0.5 or trend.high < 0.5:
        way = "milder" if trend.low > 0.5 else "stricter"
        first, last = drift.stretches[0], drift.stretches[-1]
        out.print(
            f"[yellow]note:[/] people grew {way}: they let {_percent(first.accepted)} stand at first and "
            f"{_percent(last.accepted)} at the end, though items come in random order"
        )


def _show_agreement(agreement: Agreement) -> None:
    if not agreement.items:
        return
    rows = [
        ("same verdict", agreement.agreement),
        ("Krippendorff's alpha", agreement.alpha),
        ("Gwet's AC1", agreement.ac1),
        ("Cohen's kappa", agreement.cohen),
        ("Fleiss' kappa", agreement.fleiss),
    ]
    out.print(f"agreement of {agreement.auditors} auditors on {agreement.items:,} items that several judged")
    show_table(("", "value", "95 %"), [(name, *_estimate(found)) for name, found in rows if found is not None])


def _show_predictors(found: tuple[Predictor, ...]) -> None:
    if not found:
        return
    show_table(
        ("score", "tells what is rejected (AUC)", "95 %", "suggested threshold"),
        [
            (
                p.name,
                "–" if p.auc.value is None else f"{p.auc.value:.2f}",
                "" if p.auc.low is None or p.auc.high is None else f"{p.auc.low:.2f} to {p.auc.high:.2f}",
                p.reason if p.catching is None else _cut(p.catching),
            )
            for p in found[:MOST_PREDICTORS]
        ],
    )


def _cut(cut: Cut) -> str:
    return (
        f"{cut.side} {cut.threshold:.4g}: flags {_percent(cut.flagged)} of all and catches "
        f"{_percent(cut.recall)} of what is rejected"
    )


def _estimate(found: Estimate) -> tuple[str, str]:
    if found.value is None:
        return "–", found.reason
    span = "" if found.low is None or found.high is None else f"{found.low:.2f} to {found.high:.2f}"
    return f"{found.value:.2f}", span


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _span(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f}"
