"""Graphs, models and random splits that benchmarks of trust and of tuning share."""

GRAPHS = ("cora", "citeseer", "pubmed", "amazon_computers")
MODELS = ("gcn", "gat", "agnn")
_PER_CLASS = "dataset.split._target_=sgq_auto.graphs.splits.PerClassSplit"


def random_split(graph: str, seed: int) -> tuple[str, ...]:
    """Overrides for a graph with a drawn split: 20 training nodes of each class.

    Graphs with a public split have as many validation nodes as in that, others 30 of each class.
    All other nodes are test nodes.
    """
    if graph == "embedded_cora":
        return (f"dataset={graph}", f"dataset.split.seed={seed}", "dataset.split.num_test=null")
    if graph == "amazon_computers":
        return (f"dataset={graph}", f"dataset.split.seed={seed}")
    sizes = ("+dataset.split.train_per_class=20", "+dataset.split.num_val=500")
    return (f"dataset={graph}", _PER_CLASS, *sizes, f"+dataset.split.seed={seed}")
