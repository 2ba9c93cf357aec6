"""The best share of a run, handed on by the command line."""

import json

import pytest

from recaption.datasets.run_folder import RunFolder
from tests.e2e.test_cli import add_images, recaption


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("best")
    add_images(folder / "images", range(10))
    recaption("run", folder / "images", folder / "out", "--show", "0")
    return folder / "out"


def tokens(out):
    return {r.key: r.best.scores["tokens"].value for r in RunFolder(out).records() if r.best}


@pytest.mark.parametrize("lowest", [False, True])
def test_the_best_half_is_written_and_the_rest_is_counted(out, tmp_path, lowest):
    told = recaption(
        "export", out, tmp_path / "t.jsonl", "--best", "0.5", "--by", "tokens", *["--lowest"] * lowest
    )
    assert "the best 5 of 10 by tokens" in told
    assert "left out: 5 that are worse, 0 without that score" in told
    found = tokens(out)
    keys = [json.loads(line)["key"] for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert len(keys) == 5
    kept, left = [found[k] for k in keys], [found[k] for k in found.keys() - set(keys)]
    assert max(kept) <= min(left) if lowest else min(kept) >= max(left)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--best", "0.5"], "go together"),
        (["--by", "tokens"], "go together"),
        (["--lowest"], "go together"),
        (["--best", "0.5", "--by", "nothing"], "there are: "),
        (["--best", "0", "--by", "tokens"], "no share"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_written(out, tmp_path, options, said):
    assert said in recaption("export", out, tmp_path / "t.jsonl", *options, code=2)
    assert list(tmp_path.iterdir()) == []
