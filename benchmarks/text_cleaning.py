"""Clean alt-texts beside py-data-juicer, datatrove and NeMo Curator: same operations, one core, outputs compared.

    python benchmarks/text_cleaning.py TEXTS [--peers-dir DIR] [--install] [--rows N] [--processes N] [--end-to-end N]

TEXTS is a parquet file with a column TEXT, or a file with one text per line. The peers live in environments of
their own; `--install` makes them (a few minutes, 3 GB), and these are the commands:

    python -m venv DIR/data-juicer
    DIR/data-juicer/bin/pip install py-data-juicer==1.6.1 'datasets<5' transformers==4.57.1
    python -m venv DIR/datatrove
    DIR/datatrove/bin/pip install datatrove==0.10.1 regex ftfy orjson
    python -m venv DIR/nemo
    DIR/nemo/bin/pip install --no-deps nemo-curator==1.4.0 cosmos-xenna==0.2.0
    DIR/nemo/bin/pip install ftfy regex pandas pyarrow loguru 'ray[default]==2.60.0'

A peer whose environment is not there is left out. Inside the operations CPU seconds of the process count, the best of
all rounds; processes of the tools take turns. End to end the wall clock counts, start-up included.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq

ROUNDS = 5
INSTALL = {
    "data-juicer": [["py-data-juicer==1.6.1", "datasets<5", "transformers==4.57.1"]],
    "datatrove": [["datatrove==0.10.1", "regex", "ftfy", "orjson"]],
    "nemo": [
        ["--no-deps", "nemo-curator==1.4.0", "cosmos-xenna==0.2.0"],
        ["ftfy", "regex", "pandas", "pyarrow", "loguru", "ray[default]==2.60.0"],
    ],
}
CHAINS = {"data-juicer": "chain of 6", "datatrove": "chain of 2", "nemo": "chain of 3"}

HARNESS = """
import json, sys, time
texts, rounds, ops = json.load(open(sys.argv[1])), int(sys.argv[3]), {}
exec(open(sys.argv[4]).read())
outputs = {name: list(op(list(texts))) for name, op in ops.items()}
seconds = {name: [] for name in ops}
for _ in range(rounds):
    for name, op in ops.items():
        given = list(texts)
        start = time.process_time()
        op(given)
        seconds[name].append(time.process_time() - start)
json.dump({"seconds": seconds, "outputs": outputs}, open(sys.argv[2], "w"))
"""

OURS = """
from recaption.media.rules import RULE_NAMES, NormaliseOptions, make_normaliser

def normalise(*on):
    normaliser = make_normaliser(NormaliseOptions(rules={rule: rule in on for rule in RULE_NAMES}))
    return lambda texts: [result.text for result in normaliser.run_many(texts)]

ops["unicode"] = normalise("mojibake", "entities")
ops["html"] = normalise("html", "entities")
ops["links"] = normalise("urls")
ops["emails"] = normalise("emails")
ops["repeats"] = normalise("repeats")
ops["white space"] = normalise("spacing")
ops["chain of 6"] = normalise("mojibake", "html", "entities", "urls", "emails", "repeats", "spacing")
ops["chain of 2"] = normalise("mojibake", "entities", "emails")
ops["chain of 3"] = normalise("mojibake", "entities", "urls", "spacing")
ops["all rules"] = normalise(*RULE_NAMES)
"""

ADAPTERS = {
    "data-juicer": """
from data_juicer.ops.mapper.clean_email_mapper import CleanEmailMapper
from data_juicer.ops.mapper.clean_html_mapper import CleanHtmlMapper
from data_juicer.ops.mapper.clean_links_mapper import CleanLinksMapper
from data_juicer.ops.mapper.fix_unicode_mapper import FixUnicodeMapper
from data_juicer.ops.mapper.remove_repeat_sentences_mapper import RemoveRepeatSentencesMapper
from data_juicer.ops.mapper.whitespace_normalization_mapper import WhitespaceNormalizationMapper

def mapped(*mappers):
    def run(texts):
        done = []
        for start in range(0, len(texts), 1000):
            batch = {"text": texts[start : start + 1000]}
            for mapper in mappers:
                batch = mapper.process_batched(batch)
            done.extend(batch["text"])
        return done
    return run

each = {
    "unicode": FixUnicodeMapper(), "html": CleanHtmlMapper(), "links": CleanLinksMapper(),
    "emails": CleanEmailMapper(), "repeats": RemoveRepeatSentencesMapper(),
    "white space": WhitespaceNormalizationMapper(),
}
ops.update({name: mapped(mapper) for name, mapper in each.items()})
ops["chain of 6"] = mapped(*each.values())
""",
    "datatrove": """
from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter
unicode, emails = FTFYFormatter(), PIIFormatter(remove_emails=True, remove_ips=False, email_replacement="")
ops["unicode"] = lambda texts: [unicode.format(text) for text in texts]
ops["emails"] = lambda texts: [emails.format(text) for text in texts]
ops["chain of 2"] = lambda texts: [emails.format(unicode.format(text)) for text in texts]
""",
    "nemo": """
from nemo_curator.stages.text.modifiers import NewlineNormalizer, UrlRemover
from nemo_curator.stages.text.modifiers.unicode.unicode_reformatter import UnicodeReformatter
unicode, links, lines = UnicodeReformatter(), UrlRemover(), NewlineNormalizer()
ops["unicode"] = lambda texts: [unicode.modify_document(text) for text in texts]
ops["links"] = lambda texts: [links.modify_document(text) for text in texts]
ops["chain of 3"] = lambda texts: [
    lines.modify_document(links.modify_document(unicode.modify_document(text))) for text in texts
]
""",
}

OURS_FILE_TO_FILE = """
import json, sys
from recaption.media.rules import make_normaliser
lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
results = make_normaliser().run_many([json.loads(line)["text"] for line in lines])
with open(sys.argv[2] + "/out.jsonl", "w", encoding="utf-8") as out:
    out.writelines(json.dumps({"text": result.text}, ensure_ascii=False) + "\\n" for result in results)
"""

DATATROVE_FILE_TO_FILE = """
import sys
from pathlib import Path
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
source = Path(sys.argv[1])
steps = [
    JsonlReader(str(source.parent), glob_pattern=source.name),
    FTFYFormatter(), PIIFormatter(remove_emails=True, remove_ips=False),
    JsonlWriter(sys.argv[2] + "/out", compression=None),
]
LocalPipelineExecutor(pipeline=steps, tasks=1, logging_dir=sys.argv[2] + "/log").run()
"""

DATA_JUICER_CONFIG = """
project_name: bench
dataset_path: {source}
export_path: {target}/out.jsonl
np: 1
use_cache: false
open_monitor: false
process:
  - fix_unicode_mapper:
  - clean_html_mapper:
  - clean_links_mapper:
  - clean_email_mapper:
  - remove_repeat_sentences_mapper:
  - whitespace_normalization_mapper:
"""


def read_texts(path: Path, rows: int, seed: int) -> list[str]:
    """Return `rows` texts: those of the file, then variations of them with one word of another text."""
    if path.suffix == ".parquet":
        texts = [str(text) for text in pq.read_table(path, columns=["TEXT"])["TEXT"].to_pylist()]
    else:
        texts = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
    draw = random.Random(seed)
    given = len(texts)
    while len(texts) < rows:
        parts, others = draw.choice(texts[:given]).split(" "), draw.choice(texts[:given]).split(" ")
        parts[draw.randrange(len(parts))] = draw.choice(others)
        texts.append(" ".join(parts))
    return texts[:rows]


def pinned(command: Sequence[str], **variables: str) -> None:
    """Run a command on one core with one thread; its output is shown only if it fails."""
    environment = {
        **os.environ,
        **dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"], "1"),
    }
    core = str(min(os.sched_getaffinity(0)))
    done = subprocess.run(
        ["taskset", "-c", core, *command],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")


def install(folder: Path) -> None:
    """Make one environment per peer."""
    for peer, steps in INSTALL.items():
        subprocess.run([sys.executable, "-m", "venv", str(folder / peer)], check=True)
        for step in steps:
            subprocess.run([str(folder / peer / "bin" / "pip"), "install", "-q", *step], check=True)


def inside(
    texts: list[str], pythons: dict[str, str], processes: int, work: Path
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, list[str]]]]:
    """Return per tool and operation the best seconds, and the outputs."""
    source = work / "texts.json"
    source.write_text(json.dumps(texts))
    best: dict[str, dict[str, float]] = {tool: {} for tool in pythons}
    outputs: dict[str, dict[str, list[str]]] = {}
    for _ in range(processes):
        for tool, python in pythons.items():
            adapter, result = work / f"{tool}.py", work / f"{tool}.json"
            adapter.write_text(OURS if tool == "recaption" else ADAPTERS[tool])
            pinned([python, "-c", HARNESS, str(source), str(result), str(ROUNDS), str(adapter)])
            found = json.loads(result.read_text())
            outputs[tool] = found["outputs"]
            for name, seconds in found["seconds"].items():
                best[tool][name] = min(best[tool].get(name, float("inf")), *seconds)
    return best, outputs


def show_inside(
    texts: list[str], best: dict[str, dict[str, float]], outputs: dict[str, dict[str, list[str]]]
) -> None:
    """Print captions per second, ratios and agreement."""
    print("\n| operation | tool | captions/s | rows changed | ours | ours ÷ theirs | rows that differ |")
    print("|---|---|---|---|---|---|---|")
    ours = {name: len(texts) / seconds for name, seconds in best["recaption"].items()}
    for tool in (tool for tool in best if tool != "recaption"):
        for name, seconds in best[tool].items():
            rate = len(texts) / seconds
            theirs, mine = outputs[tool][name], outputs["recaption"][name]
            changed = sum(a != b for a, b in zip(texts, theirs, strict=True))
            differ = sum(a != b for a, b in zip(theirs, mine, strict=True))
            figures = f"{rate:,.0f} | {changed} | {ours[name]:,.0f} | {ours[name] / rate:.1f} | {differ}"
            print(f"| {name} | {tool} | {figures} |")
        chain = CHAINS[tool]
        ratio = ours["all rules"] / (len(texts) / best[tool][chain])
        print(f"| our all rules, their {chain} | {tool} | | | {ours['all rules']:,.0f} | {ratio:.1f} | |")
    for tool in (tool for tool in best if tool != "recaption"):
        for name in best[tool]:
            show_differences(texts, name, tool, outputs[tool][name], outputs["recaption"][name])


def show_differences(texts: list[str], name: str, tool: str, theirs: list[str], mine: list[str]) -> None:
    """Print three rows on which two tools disagree."""
    rows = [row for row in zip(texts, theirs, mine, strict=True) if row[1] != row[2]]
    if rows and not name.startswith("chain"):
        print(f"\n{name}: {tool} and recaption differ on {len(rows)} rows")
    for text, they, we in rows[:3] if not name.startswith("chain") else []:
        print(f"  given  {text[:110]!r}\n  theirs {they[:110]!r}\n  ours   {we[:110]!r}")


def end_to_end(texts: list[str], pythons: dict[str, str], rows: int, repeats: int, work: Path) -> None:
    """Print wall seconds from JSONL to JSONL, start-up included."""
    many = (texts * (rows // len(texts) + 1))[:rows]
    sizes = {10: many[:10], rows: many}
    for size, chosen in sizes.items():
        lines = (json.dumps({"id": str(n), "text": text}, ensure_ascii=False) for n, text in enumerate(chosen))
        (work / f"rows{size}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tools = ["recaption rules", "recaption run", *(t for t in ("data-juicer", "datatrove") if t in pythons)]
    walls: dict[tuple[str, int], list[float]] = {}
    for repeat in range(repeats):
        for tool in tools:
            for size in sizes:
                target = work / f"{tool.replace(' ', '-')}-{size}-{repeat}"
                target.mkdir()
                start = time.perf_counter()
                pinned(file_to_file(tool, pythons, work / f"rows{size}.jsonl", target))
                walls.setdefault((tool, size), []).append(time.perf_counter() - start)
    print(f"\n| file to file, {rows:,} rows | start-up s | wall s (all) | captions/s, start-up included |")
    print("|---|---|---|---|")
    for tool in tools:
        start, wall = statistics.median(walls[tool, 10]), statistics.median(walls[tool, rows])
        every = ", ".join(f"{seconds:.2f}" for seconds in walls[tool, rows])
        print(f"| {tool} | {start:.2f} | {wall:.2f} ({every}) | {rows / wall:,.0f} |")


def file_to_file(tool: str, pythons: dict[str, str], source: Path, target: Path) -> list[str]:
    """Return the command that cleans one JSONL file into another."""
    ours = pythons["recaption"]
    if tool == "recaption rules":
        return [ours, "-c", OURS_FILE_TO_FILE, str(source), str(target)]
    if tool == "recaption run":
        return [ours, "-m", "recaption", "run", str(source), str(target / "run"), "--recipe", "text"]
    if tool == "datatrove":
        return [pythons[tool], "-c", DATATROVE_FILE_TO_FILE, str(source), str(target)]
    config = target / "config.yaml"
    config.write_text(DATA_JUICER_CONFIG.format(source=source, target=target))
    return [str(Path(pythons[tool]).with_name("dj-process")), "--config", str(config)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--peers-dir", type=Path, default=Path("bench-peers"))
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--end-to-end", type=int, default=100_000, help="rows; 0 leaves it out")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.install:
        install(options.peers_dir)
    pythons = {"recaption": sys.executable}
    for peer in INSTALL:
        python = options.peers_dir.absolute() / peer / "bin" / "python"
        if python.exists():
            pythons[peer] = str(python)
        else:
            print(f"{peer}: no {python}, left out")
    texts = read_texts(options.texts, options.rows, options.seed)
    with TemporaryDirectory() as folder:
        best, outputs = inside(texts, pythons, options.processes, Path(folder))
        show_inside(texts, best, outputs)
        if options.end_to_end:
            end_to_end(texts, pythons, options.end_to_end, options.repeats, Path(folder))


if __name__ == "__main__":
    main()
