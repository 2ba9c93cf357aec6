"""The command `downstream`: which captions teach a model more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recaption.cli.app import Interrupted, app
from recaption.cli.evaluating import New, Old, Out, References, asked, target_of
from recaption.cli.options import (
    CaptionColumn,
    Format,
    ImageColumn,
    ImageRoot,
    KeyColumn,
    Table,
    pairs,
    spec_of,
)

if TYPE_CHECKING:
    from recaption.evaluation.downstream.experiment import DownstreamProgress
    from recaption.evaluation.downstream.options import DownstreamOptions
    from recaption.evaluation.downstream.outcome import Outcome

__all__ = ["downstream"]

_DEMO_SEED = 11
"""Other scenes than those of `recaption demo`."""


@app.command()
def downstream(
    source: Annotated[
        str | None,
        typer.Argument(metavar="[INPUT]", help="As for `eval`; without it, scenes of the demo's world."),
    ] = None,
    out: Out = None,
    old: Old = None,
    new: New = None,
    references: References = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of every column.")] = 3,
    scenes: Annotated[int, typer.Option(min=200, help="How many of the demo's world.")] = 2000,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change one option: `steps=360`, `image_px=64`.")
    ] = None,
    format: Format = None,
    table: Table = None,
    key_column: KeyColumn = None,
    caption_column: CaptionColumn = None,
    image_column: ImageColumn = None,
    image_root: ImageRoot = None,
) -> None:
    """Train the same small encoder on the old and on the new captions, and test both on images held out."""
    from recaption.evaluation.downstream.options import DownstreamOptions
    from recaption.recipes.strict import validated

    options = validated(DownstreamOptions, {"seeds": seeds, **pairs(set_ or [])}, "--set")
    try:
        with _watching() as watch:
            if source is None:
                found = _on_the_demo(out or Path("downstream-out"), scenes, options, watch)
            else:
                from recaption.runs.downstream import downstream_into
                from recaption.runs.evaluating import Request

                given = asked(
                    spec_of(
                        source, format, table, key_column, caption_column, image_column, image_root, True, None
                    ),
                    old,
                    new,
                )
                request = Request(**given, references=references)
                found = downstream_into(request, options, target_of(out, request.folders), watch)
    except KeyboardInterrupt as error:
        raise Interrupted from error
    _tell(found)


def _on_the_demo(
    out: Path, scenes: int, options: DownstreamOptions, watch: Callable[[DownstreamProgress], None]
) -> Outcome:
    from recaption.demo.downstream import downstream_subject
    from recaption.evaluation.downstream.experiment import downstream as train
    from recaption.media.images import BatchImages

    subject, tests = downstream_subject(out, scenes, _DEMO_SEED)
    return train(
        subject,
        options,
        make_images=lambda: BatchImages(max_side_px=1024),
        folder=out / "trainings",
        tests=tests,
        watch=watch,
    )


@contextmanager
def _watching() -> Iterator[Callable[[DownstreamProgress], None]]:
    """Say what is at work: in a terminal how far it is, elsewhere a line for each training."""
    from recaption import console

    said = ""

    def line(progress: DownstreamProgress) -> None:
        nonlocal said
        if progress.what != said:
            said = progress.what
            console.err.print(f"{console.safe(said)}…")

    if not console.err.is_terminal:
        yield line
        return
    with console.err.status("preparing") as status:
        yield lambda p: status.update(f"{console.safe(p.what)}: {p.done:,} of {p.total:,}")


def _tell(found: Outcome) -> None:
    from recaption import console

    console.show_table(found.header(), found.rows([found.headline]))
    others = [test for test in found.unknown if test != found.headline]
    if others:
        console.show_table(found.header(), found.rows(others, at=[1]))
    for sentence in found.lines():
        console.out.print(console.safe(sentence))
