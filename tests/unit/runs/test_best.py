"""The best share of a run: exact, in its order, the same every time, and honest about who has no score."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.core.errors import RunFolderError, UserError
from recaption.core.types import Caption, Provenance, Record, Rejected, Score
from recaption.datasets.run_folder import RunFolder
from recaption.runs.best import best_share

LABEL = "image text\ud800"


def record(key, value):
    scores = {"other": Score(value=-1.0)}
    if value != "unscored":
        scores[LABEL] = Score(value=value) if value is not None else Score(value=None, reason="no image")
    worse = Caption(
        text="worse", origin="model", provenance=Provenance(stage="caption"), scores={LABEL: Score(value=9e9)}
    )
    best = Caption(text="best", origin="model", provenance=Provenance(stage="caption"), scores=scores)
    return Record(key=key, captions=(worse, best), chosen=best.id)


def written(folder, values, shard_size=3):
    run = RunFolder(folder)
    with run.locked():
        run.begin({"format": 1, "complete": True, "input": {"path": "in"}, "seed": 0, "shard_size": shard_size})
        for shard in range(0, len(values), shard_size):
            part = [record(str(i), values[i]) for i in range(shard, min(len(values), shard + shard_size))]
            reject = Rejected(key=f"r{shard}", stage="read", kind="failed", reason="torn")
            run.commit(shard // shard_size, [*part, reject], input_digest="", work_digest="", stats={})
    return run


def keys(best):
    return [record.key for record in best.records()]


def test_the_best_half_comes_in_the_order_of_the_run(tmp_path):
    run = written(tmp_path / "out", [0.1, 0.9, None, 0.5, 0.7, "unscored", 0.3])
    best = best_share(run, LABEL, 0.5)
    assert keys(best) == ["1", "3", "4"]
    assert (best.kept, best.worse, best.lacking, best.limit) == (3, 2, 2, 0.5)
    lowest = best_share(run, LABEL, 0.4, lowest=True)
    assert keys(lowest) == ["0", "6"]
    assert lowest.limit == 0.3


def test_of_equal_scores_the_first_stand(tmp_path):
    run = written(tmp_path / "out", [0.5] * 7)
    assert keys(best_share(run, LABEL, 0.5)) == ["0", "1", "2", "3"]
    assert keys(best_share(run, LABEL, 0.5, lowest=True)) == ["0", "1", "2", "3"]


def test_a_share_that_binary_numbers_miss_is_not_rounded_up(tmp_path):
    assert best_share(written(tmp_path / "out", [*map(float, range(30))]), LABEL, 0.1).kept == 3


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1, math.nan])
def test_what_is_no_share_is_refused(tmp_path, share):
    with pytest.raises(UserError, match="no share"):
        best_share(written(tmp_path / "out", [1.0]), LABEL, share)


def test_a_score_that_nobody_has_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(UserError, match=r"no chosen caption .* 'mispelt'; there are: image text.*, other"):
        best_share(written(tmp_path / "out", [1.0, "unscored"]), "mispelt", 0.5)


def test_a_run_that_changes_meanwhile_is_noticed(tmp_path):
    run = written(tmp_path / "out", [1.0, 2.0, 3.0, 4.0])
    best = best_share(run, LABEL, 1.0)
    run.discard(1)
    with pytest.raises(RunFolderError, match="has changed"):
        keys(best)


def test_a_damaged_file_is_said(tmp_path):
    run = written(tmp_path / "out", [1.0])
    (run.captions / "00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunFolderError, match="is damaged"):
        best_share(run, LABEL, 1.0)


VALUES = st.lists(st.none() | st.just("unscored") | st.integers(-3, 3).map(float), min_size=1, max_size=12)


@pytest.mark.slow
@given(VALUES, st.floats(0.01, 1), st.booleans())
def test_nobody_left_out_is_better_than_anybody_kept(tmp_path_factory, values, share, lowest):
    run = written(tmp_path_factory.mktemp("best") / "out", values)
    scored = {str(i): v for i, v in enumerate(values) if isinstance(v, float)}
    if not scored:
        with pytest.raises(UserError, match="no chosen caption"):
            best_share(run, LABEL, share, lowest=lowest)
        return
    best = best_share(run, LABEL, share, lowest=lowest)
    kept = keys(best)
    assert len(kept) == best.kept == math.ceil(share * len(scored) - 1e-9)
    assert best.kept + best.worse + best.lacking == len(values)
    assert kept == sorted(kept, key=int)
    sign = -1 if lowest else 1
    out = [sign * v for key, v in scored.items() if key not in kept]
    assert not out or max(out) <= min(sign * scored[key] for key in kept)
