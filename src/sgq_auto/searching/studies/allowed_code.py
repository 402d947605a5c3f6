"""The code that a configuration from a file may name, each class by its exact name.

Hydra calls whatever ``_target_`` names, walks attributes of modules to get there, and makes nested
objects first; OmegaConf reads the environment and makes objects for interpolations. So of a
configuration that somebody else may have written, four places may name one of the classes below;
everything else is numbers and text.
"""

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from sgq_auto.errors import InputError
from sgq_auto.text.safe_text import printable

_MODELS = {f"sgq_auto.models.{name}" for name in ("AGNN", "GAT", "GCN", "GIN", "SAGE")}
# Of PyG, models and layers that take numbers and names alone. Others of it take code as text.
_PYG = ("GAT", "GCN", "GIN", "EdgeCNN", "GraphSAGE", "LINKX", "PNA")
_PYG_LAYERS = ("GATConv", "GATv2Conv", "GCNConv", "SAGEConv", "SGConv", "TransformerConv")
_MODELS |= {
    *(f"torch_geometric.nn.{name}" for name in _PYG + _PYG_LAYERS),
    *(f"torch_geometric.nn.models.{name}" for name in _PYG),
    *(f"torch_geometric.nn.conv.{name}" for name in _PYG_LAYERS),
}
_SOURCES = {
    f"sgq_auto.graphs.sources.{name}"
    for name in (
        "EmbeddedCora",
        "NpzSource",
        "OgbSource",
        "PygFileSource",
        "PygSource",
        "SyntheticSource",
        "TableSource",
    )
}
_SPLITS = {
    f"sgq_auto.graphs.splits.{name}"
    for name in ("OwnOrPerClassSplit", "PerClassSplit", "PublicSplit")
}
_SAMPLERS = {
    *(f"sgq_auto.searching.samplers.{name}" for name in ("AutoBitSampler", "PaperSampler")),
    *(
        f"optuna.samplers.{name}"
        for name in ("GPSampler", "NSGAIISampler", "RandomSampler", "TPESampler")
    ),
}
# Where a configuration may name a class, and which.
KNOWN: Mapping[tuple[str, ...], frozenset[str]] = {
    ("model",): frozenset(_MODELS),
    ("sampler",): frozenset(_SAMPLERS),
    ("dataset", "source"): frozenset(_SOURCES),
    ("dataset", "split"): frozenset(_SPLITS),
}
_PACKAGES = ("sgq_auto", "torch_geometric", "optuna")
_TARGET = "_target_"
# How Hydra is told to make an object; this one of them changes no more than kinds of lists.
_HARMLESS = "_convert_"
_CONVERSIONS = ("none", "partial", "object", "all")
_ARGUMENT_NAMES = ("features_as", "classes_as")
_DEEPEST = 64


def check_interpolations(kept: Any, where: object) -> None:
    """Refuse a configuration with anything that OmegaConf would work out.

    Raises:
        InputError: If a name or a value in it holds ``${``.
    """
    for place, value in _leaves(kept, ()):
        for text in (*place, value):
            if isinstance(text, str) and "${" in text:
                raise InputError(
                    f"{where}: {_dotted(place)} holds ${{, which is worked out where it is read; "
                    "a study's configuration keeps plain values only"
                )


def own_code(config: Mapping[str, Any]) -> str | None:
    """What a configuration names that is code of somebody's own; ``None`` where there is none."""
    for place, value in _leaves(config, ()):
        *above, name = place or ("",)
        if name == _TARGET and str(value) in KNOWN.get(tuple(above), ()):
            if not _is_class(str(value)):
                return str(value)
        elif name == _HARMLESS and value in _CONVERSIONS and tuple(above) in KNOWN:
            continue
        elif any(part.startswith("_") and part.endswith("_") for part in place):
            return str(value) if name == _TARGET else _dotted(place)
        elif name in _ARGUMENT_NAMES and value is not None and not _is_argument(value):
            return f"{_dotted(place)}={value}"
    return None


def check_code(config: Mapping[str, Any], where: object) -> None:
    """Refuse a configuration that names code of somebody's own.

    Raises:
        InputError: One line that names the code, and says how to take it all the same.
    """
    found = own_code(config)
    if found is not None:
        raise InputError(
            f"{where}: the study calls {printable(found):.200}, and no search of yours on this "
            "machine made it; if you know whose code that is and trust the file, add own_code=true"
        )


def _leaves(node: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that is no list or object, and every empty one, with the names on the way."""
    if len(place) > _DEEPEST:
        raise InputError(f"{_dotted(place[:3])}: a configuration is not as deep as this")
    members: Any = ()
    if isinstance(node, Mapping):
        members = node.items()
    elif isinstance(node, list | tuple):
        members = enumerate(node)
    if not members:
        yield place, node
    for name, value in members:
        yield from _leaves(value, (*place, str(name)))


def _is_class(path: str) -> bool:
    """Whether a name stands for a class that is defined in the packages known here."""
    module, _, name = path.rpartition(".")
    found = getattr(importlib.import_module(module), name, None)
    package = str(getattr(found, "__module__", "")).partition(".")[0]
    return isinstance(found, type) and package in _PACKAGES


def _is_argument(value: Any) -> bool:
    return isinstance(value, str) and value.isidentifier() and not value.startswith("_")


def _dotted(place: tuple[str, ...]) -> str:
    return printable(".".join(place))[:200]
