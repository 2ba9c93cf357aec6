"""What every test shares: a clean environment, and the optional folder of real data."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time, so that a failure is of what was changed; `--hypothesis-profile search` looks for new
# ones. How long an example takes says how busy the machine is.
WHATEVER_IT_TAKES = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("recaption", WHATEVER_IT_TAKES, derandomize=True, max_examples=50)
settings.register_profile("search", WHATEVER_IT_TAKES, max_examples=200)
settings.load_profile("recaption")

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """A folder of real photos, texts and hostile files; tests that need it skip where it is absent."""
    place = os.environ.get("RECAPTION_TEST_DATA")
    folder = Path(place) if place else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set RECAPTION_TEST_DATA to run this test")
    return folder
