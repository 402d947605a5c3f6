"""How long buffers and registers of a model in C are needed."""

import numpy as np

from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.device.passes import Passes
from sgq_auto.packed.device.steps import Opcode

_RANGES = Ranges((4,), np.ones(1, np.float32), np.zeros(1, np.float32))


def test_a_buffer_is_one_row_unless_a_later_pass_reads_it() -> None:
    passes = Passes()
    value = passes.add(Opcode.READ_FEATURES, 3)
    for name in ("unread", "near", "far"):
        passes.write(name, name, value, _RANGES)
    passes.row_of("near")
    passes.start_pass()
    passes.row_of("far")
    planned = {held.name: held.planned for held in passes.buffers}
    assert {name for name, buffer in planned.items() if buffer.one_row} == {"unread", "near"}
    assert (planned["far"].first, planned["far"].last) == (0, 1)
    assert passes.reads_of(1) == [(0, False)]


def test_a_step_in_place_takes_the_register_of_an_input_that_nothing_reads_later() -> None:
    passes = Passes()
    first = passes.add(Opcode.READ_FEATURES, 3)
    bent = passes.add(Opcode.ACTIVATE, 3, first)
    total = passes.add(Opcode.ADD, 3, bent, first)
    passes.hand_over(total)
    places, count = passes.places()
    assert count == 6  # ``first`` is read once more after it is bent.
    assert places[total] == places[bent] != places[first]
