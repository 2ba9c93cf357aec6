"""What is done with people's verdicts: sum them up, apply them, hand them on and take them in, learn from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recaption.cli.app import EXIT_CHECK_FAILED, Interrupted
from recaption.cli.auditing import AuditFolder, Project, Store, audit, place_of
from recaption.cli.options import OutFolder, Scorer
from recaption.core.errors import UserError

__all__: list[str] = []


@audit.command()
def quality(
    out: AuditFolder,
    limit: Annotated[
        float | None,
        typer.Option("--limit", min=0.0001, max=0.5, help="Share of rejected captions that would still do."),
    ] = None,
    fail: Annotated[
        bool, typer.Option("--fail", help="With --limit: leave with code 3 unless the set is accepted.")
    ] = False,
    store: Store = None,
    project: Project = "recaption",
) -> None:
    """Say how good the whole set is by what people judged, with intervals; quality.json has all of it."""
    from recaption import console
    from recaption.audit.quality import Quality
    from recaption.audit.words import unjudgeable
    from recaption.console.audit import show_preferences, show_quality
    from recaption.runs.auditing import found_in, write_found

    if fail and limit is None:
        raise UserError("--fail needs --limit: how much may be rejected?")
    place = place_of(out, store, project)
    with place.open() as opened:
        found, unseen = found_in(opened, limit=limit), unjudgeable(opened)
    if isinstance(found, Quality):
        show_quality(found)
    else:
        show_preferences(found)
    if unseen:
        console.out.print(f"{unseen:,} pictures could not be judged; they count in no share")
    console.out.print(f"All of it: {console.safe(str(write_found(found, place)))}")
    lot = found.lot if isinstance(found, Quality) else None
    if fail and (lot is None or lot.decision.action != "accept"):
        raise typer.Exit(EXIT_CHECK_FAILED)


@audit.command("apply")
def apply_(
    out: OutFolder,
    folder: Annotated[
        Path | None, typer.Option("--audit", help="Folder of the audit; default: the run folder.")
    ] = None,
    even_so: Annotated[
        bool, typer.Option("--even-so", help="Though the audit names another folder: the run was moved since.")
    ] = False,
    store: Store = None,
    project: Project = "recaption",
) -> None:
    """Bring the verdicts into the run: human captions stand, rejected ones give way, only they are done again."""
    from recaption import console
    from recaption.datasets.run_folder import RunFolder
    from recaption.runs.audit_applying import apply

    with place_of(folder or out, store, project).open() as opened, console.progress_bar() as watch:
        try:
            # An audit that lies in the run folder is its own, wherever both were moved to.
            own = folder is None and store is None
            found = apply(RunFolder(out), opened, even_so=even_so or own, watch=watch)
        except KeyboardInterrupt as error:
            raise Interrupted from error
    rows = {
        "let stand": found.accepted,
        "edited: the human text stands": found.edited,
        "another one preferred": found.preferred,
        "rejected: the next candidate stands": found.to_candidate,
        "rejected: the original stands": found.to_original,
        "rejected: nothing is left, dropped": found.dropped,
        "rejected, but no longer chosen anyway": found.not_chosen,
        "edited, but the new text could not be scored": found.failed,
        "on records that another audit's word left nothing of": found.overruled,
        "on captions or pictures that are there no more": found.stale,
    }
    console.show_table(
        ("what people said", "records"),
        [(name, f"{n:,}") for name, n in rows.items() if n],
        right_align_last=True,
    )
    console.out.print(
        f"{found.redone:,} records done again, {found.calls_paid:,} calls paid; "
        f"later runs into {console.safe(str(out))} heed the {found.rulings:,} verdicts too"
    )


@audit.command("export")
def export_(
    out: AuditFolder,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="What to write; a folder for argilla.")],
    format: Annotated[
        str, typer.Option("--format", help="label-studio, argilla, csv, or jsonl: every verdict that stands.")
    ] = "csv",
    images: Annotated[
        str | None,
        typer.Option(
            "--images",
            help="`copy` beside the file, `link` to where they lie, `embed`, `none`; default: as suits the format.",
        ),
    ] = None,
    image_prefix: Annotated[
        str | None, typer.Option("--image-prefix", help="Before each picture's path: https://pictures.example/")
    ] = None,
    image_root: Annotated[
        Path | None, typer.Option("--image-root", help="For `link`: the folder that the other tool serves.")
    ] = None,
    delimiter: Annotated[str, typer.Option("--delimiter", help="Of a CSV file: , or ;")] = ",",
    anonymous: Annotated[bool, typer.Option("--anonymous", help="jsonl: number the auditors instead.")] = False,
    store: Store = None,
    project: Project = "recaption",
) -> None:
    """Hand the sample to another tool, or to people with a spreadsheet; its answers come back by `import`."""
    from recaption import console
    from recaption.audit.interchange.exchange import export_items
    from recaption.audit.interchange.options import ExportOptions

    options = ExportOptions(
        images=images,  # type: ignore[arg-type]  # checked there
        image_prefix=image_prefix,
        image_root=image_root,
        delimiter=delimiter,  # type: ignore[arg-type]
        anonymous=anonymous,
    )
    with place_of(out, store, project).open() as opened:
        counts = export_items(opened, target, format, options=options, tell=_tell)
    console.out.print(", ".join(f"{console.safe(name)}: {n:,}" for name, n in counts.items()))


@audit.command("import")
def import_(
    out: AuditFolder,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What the other tool exported.")],
    format: Annotated[str, typer.Option("--format", help="label-studio, argilla or csv.")] = "csv",
    auditor: Annotated[
        str | None, typer.Option("--auditor", help="Whose verdicts they are, where the file does not say.")
    ] = None,
    store: Store = None,
    project: Project = "recaption",
) -> None:
    """Take in verdicts given elsewhere; the same file again changes nothing, a later one revises."""
    from recaption import console
    from recaption.audit.interchange.exchange import import_verdicts
    from recaption.audit.interchange.options import ImportOptions

    with place_of(out, store, project).open() as opened:
        counts = import_verdicts(opened, source, format, options=ImportOptions(auditor=auditor), tell=_tell)
    console.out.print(", ".join(f"{console.safe(name)}: {n:,}" for name, n in counts.items()))
    if counts.get("refused") or counts.get("unknown items"):
        raise typer.Exit(EXIT_CHECK_FAILED)


@audit.command()
def learn(
    out: AuditFolder,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="File for what was learned; default: audit/preference.json in OUT."),
    ] = None,
    scorer: Scorer = None,
    even_so: Annotated[
        bool, typer.Option("--even-so", help="Write it though it is no better than the scores there are.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides what is held out.")] = 0,
    store: Store = None,
    project: Project = "recaption",
) -> None:
    """Learn to score captions as these people judge; held out, it must beat the plain scores, or it says so."""
    from recaption import console
    from recaption.runs.audit_learning import learn as learn_from

    with place_of(out, store, project).open() as opened, console.err.status("learning") as status:
        try:
            found = learn_from(
                out,
                opened,
                to,
                scorer=scorer,
                seed=seed,
                even_so=even_so,
                watch=lambda doing: status.update(doing),
            )
        except KeyboardInterrupt as error:
            raise Interrupted from error
    header, *rows = found.rows()
    console.show_table(tuple(header), [tuple(row) for row in rows])
    for reason, n in found.left_out.items():
        console.out.print(f"left out: {n:,}: {console.safe(reason)}", style="dim")
    console.out.print(console.safe(found.sentence))
    for note in found.notes:
        console.out.print(f"[yellow]note:[/] {console.safe(note)}")
    if found.file is not None:
        use = f"score: {{scorers: {{liked: {{preference: {{file: {found.file}}}}}}}}}"
        console.out.print(f"in a recipe: {console.safe(use)}")


def _tell(line: str) -> None:
    from recaption import console

    console.err.print(console.safe(line))
