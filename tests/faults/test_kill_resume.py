"""Killed at any moment, a run loses nothing, doubles nothing, and ends in the same bytes."""

import pytest

from benchmarks.kill_resume import campaign


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_run_ends_like_an_undisturbed_one(tmp_path):
    trials = list(campaign(tmp_path, images=300, moments_s=6, seed=1))
    assert [t.identical for t in trials] == [True] * 6
    assert any(t.was_running for t in trials)
    # 8 batches of 32 may be in flight on 4 threads; what was answered and synced is never asked again.
    assert max(t.repeated for t in trials) <= 8 * 32
