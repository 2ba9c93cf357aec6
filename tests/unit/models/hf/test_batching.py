"""Which rows share a batch, and how batches shrink and grow."""

from collections.abc import Sequence

from recaption.models.hf.batching import BatchSize, OutOfMemoryError, Row, in_batches, in_order


def rows(*pictures: str, mode: str = "drawn") -> list[Row]:
    return [Row(i, 0, mode, picture, len(picture)) for i, picture in enumerate(pictures)]


def sizes(given: Sequence[Row], size: BatchSize, fits: int) -> list[int]:
    """Return the sizes of the batches tried, where so many rows fit; failed tries are negative."""
    tried = []

    def run(batch: Sequence[Row]) -> Sequence[int]:
        tried.append(len(batch) if len(batch) <= fits else -len(batch))
        if len(batch) > fits:
            raise OutOfMemoryError
        return [row.request for row in batch]

    done = list(in_batches(given, size, run))
    assert [row for batch in done for row in batch.rows] == list(given)
    return tried


class TestOrder:
    def test_pictures_stay_together_and_the_short_come_first(self) -> None:
        ordered = in_order(rows("long picture", "b", "long picture", "aa", "b"))
        assert [row.request for row in ordered] == [1, 4, 3, 0, 2]

    def test_modes_stay_apart(self) -> None:
        mixed = [Row(0, 0, ("a",), "p", 1), Row(1, 0, ("b",), "p", 1), Row(2, 0, ("a",), "p", 1)]
        assert sizes(in_order(mixed), BatchSize(8), fits=8) == [2, 1]


class TestBatches:
    def test_no_more_than_the_most(self) -> None:
        assert sizes(rows(*"abcdefg"), BatchSize(3), fits=9) == [3, 3, 1]

    def test_the_rows_of_a_picture_are_not_torn(self) -> None:
        assert sizes(rows("a", "a", "b", "b", "b", "c"), BatchSize(4), fits=9) == [2, 4]

    def test_a_picture_with_more_rows_than_the_most_is_torn(self) -> None:
        assert sizes(rows(*["a"] * 5), BatchSize(2), fits=9) == [2, 2, 1]

    def test_half_as_many_when_memory_is_short(self) -> None:
        assert sizes(rows(*"abcdefgh"), BatchSize(8), fits=3) == [-8, -4, 2, 2, 2, 2]

    def test_one_row_that_does_not_fit_has_no_result_and_the_others_go_on(self) -> None:
        def run(batch: Sequence[Row]) -> Sequence[int]:
            if any(row.picture == "b" for row in batch):
                raise OutOfMemoryError
            return [0] * len(batch)

        done = list(in_batches(rows("a", "b", "c"), BatchSize(4), run))
        assert [(batch.rows[0].picture, batch.results) for batch in done] == [
            ("a", [0]),
            ("b", None),
            ("c", [0]),
        ]

    def test_all_is_tried_again_once_memory_is_there(self) -> None:
        size = BatchSize(8)
        assert sizes(rows(*"abcdefgh"), size, fits=4) == [-8, 4, 4]
        assert sizes(rows(*map(str, range(80))), size, fits=8)[-1] == 8
        assert size.now == 8
