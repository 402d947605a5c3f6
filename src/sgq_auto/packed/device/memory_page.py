"""``MEMORY.md``: what a model in C takes of flash and RAM, and for what."""

from collections.abc import Iterable

from sgq_auto.packed.device.c_model import CModel
from sgq_auto.packed.device.c_text import comment_text

_PAGE = """\
# Memory of this model in C

Written by sgq-auto. The figures are exact; a linker sees the same.

| memory | bytes |
|---|---:|
| flash: tables (`sgq_tables`) | {flash} |
| RAM: arena (`SGQ_ARENA_BYTES`) | {ram} |
{some}
The code and the stack come on top, and depend on the compiler: `make size` and `make stack` tell
them. The arena is for `float`; with `SGQ_DOUBLE`, registers take twice their bytes.{given}

## Flash, by part

| part | bytes |
|---|---:|
{parts}

## Arena, by buffer

| buffer | bytes | from byte | held in passes |
|---|---:|---:|---|
{buffers}

Buffers may share bytes where no pass needs both. A buffer of one row is written and read within a
pass, so that only the row at hand is held.
"""


_SOME = "| RAM: arena for some nodes (`SGQ_NODES_ARENA_BYTES`) | {some} |\n"

_GIVEN = """

This model is given its graph. The arena is that for the largest graph that it was made for, which
has {nodes} nodes and {edges} edges; the graph itself and its features are memory of the caller.
Another graph may need more, and then a larger arena."""


def memory_page(c_model: CModel) -> str:
    """The text of the page."""
    spec, allocation = c_model.model.graph.spec, c_model.model.allocation
    shape, footprint = c_model.shape, c_model.footprint
    sums = shape.sums * shape.sum_bytes(spec, allocation)
    start = sums + shape.number_bytes
    given = shape.given_graph_bytes(spec)
    places, codes = shape.buffer_places(spec, allocation)
    whole = f"0 to {len(c_model.passes.steps) - 1}"
    rows: list[tuple[object, ...]] = [
        ("sums of codes", sums, 0, whole),
        ("lanes of sums, registers", shape.number_bytes, sums, whole),
    ]
    if given:
        rows.append(("edges and rows of the graph", given, start, whole))
    start += given
    for buffer, place in zip(c_model.buffers, places, strict=True):
        name = comment_text(buffer.name) + (" (one row)" if buffer.one_row else "")
        size = buffer.num_bytes(spec, allocation)
        rows.append((name, size, start + place, f"{buffer.first} to {buffer.last}"))
    masks = len(c_model.passes.steps) * -(-spec.num_nodes // 8)
    has_some = not (spec.inductive or c_model.model.program.predicts_graphs)
    return _PAGE.format(
        flash=footprint.flash_bytes,
        ram=footprint.ram_bytes,
        some=_SOME.format(some=start + codes + masks) if has_some else "",
        given=_GIVEN.format(nodes=spec.num_nodes, edges=spec.num_edges) if given else "",
        parts=_table(shape.flash_parts(spec, allocation).items()),
        buffers=_table(rows),
    )


def _table(rows: Iterable[tuple[object, ...]]) -> str:
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)
