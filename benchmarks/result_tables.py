"""The tables of measurements in ``docs/``, each from its file in ``benchmarks/results``."""

from collections.abc import Callable

from kept_rows import FOLDER, Row, one_row, rows_of
from markdown_table import table
from readme_table import GRAPHS, all_rows, readme_rows
from speed_tables import c_model, packed_programs, some_nodes, throughput
from task_tables import (
    architectures,
    next_values,
    several_labels,
    units,
    unseen_graph,
    whole_graphs,
)

_GRANULARITIES = ("uniform", "lwq", "cwq", "taq", "lwq_cwq", "lwq_cwq_taq")
_MODELS = ("gcn", "agnn", "gat")
_PARTS = {
    "all of them": "the default",
    "min-max ranges": "min-max ranges",
    "no fine-tuning": "no fine-tuning",
    "labels, no distillation": "labels, no distillation",
    "one teacher": "one teacher",
    "no sharpened teacher": "no sharpened teacher",
    "no sensitivity seeding": "no sensitivity seeding",
    "no early stopping": "no early stopping",
    "no re-measuring": "no re-measuring",
    "no refinement": "no refinement (only the first 8 points confirmed)",
    "features in dense codes": "features in dense codes, 1 bit an element",
}


def granularities() -> list[str]:
    """Memory and test drop of each granularity and model."""
    rows = []
    for granularity in _GRANULARITIES:
        found = [one_row("ablation", model=m, variant=granularity) for m in _MODELS]
        rows.append([f"`{granularity}`", *map(_granularity_cell, found)])
    return table(("", *(model.upper() for model in _MODELS)), rows)


def _granularity_cell(row: Row) -> str:
    ratios = f"{row['resident_ratio']:.0f}x ({row['sgquant_ratio']:.1f}x)"
    return f"{ratios}, {row['test_accuracy_drop']:+.2f}"


def parts() -> list[str]:
    """What a search finds when one part of the method is switched off."""
    names = ("GCN, one thing changed", "resident", "sgquant", "estimated drop", "test drop")
    formats = {
        "resident_ratio": "{:.0f}x",
        "sgquant_ratio": "{:.1f}x",
        "estimated_drop": "{:+.2f}",
        "test_accuracy_drop": "{:+.2f}",
        "epochs": "{:.0%}",
        "optimism": "{:.2f}",
    }
    rows = []
    for variant, name in _PARTS.items():
        row = one_row("ablation", model="gcn", variant=variant)
        cells = [f.format(row[k]) if k in row else "" for k, f in formats.items()]
        rows.append([name + _misses(row), *cells])
    return table((*names, "epochs", "optimism"), rows)


def _misses(row: Row) -> str:
    if row.get("within") == row.get("searches"):
        return ""
    return f" (within the tolerance in {row['within']} of {row['searches']} searches)"


def successors() -> list[str]:
    """Methods that came after SGQuant, beside this one."""
    rows = [
        [
            row["rival"],
            _with_width(row["model"]),
            f"{row['bits']:.2f}",
            f"{row['test_%']:.1f}",
            f"{row['our_hidden_bits']:.2f}",
            f"{row['our_average_bits']:.2f}",
            f"{row['our_test_%']:.1f} ± {row['std']:.1f}",
        ]
        for row in rows_of("successors")
    ]
    return table(
        (
            *("other method", "model", "its bits", "its test %"),
            *("hidden bits here", "bits of all elements here", "test % here"),
        ),
        rows,
    )


def _with_width(model: str) -> str:
    """``gcn, model.hidden=16`` as a reader would write it."""
    name, width = model.split(", model.hidden=")
    return f"{name.upper()}, hidden {width}"


def temperatures() -> list[str]:
    """Test accuracy above full precision, by plain and by sharpened teachers."""
    columns = [(model, t) for model in ("gcn", "gat") for t in ("1.0", "0.35")]
    rows = []
    for bits in ("8", "4", "2", "1"):
        found = [(one_row("temperatures", model=m, bits=bits), f"T={t}") for m, t in columns]
        rows.append([bits, *(f"{row[t]:+.1f} ± {row[f'{t}_std']:.1f}" for row, t in found)])
    kinds = ("GCN, plain", "GCN, sharpened", "GAT, plain", "GAT, sharpened")
    return table(("bits of everything", *kinds), rows)


def weighted() -> list[str]:
    """Accuracy with weights of edges at few bits, where they tell."""
    widths = (1, 2, 3, 4, 8)
    rows = [
        [
            str(row["graph"]),
            *(f"{100 * row[name]:.1f}" for name in ("unweighted", "weighted")),
            *(f"{100 * row[f'{bits}_bits']:.1f}" for bits in widths),
        ]
        for row in rows_of("weighted")
    ]
    named = [f"{bits} bit{'s' * (bits > 1)}" for bits in widths]
    return table(("graph", "without weights", "with weights, fp32", *named), rows)


def drop_estimates() -> list[str]:
    """How far two estimates of the test drop are from what test labels say."""
    rows = [
        [
            GRAPHS.get(row["dataset"], row["dataset"]),
            str(row["points"]),
            *(
                f"{row[f'{kind}_error']:+.2f} ({row[f'{kind}_rmse']:.2f})"
                for kind in ("val_drop", "estimated_drop")
            ),
        ]
        for row in rows_of("drop_estimates")
    ]
    kinds = ("drop on validation nodes: error (RMSE)", "estimated drop: error (RMSE)")
    return table(("graph", "points", *kinds), rows)


def default_seeds() -> list[str]:
    """What the default command recommends with each seed, and what test nodes say of it."""
    names = ("seed", "KiB", "than sparse fp32", "than PyG", "promised: at most", "on test nodes")
    rows = [
        [
            str(row["seed"]),
            f"{row['kib']:.1f}",
            f"{row['resident_ratio_sparse_fp32']:.1f}x",
            f"{row['resident_ratio']:.0f}x",
            f"{row['drop_at_most']:+.2f}" if "drop_at_most" in row else "",
            f"{row['test_drop']:+.2f}",
        ]
        for row in rows_of("default_seeds")
    ]
    return table(names, rows)


def trust() -> list[str]:
    """How often recommended artifacts keep their promise, graph by graph."""
    names = (
        "graph",
        "constants",
        "searches",
        "lose more",
        "intervals right",
        "price",
        "safe, but none",
    )
    rows = [
        [
            GRAPHS.get(row["graph"], row["graph"]),
            {"others": "other graphs'"}.get(row["constants"], row["constants"]),
            str(row["studies"]),
            f"{row['exceed_%']:.0f} % of {row['recommended']}",
            f"{row['coverage_%']:.0f} % of {row['intervals']}",
            f"{row['price']:.2f}",
            str(row["safe_without"]),
        ]
        for row in rows_of("trust")
    ]
    return table(names, rows)


def tuning() -> list[str]:
    """Test accuracy of settings given, of a grid's best, and of tuning."""
    names = ("graph, split", "settings given", "best of 16", "tuned")
    rows = [
        [
            row["graph"].replace("amazon_computers", "Computers"),
            *(
                f"{row[f'{side}_test_%']:.1f} ± {row[f'{side}_std']:.1f}"
                for side in ("given", "grid", "tuned")
            ),
        ]
        for row in rows_of("tuning")
    ]
    return table(names, rows)


def front_output() -> list[str]:
    """What a search prints about its front, as ``doc_pictures.py`` kept it."""
    return ["```text", *_front_lines(), "```"]


def short_front_output() -> list[str]:
    """The recommended row with its neighbours, and the sentences about it."""
    lines = _front_lines()
    # The table ends where sentences begin.
    end = next(k for k, line in enumerate(lines) if line[:1].isalpha())
    marked = next(k for k, line in enumerate(lines) if line.startswith("->"))
    rows = [lines[0], lines[1], *lines[max(2, marked - 1) : min(marked + 2, end)]]
    first = next(k for k, line in enumerate(lines) if line.startswith("Recommended:"))
    return ["```text", *rows, "", *lines[first:], "```"]


def _front_lines() -> list[str]:
    return (FOLDER / "front.txt").read_text(encoding="utf-8").splitlines()


TABLES: dict[str, Callable[[], list[str]]] = {
    "readme": readme_rows,
    "paper_table": all_rows,
    "granularities": granularities,
    "parts": parts,
    "successors": successors,
    "temperatures": temperatures,
    "throughput": throughput,
    "packed_programs": packed_programs,
    "some_nodes": some_nodes,
    "c_model": c_model,
    "units": units,
    "weighted": weighted,
    "whole_graphs": whole_graphs,
    "several_labels": several_labels,
    "architectures": architectures,
    "unseen_graph": unseen_graph,
    "next_values": next_values,
    "drop_estimates": drop_estimates,
    "default_seeds": default_seeds,
    "trust": trust,
    "tuning": tuning,
    "front_output": front_output,
    "short_front_output": short_front_output,
}
