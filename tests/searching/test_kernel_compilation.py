"""That kernels compile is noted on the stage that waits for them."""

import numba

from sgq_auto.searching.command_stages import Stage
from sgq_auto.searching.kernel_compilation import compiling_noted


def test_a_stage_is_noted_while_a_kernel_compiles_and_only_then() -> None:
    @numba.njit
    def inner(x: int) -> int:
        return x + 1

    @numba.njit
    def kernel(x: int) -> int:
        return inner(x) * 2

    stages: list[Stage] = []
    with compiling_noted(stages.append) as tell:
        tell(Stage("training", 0, 4))
        assert kernel(1) == 4
        tell(Stage("training", 1, 4))
        noted = len(stages)
        assert kernel(2) == 6  # It is compiled already.
        assert len(stages) == noted
    assert [(stage.done, stage.note) for stage in stages] == [
        (0, ""),
        (0, "compiling, once"),
        (0, ""),
        (1, ""),
    ]
    kernel(1.5)  # Nobody is told any more.
    assert len(stages) == noted


def test_kernels_that_compile_before_a_stage_are_noted_too() -> None:
    @numba.njit
    def kernel(x: int) -> int:
        return x - 1

    stages: list[Stage] = []
    with compiling_noted(stages.append):
        kernel(1)
    assert stages[0] == Stage("preparing", note="compiling, once")
