"""The tables of speed, each from its file in ``benchmarks/results``."""

from kept_rows import one_row, rows_of
from markdown_table import table
from readme_table import GRAPHS


def throughput() -> list[str]:
    """Trials a second of workers on one database."""
    sides = {
        "optuna": "Optuna's storage alone: `study.optimize`, random sampler",
        "here": "the workers of a search",
    }
    found = [(one_row("throughput", side=side), name) for side, name in sides.items()]
    rows = [[name, f"{row['trials_per_second']:.1f}"] for row, name in found]
    return table(("", "trials a second"), rows)


def packed_programs() -> list[str]:
    """The time of packed models of several architectures, against PyG."""
    names = {"residual_gcn": "GCN, 3 layers, batch norms, a residual", "sage": "GraphSAGE"}
    rows = [
        [
            GRAPHS[row["graph"]],
            names.get(row["model"], row["model"].upper()),
            *(f"{row[side]:,.1f}" for side in ("pyg_ms", "packed_ms")),
            f"{row['packed/pyg']:.2f}",
        ]
        for row in rows_of("packed_programs")
    ]
    return table(("graph", "model", "PyG, ms", "packed, ms", "packed / PyG"), rows)


def some_nodes() -> list[str]:
    """The time for some nodes as a share of that for all nodes."""
    rows = [
        [
            GRAPHS[row["graph"]],
            row["model"].upper(),
            *(f"{row[share]:.2f}" for share in ("one/all", "ten/all", "new/all")),
        ]
        for row in rows_of("some_nodes")
    ]
    return table(("graph", "model", "one node", "ten nodes", "a new node"), rows)


def c_model() -> list[str]:
    """The C model's time against the compiled kernels' and PyG's, and for one node."""
    rows = [
        [
            GRAPHS[row["graph"]],
            str(row["bits"]),
            *(f"{row[name]:.1f}" for name in ("c_ms", "kernels_ms", "pyg_ms")),
            f"{row['c/kernels']:.2f}",
            f"{row['c/pyg']:.2f}",
            f"1/{row['all/one']:.0f}",
        ]
        for row in rows_of("c_model")
    ]
    sides = ("C, ms", "kernels, ms", "PyG, ms", "C / kernels", "C / PyG", "one node / all")
    return table(("graph", "bits", *sides), rows)
