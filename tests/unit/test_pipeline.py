"""The pipeline: order, accounting, and one bad record among good ones."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from recaption.core.errors import BackendError, DataError, ImageError, UserError
from recaption.core.protocols import Context, Stage
from recaption.core.types import Caption, Dropped, Failed, Kept, Outcome, Provenance, Record, Rejected
from recaption.media.images import BatchImages
from recaption.pipeline import Pipeline


class Ledger:
    def recall(self, keys, call):
        return list(call(range(len(keys))))


class Each:
    """A stage made of one function over one record."""

    version, fingerprint = "1", ""

    def __init__(self, name: str, one: Callable[[Record], Outcome]) -> None:
        self.name, self.one = name, one
        self.seen: list[int] = []

    def process(self, records: Sequence[Record], context: Context) -> Sequence[Outcome]:
        self.seen.append(len(records))
        return [self.one(record) for record in records]


def run(stages: Sequence[Stage], keys: Sequence[str]) -> list[Record | Rejected]:
    pipeline = Pipeline(stages=stages, make_images=BatchImages, ledger=Ledger(), meter=None)  # type: ignore[arg-type]
    return pipeline.run_batch([Record(key=k) for k in keys])


def marked(record: Record) -> Outcome:
    return Kept(replace(record, metadata={**record.metadata, "seen": True}))


def test_every_item_has_one_result_in_order():
    drop_b = Each("judge", lambda r: Dropped("no b") if r.key == "b" else Kept(r))
    fail_c = Each("read", lambda r: Failed("gone", retryable=True) if r.key == "c" else Kept(r))
    last = Each("mark", marked)
    results = run([drop_b, fail_c, last], ["a", "b", "c", "d"])
    assert [r.key for r in results] == ["a", "b", "c", "d"]
    assert results[1] == Rejected(key="b", stage="judge", kind="dropped", reason="no b")
    assert results[2] == Rejected(key="c", stage="read", kind="failed", reason="gone", retryable=True)
    assert last.seen == [2]  # what is out is not asked again
    assert results[0].metadata == {"seen": True}  # type: ignore[union-attr]


def test_items_rejected_before_pass_through():
    earlier = Rejected(key="x", stage="read", kind="failed", reason="torn")
    pipeline = Pipeline(stages=[Each("mark", marked)], make_images=BatchImages, ledger=Ledger(), meter=None)  # type: ignore[arg-type]
    results = pipeline.run_batch([earlier, Record(key="a")])
    assert results[0] is earlier
    assert isinstance(results[1], Record)


def test_a_stage_that_trips_over_one_record_fails_that_record_alone():
    def picky(record: Record) -> Outcome:
        if record.key == "bad":
            raise ZeroDivisionError("no such thing")
        return Kept(record)

    results = run([Each("picky", picky)], ["a", "bad", "c"])
    assert [isinstance(r, Record) for r in results] == [True, False, True]
    assert isinstance(results[1], Rejected)
    assert (results[1].stage, results[1].reason) == ("picky", "ZeroDivisionError: no such thing")


@pytest.mark.parametrize("error", [BackendError("gone"), UserError("no such file")])
def test_what_concerns_the_whole_run_ends_it(error: Exception):
    def gone(record: Record) -> Outcome:
        raise error

    with pytest.raises(type(error), match=str(error)):
        run([Each("model", gone)], ["a", "b"])


def test_a_stage_that_loses_a_record_is_found_out():
    class Short(Each):
        def process(self, records: Sequence[Record], context: Context) -> Sequence[Outcome]:
            return [Kept(r) for r in records[1:]]

    with pytest.raises(BackendError, match="'short' gave 1 outcomes for 2 records"):
        run([Short("short", marked)], ["a", "b"])


def test_reasons_are_one_line_and_bounded():
    results = run([Each("long", lambda r: Failed("line\nline " * 500))], ["a"])
    assert isinstance(results[0], Rejected)
    assert "\n" not in results[0].reason
    assert len(results[0].reason) <= 500


def test_what_the_source_said_is_kept_to_a_size_fit_for_inspection():
    long = Caption(text="x" * 1_000_000, origin="alt", provenance=Provenance(stage="source"))
    pipeline = Pipeline(
        stages=[Each("judge", lambda r: Dropped("no"))],
        make_images=BatchImages,
        ledger=Ledger(),
        meter=None,  # type: ignore[arg-type]
    )
    (result,) = pipeline.run_batch([Record(key="a", captions=(long,))])
    assert isinstance(result, Rejected)
    assert result.raw == "x" * 2048


def test_a_reject_is_bounded_wherever_it_comes_from():
    made = Rejected(key="k", stage="read", kind="failed", reason=" a\nb\u2028" * 10_000, raw="y" * 10_000)
    assert made.reason.startswith("a b a b")
    assert len(made.reason.splitlines()) == 1
    assert len(made.reason) <= 500
    assert made.raw == "y" * 2048
    assert replace(made, key="l").reason == made.reason
    assert Rejected(key="k", stage="s", kind="failed", reason="r").raw is None


@pytest.mark.parametrize("error", [DataError("the cell is gone", retryable=True), ImageError("torn")])
def test_what_a_stage_says_about_one_record_is_its_reason(error: DataError):
    def picky(record: Record) -> Outcome:
        if record.key == "bad":
            raise error
        return Kept(record)

    results = run([Each("picky", picky)], ["a", "bad", "c"])
    assert [isinstance(r, Record) for r in results] == [True, False, True]
    assert results[1] == Rejected(
        key="bad", stage="picky", kind="failed", reason=str(error), retryable=error.retryable
    )
