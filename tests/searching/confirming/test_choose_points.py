"""Which points are confirmed: near the tolerance, behind a lucky front, between two that are."""

from points import point

from sgq_auto.searching import ConfirmSettings
from sgq_auto.searching.confirming.choose_points import choose_between, choose_points
from sgq_auto.searching.trials.repeated_measurements import Estimate


def test_most_points_lie_near_the_tolerance() -> None:
    front = [point(k, 0.60 + 0.01 * k, 100 + 10 * k) for k in range(22)]
    chosen = choose_points(front, 0.80, 0.4, ConfirmSettings(max_points=4))
    assert len(chosen) == 4
    near = [p for p in chosen if p.val_accuracy >= 0.80 - 0.014]
    assert len(near) == 3
    assert front[19] in near


def test_a_front_far_below_the_tolerance_is_confirmed_all_the_same() -> None:
    front = [point(k, 0.3 + 0.01 * k, 100 + 10 * k) for k in range(5)]
    assert choose_points(front, 0.80, 0.4, ConfirmSettings(max_points=8)) == front
    assert len(choose_points(front, 0.80, 0.4, ConfirmSettings(max_points=1))) == 1


def test_trials_that_noise_put_behind_the_front_stand_in() -> None:
    lucky = point(0, 0.82, 100)
    behind = [point(k, 0.80, 100 + 10 * k) for k in range(1, 4)]
    poor = point(4, 0.5, 400)
    chosen = choose_points([lucky, *behind, poor], 0.81, 0.4, ConfirmSettings(max_points=8))
    assert chosen == [lucky, *behind]


def test_where_full_precision_was_lucky_the_best_trials_count_as_near() -> None:
    front = [point(0, 0.60, 100), point(1, 0.70, 200)]
    behind = [point(2, 0.695, 300), point(3, 0.69, 400), point(4, 0.5, 500)]
    chosen = choose_points([*front, *behind], 0.9, 0.4, ConfirmSettings(max_points=8))
    assert chosen == [*front, behind[0], behind[1]]


def test_a_further_point_lies_between_what_holds_and_what_does_not() -> None:
    measured = [point(k, 0.70 + 0.001 * (k % 5), 100 + 10 * k) for k in range(20)]

    def chosen(**held: bool) -> Estimate | None:
        return choose_between(measured, [(measured[int(k[1:])], h) for k, h in held.items()])

    # Between 140 and 240 bytes; of middling size are 160 to 200; there 190 is the most accurate.
    assert chosen(p0=False, p4=False, p14=True, p19=True) == measured[9]
    assert chosen(p4=False, p9=True) == measured[7]
    assert chosen(p0=False, p1=True) is None
    # Nothing holds: the most accurate of the larger ones. Everything holds: of the smaller ones.
    assert chosen(p4=False) == measured[9]
    assert chosen(p4=True) == measured[3]
    assert choose_between([], []) is None
    # Of two points of one size, one that holds is enough.
    twin = point(30, 0.5, 240)
    assert choose_between(measured, [(twin, True), (measured[14], False)]) == measured[4]


def test_an_empty_front_confirms_nothing() -> None:
    assert choose_points([], 0.8, 0.4, ConfirmSettings()) == []
