"""How long an answer is waited for."""

from recaption.models.openai.patience import Patience


def test_nothing_is_given_up_before_anything_is_known():
    patience = Patience(2.0, 300.0)
    for _ in range(7):
        assert patience.limit_s("a", 0) == 300.0
        patience.saw("a", 1.0)


def test_what_is_usual_is_learned_within_bounds():
    patience = Patience(2.0, 300.0)
    for _ in range(8):
        patience.saw("a", 1.0)
    assert patience.limit_s("a", 0) == 20.0
    for _ in range(32):
        patience.saw("a", 1.0)
    assert patience.limit_s("a", 0) == 5.0
    patience.saw("a", 4.0)
    assert patience.limit_s("a", 0) == 20.0
    for _ in range(128):
        patience.saw("a", 0.01)
    assert patience.limit_s("a", 0) == 2.0
    patience.saw("a", 1000.0)
    assert patience.limit_s("a", 0) == 300.0


def test_a_call_given_up_gets_twice_as_long_the_next_time():
    patience = Patience(2.0, 300.0)
    for _ in range(40):
        patience.saw("a", 1.0)
    assert [patience.limit_s("a", lost) for lost in range(4)] == [5.0, 10.0, 20.0, 40.0]
    assert patience.limit_s("a", 10_000) == 300.0


def test_another_kind_of_call_gets_more_time_until_it_is_known():
    patience = Patience(2.0, 300.0)
    for _ in range(40):
        patience.saw((64, 1), 1.0)
    assert patience.limit_s((512, 1), 0) == 20.0
