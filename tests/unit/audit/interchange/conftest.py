"""One audit for all files that must change nothing."""

import pytest

from tests.unit.audit.interchange.audits import audit, captions


@pytest.fixture(scope="package")
def untouched(tmp_path_factory):
    """A store that nothing is ever recorded in; whoever uses it checks so."""
    with audit(tmp_path_factory.mktemp("untouched"), captions("a cat", "a dog")) as store:
        yield store
        assert (list(store.verdicts()), store.auditors()) == ([], [])
