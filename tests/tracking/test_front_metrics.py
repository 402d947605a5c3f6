"""Fronts as metrics whose step is the size in KiB."""

from typing import Any

from sgq_auto.tracking.front_metrics import front_metrics, size_step


def point(
    num_bytes: int, val: float | None, confirmed: tuple[float, float | None] | None = None
) -> Any:
    """An entry of a summary; ``confirmed`` are accuracies on validation and on test nodes."""
    means = confirmed and {"val_accuracy": confirmed[0], "test_accuracy": confirmed[1]}
    return {
        "stored_bytes": num_bytes,
        "resident_bytes": 7,
        "val_accuracy": val,
        "confirmed": means,
    }


def histories(front: list[Any], confirmed: list[Any]) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by metric, as a chart over time would have them."""
    found = {"objective": "stored_bytes", "front": front, "confirmed": confirmed}
    metrics = sorted(front_metrics(found, 1000), key=lambda metric: metric.timestamp)
    return {
        name: [(m.step, m.value) for m in metrics if m.key == name]
        for name in dict.fromkeys(m.key for m in metrics)
    }


def test_a_step_is_the_size_in_whole_kib_and_has_a_place_on_a_log_axis() -> None:
    assert [size_step(n) for n in (1, 1024, 1600, 84 * 1024 + 100)] == [1, 1, 2, 84]


def test_points_come_by_the_size_under_the_objective_whatever_their_order() -> None:
    found = histories(
        [point(9000, 0.8, (0.7, 0.6)), point(3000, 0.5)],
        [point(9000, 0.8, (0.7, 0.6)), point(5000, 0.6, (0.65, 0.66))],
    )
    assert found == {
        "front_val_accuracy": [(3, 0.5), (9, 0.8)],
        "confirmed_accuracy": [(5, 0.66), (9, 0.6)],
        "confirmed_val_accuracy": [(5, 0.65), (9, 0.7)],
    }


def test_of_one_size_the_better_on_validation_nodes_stays_and_test_labels_choose_nothing() -> None:
    found = histories(
        [point(3000, 0.5), point(3100, 0.6)],
        [point(3000, 0.5, (0.7, 0.6)), point(3100, 0.6, (0.65, 0.9))],
    )
    assert found == {
        "front_val_accuracy": [(3, 0.6)],
        "confirmed_accuracy": [(3, 0.6)],
        "confirmed_val_accuracy": [(3, 0.7)],
    }


def test_what_is_no_number_is_left_out() -> None:
    found = histories(
        [point(3000, float("nan")), point(3050, 0.4), point(3010, None)],
        [point(3000, 0.5), point(9000, 0.6, (0.7, None))],
    )
    assert found == {"front_val_accuracy": [(3, 0.4)], "confirmed_val_accuracy": [(9, 0.7)]}
