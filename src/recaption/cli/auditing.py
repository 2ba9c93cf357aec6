"""Commands for people in the loop: draw a sample, open the page, invite and dismiss auditors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from recaption.cli.app import app
from recaption.cli.options import (
    CaptionColumn,
    Format,
    ImageColumn,
    ImageRoot,
    KeyColumn,
    Recursive,
    Table,
    open_reader,
    spec_of,
)
from recaption.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recaption.audit.store import AuditStore
    from recaption.core.types import Record
    from recaption.runs.auditing import AuditPlace, Sampling

__all__ = ["AuditFolder", "Project", "Store", "audit", "place_of"]

_PORT = 8765


class _OpenByDefault(TyperGroup):
    """`recaption audit OUT` opens the audit; a folder with the name of a verb is written `./apply`."""

    def parse_args(
        self, ctx: Any, args: list[str]
    ) -> list[str]:  # which click that is depends on typer's version
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["open", *args]
        return super().parse_args(ctx, args)


audit = typer.Typer(
    cls=_OpenByDefault,
    no_args_is_help=True,
    help="Let people judge a sample of the captions on a page of this machine: recaption audit OUT",
)
app.add_typer(audit, name="audit")

Store = Annotated[
    str | None,
    typer.Option("--store", help="postgresql://USER@HOST/DATABASE for a team; default: a file in OUT."),
]
Project = Annotated[str, typer.Option("--project", help="Schema in that database, one for each audit.")]
AuditFolder = Annotated[
    Path, typer.Argument(metavar="OUT", help="The run folder, or the folder --out named when the audit began.")
]


Share = Annotated[
    float | None,
    typer.Option(
        "--share", min=0.0, max=1.0, help="Share of the captions that is drawn by lot; default: 0.05."
    ),
]
Size = Annotated[int | None, typer.Option("--size", min=1, help="Draw so many instead; see `audit size`.")]
By = Annotated[
    list[str] | None,
    typer.Option(
        "--by",
        help="Draw from each part: `origin`, `writer`, `flags`, `flag:NAME`, `score:LABEL` (quarters), or a column "
        "of the data. May be repeated.",
    ),
]
Least = Annotated[int | None, typer.Option("--least", min=1, help="Of each part at least so many; default: 5.")]
Doubtful = Annotated[
    int | None,
    typer.Option(
        "--doubtful", min=0, help="The so many most doubtful ones too, if not drawn anyway; in no estimate."
    ),
]
Doubt = Annotated[
    str | None,
    typer.Option(
        "--doubt", help="What is doubtful: `margin` (the default), `disagreement`, `logprob`, `score:LABEL`."
    ),
]
Compare = Annotated[
    int | None,
    typer.Option(
        "--compare", min=2, max=9, help="So many captions side by side, blind, instead of judging one."
    ),
]
Overlap = Annotated[int | None, typer.Option("--overlap", min=1, max=100, help="People per item; default: 1.")]
Guideline = Annotated[
    Path | None, typer.Option("--guideline", help="A text file with what counts as right, shown on the page.")
]
Seed = Annotated[
    int | None, typer.Option("--seed", min=0, help="Decides the sample; default: the run's, or 0.")
]
Lease = Annotated[
    float | None,
    typer.Option("--lease", help="Seconds an item is set aside for whoever has it on screen; default: 600."),
]


@audit.command("open")
def open_(
    source: Annotated[str, typer.Argument(metavar="OUT", help="A run folder, or any dataset (with --out).")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the audit; default: the run folder itself.")
    ] = None,
    share: Share = None,
    size: Size = None,
    by: By = None,
    least: Least = None,
    doubtful: Doubtful = None,
    doubt: Doubt = None,
    compare: Compare = None,
    overlap: Overlap = None,
    guideline: Guideline = None,
    seed: Seed = None,
    lease: Lease = None,
    auditor: Annotated[
        list[str] | None, typer.Option("--auditor", help="Who judges; a link for each. May be repeated.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = _PORT,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", help="Name the page may be reached by, beside loopback. May be repeated."),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    store: Store = None,
    project: Project = "recaption",
    format: Format = None,
    table: Table = None,
    key_column: KeyColumn = None,
    caption_column: CaptionColumn = None,
    image_column: ImageColumn = None,
    image_root: ImageRoot = None,
    recursive: Recursive = True,
) -> None:
    """Draw a sample and open the page where people judge it; later, go on with the sample that was drawn."""
    from recaption import console
    from recaption.audit.web import require_page
    from recaption.runs.auditing import begin, resume

    require_page()

    given = {
        "share": share,
        "size": size,
        "least": least,
        "doubtful": doubtful,
        "by": by,
        "doubt": doubt,
        "compare": compare,
        "overlap": overlap,
        "guideline": guideline,
        "seed": seed,
        "lease": lease,
    }
    if share is not None and size is not None:
        raise UserError("--share and --size: give one of them")
    if doubt is not None and not doubtful:
        raise UserError("--doubt says what --doubtful N is chosen by: give both")
    spec = spec_of(source, format, table, key_column, caption_column, image_column, image_root, recursive, None)
    place = place_of(_folder(spec, out), store, project)
    with console.err.status("drawing the sample"):
        if place.exists():
            opened = resume(
                place,
                lambda: _records(spec),
                [name for name, value in given.items() if value is not None],
                source=spec["path"],
            )
        else:
            opened = begin(place, lambda: _records(spec), _sampling(spec, given))
    with opened:
        progress = opened.progress()
        console.err.print(f"{progress.items:,} captions to judge, {progress.finished:,} are done")
        _serve(opened, auditor or [], host=host, port=port, hosts=allow_host or [], browser=browser)


@audit.command()
def invite(
    out: AuditFolder,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who judges.")],
    url: Annotated[
        str, typer.Option("--url", help="Where the page is served, as the auditor's browser reaches it.")
    ] = f"http://127.0.0.1:{_PORT}",
    store: Store = None,
    project: Project = "recaption",
) -> None:
    """Print a link for one auditor, good once; for one who has lost theirs, a new one, and the old one ends."""
    from recaption.audit.web import require_page

    require_page()
    from recaption.audit.web.serving import link

    with place_of(out, store, project).open() as opened:
        typer.echo(link(url.rstrip("/"), _token(opened, name)))


@audit.command()
def dismiss(
    out: AuditFolder,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who no longer judges.")],
    store: Store = None,
    project: Project = "recaption",
) -> None:
    """Take an auditor off the audit: their link ends, what they hold goes to others in time, their verdicts stay."""
    with place_of(out, store, project).open() as opened:
        known = opened.auditor_named(name)
        if known is None:
            names = ", ".join(one.name for one in opened.auditors()) or "nobody"
            raise UserError(f"there is no auditor {name!r}; there are: {names}")
        opened.dismiss_auditor(known.id)


@audit.command()
def size(
    margin: Annotated[
        float, typer.Option("--margin", min=0.0001, max=0.5, help="Half the width of the interval wanted.")
    ] = 0.05,
    population: Annotated[
        int | None, typer.Option("--population", min=2, help="How many captions there are; few need fewer.")
    ] = None,
    rejected: Annotated[
        float | None,
        typer.Option(
            "--rejected", min=0.0001, max=0.5, help="Also: how many, all good, show that fewer are bad."
        ),
    ] = None,
) -> None:
    """Say how many captions to look at: for a share within a margin, or to show that few are bad."""
    from recaption import console
    from recaption.statistics.sample_size import sample_size, zero_defect_size

    lot = "" if population is None else f" of {population:,}"
    n = sample_size(margin, population=population)
    console.out.print(f"{n:,}{lot} captions tell any share within ± {100 * margin:g} points (95 %)")
    if rejected is not None:
        n = zero_defect_size(rejected, lot=population)
        console.out.print(
            f"{n:,}{lot} captions, none rejected, show that less than {100 * rejected:g} % are bad (95 %)"
        )


def _sampling(spec: dict[str, Any], given: dict[str, Any]) -> Sampling:
    from recaption.audit.project import About
    from recaption.audit.sampling import Design
    from recaption.runs.auditing import Sampling

    asked = {name: value for name, value in given.items() if value is not None}
    design = {name: asked[name] for name in ("share", "size", "least", "doubtful", "seed") if name in asked}
    design.setdefault("seed", _seed(spec))
    task = {"task": "compare", "captions": asked["compare"]} if "compare" in asked else {}
    others: dict[str, Any] = {name: asked[name] for name in ("by", "doubt", "overlap") if name in asked}
    if "lease" in asked:
        others["lease_s"] = asked["lease"]
    return Sampling(
        design=Design(**design),
        about=About(**task, guideline=_text(given["guideline"]), source=spec["path"]),
        **others,
    )


def _records(spec: dict[str, Any]) -> Iterator[Record]:
    from recaption.core.types import Record

    for item in open_reader(spec).records():
        if isinstance(item, Record):
            yield item


def _folder(spec: dict[str, Any], out: Path | None) -> Path:
    from recaption.datasets.readers.run_folder import is_run_folder

    path = Path(spec["path"])
    if out is not None:
        return out
    if not is_run_folder(path):
        raise UserError("this is no run folder: name a folder for the audit, --out DIR")
    return path


def _seed(spec: dict[str, Any]) -> int:
    """Return the run's seed, so that what its recipe marked for audit is what is drawn."""
    from recaption.datasets.readers.run_folder import is_run_folder
    from recaption.datasets.run_folder import RunFolder

    path = Path(spec["path"])
    return int(RunFolder(path).describe()["seed"]) if is_run_folder(path) else 0


def place_of(folder: Path, store: str | None, project: str) -> AuditPlace:
    from recaption.runs.auditing import AuditPlace

    return AuditPlace(folder=folder, store=store, project=project)


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--guideline {path}: cannot be read as UTF-8 text: {error}") from error


def _serve(
    store: AuditStore, names: list[str], *, host: str, port: int, hosts: list[str], browser: bool
) -> None:
    """Serve the page until it is interrupted, with a fresh link for everybody named.

    Where nobody is named and the page is for this machine alone, its only auditor gets one. Elsewhere a link that was
    sent to somebody stays good.
    """
    from recaption import console
    from recaption.audit.project import About
    from recaption.audit.web.serving import is_loopback, link, serve

    for name in names:
        if store.auditor_named(name) is None:
            store.add_auditor(name)

    is_private = is_loopback(host) and not hosts

    def ready(origin: str) -> None:
        """Print the links, which end those before them: not before the page is there to be opened by them."""
        active = [auditor.name for auditor in store.auditors() if auditor.active]
        invited = names or (active if len(active) == 1 and is_private else [] if active else ["me"])
        tokens = {name: _token(store, name) for name in invited}
        for name, token in tokens.items():
            console.out.print(f"{console.safe(name)}: {link(origin, token)}")
        if not tokens:
            console.out.print(f"{origin} is open for {console.safe(', '.join(active))}")
        console.out.print("a link is good once; for another one: recaption audit invite OUT NAME", style="dim")
        console.out.print("Ctrl+C ends; everything that was said is kept", style="dim")
        if browser and is_private and len(tokens) == 1:
            import webbrowser

            webbrowser.open(link(origin, *tokens.values()))

    serve(store, About.of(store.settings.about), host=host, port=port, names=hosts, ready=ready)


def _token(store: AuditStore, name: str) -> str:
    """Return a new token for somebody, who is added where they are not known yet."""
    known = store.auditor_named(name)
    return store.add_auditor(name)[1] if known is None else store.renew_token(known.id)
