"""Against the methods that came after SGQuant, on Cora's public split.

Their figures are validation-selected re-measurements: A2Q (Zhu et al., ICLR 2023) by effective bits
of the hidden layer, scales and indices counted; MixQ-GNN (Moustafa et al., 2025) by
element-weighted bits. Ours are the recommended points of the same protocol as
``paper_table.py``, whose studies are taken over where they are there.
"""

from pathlib import Path

from paper_table import ASKED, QUICK
from problem import finished_search
from report import Row, arguments, finish

# Method, model, override, folder, then their bits and test accuracy in %.
_RIVALS = (
    ("A2Q", "gcn", "model.hidden=16", "paper_table/cora-gcn", 3.93, 79.4),
    ("A2Q", "gat", "model.hidden=8", "paper_table/cora-gat", 2.98, 81.2),
    ("MixQ", "gcn", "model.hidden=128", "successors/cora-gcn128", 8.0, 81.2),
    ("MixQ", "gcn", "model.hidden=128", "successors/cora-gcn128", 2.4, 73.0),
)


def main() -> None:
    """Compare bits and test accuracy."""
    options = arguments(__doc__)
    few = QUICK if options.quick else ()
    rows: list[Row] = []
    for method, model, hidden, folder, bits, test in _RIVALS:
        path = Path("outputs") / (f"successors/quick-{model}" if options.quick else folder)
        asked = ("dataset=cora", f"model={model}", hidden, *ASKED, *few)
        summary = finished_search(path, *asked)
        best = summary["recommended"]
        row: Row = {"model": f"{model}, {hidden}", "rival": method, "bits": bits, "test_%": test}
        if best is not None:
            row |= {
                "our_hidden_bits": best["hidden_bits"],
                "our_average_bits": best["average_bits"],
                "our_test_%": 100 * best["test_accuracy"],
                "std": 100 * best["test_accuracy_std"],
                "drop": best["test_accuracy_drop"],
                "seeds": best["seeds"],
            }
        rows.append(row)
    finish(rows, options.json)


if __name__ == "__main__":
    main()
