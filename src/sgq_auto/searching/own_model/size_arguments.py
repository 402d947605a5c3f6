"""Which arguments of a model's class take the sizes of the graph."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sgq_auto.graphs import Graph

# Settings beside the arguments of the class: which of those take the graph's sizes.
FEATURES_AS, CLASSES_AS = "features_as", "classes_as"
_HINT = (
    f"model.{FEATURES_AS} and model.{CLASSES_AS} name the arguments that take the numbers of "
    "features and of classes"
)
# PyG's names and this project's come first; the others count where none of these is there.
_FEATURES = ("in_features", "in_channels")
_CLASSES = ("num_classes", "out_channels")
_EDGES = (
    *("edge_dim", "edge_features", "num_edge_features", "edge_channels", "edge_in_channels"),
    *("n_edge_features", "num_edge_feats", "n_edge_feats", "edge_feats", "edge_feat_dim"),
    *("edge_feature_dim", "edge_attr_dim", "edge_input_dim", "edge_in_dim", "dim_edge", "d_edge"),
)
_NODES = ("num_nodes", "n_nodes", "num_node", "nnodes")
_FEATURES_TOO = (
    *("num_features", "num_node_features", "num_feats", "n_features", "n_feats", "n_feat"),
    *("nfeat", "nfeats", "nfeatures", "feature_dim", "features_dim", "feat_dim", "num_feat"),
    *("in_dim", "in_dims", "input_dim", "dim_in", "d_in", "in_size", "input_size", "n_in"),
    *("in_feats", "in_feat", "input_channels", "input_features", "num_inputs", "num_in_features"),
    *("num_input_features", "node_features", "num_node_feats", "node_dim", "node_feat_dim"),
)
_CLASSES_TOO = (
    *("nclass", "nclasses", "n_classes", "n_class", "num_class", "num_labels", "n_labels"),
    *("nlabel", "nlabels", "num_targets", "classes", "out_features", "out_feats", "out_feat"),
    *("out_dim", "out_dims", "output_dim", "dim_out", "d_out", "out_size", "output_size"),
    *("n_out", "output_channels", "output_features", "num_outputs", "num_out_features"),
)


@dataclass(frozen=True)
class SizeArguments:
    """What a model's class is told of the graph.

    Attributes:
        values: Sizes by the name of the argument that takes them.
        said: The same for people, like ``nfeat=1433 features``; without what they gave themselves.
        hint: What an error of the class is followed by, where a size was not passed.
    """

    values: Mapping[str, int]
    said: tuple[str, ...]
    hint: str

    @classmethod
    def of(cls, target: Any, config: Mapping[str, Any], graph: Graph) -> "SizeArguments":
        """By the names of the arguments of ``target``, or those that the configuration gives.

        Features of edges are counted where the graph has a matrix of them. An argument that the
        configuration gives a value is left as it is.
        """
        known = parameters_of(target)
        features = _choose(known, config.get(FEATURES_AS), _FEATURES, _FEATURES_TOO)
        classes = _choose(known, config.get(CLASSES_AS), _CLASSES, _CLASSES_TOO)
        nodes = _choose(known, None, _NODES, ())
        edges = _choose(known, None, _EDGES, ()) if _has_matrix(graph) else []
        values, said, unclear = {}, [], []
        for chosen, size, what in (
            (features, graph.features.num_features, "features"),
            (classes, graph.num_classes, "classes"),
            (nodes, graph.num_nodes, "nodes"),
            (edges, graph.adj_t.num_weights, "features of edges"),
        ):
            if len(chosen) > 1:
                unclear.append(f"{' and '.join(chosen)} may each take the number of {what}; ")
            elif chosen:
                values[chosen[0]] = size
                if chosen[0] not in config:
                    said.append(f"{chosen[0]}={size} {what}")
        passed = len(features) == len(classes) == 1
        hint = "" if passed else f"; {''.join(unclear)}{_HINT}"
        missing = [n for n in _needed(target) if n in _EDGES and n not in (*values, *config)]
        if missing:
            hint += f"; {missing[0]} is the number of features of edges, and edges have none"
        return cls(values, tuple(said), hint)


def _has_matrix(graph: Graph) -> bool:
    """Whether edges have features, a column or several, and not a weight each."""
    return graph.adj_t.weights is not None and graph.adj_t.weights.dim() > 1


def parameters_of(target: Any) -> list[str]:
    """Names of the arguments of a class or function; none where it does not tell."""
    try:
        return list(inspect.signature(target).parameters)
    except (TypeError, ValueError):
        return []


def _needed(target: Any) -> list[str]:
    """Names of the arguments without a default."""
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.default is inspect.Parameter.empty]


def _choose(
    known: Sequence[str], named: object, first: Sequence[str], others: Sequence[str]
) -> list[str]:
    """The argument that takes a size; none, or several where that is not clear."""
    if named:
        return [str(named)]
    return [n for n in first if n in known][:1] or [n for n in known if n in others]
