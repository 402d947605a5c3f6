"""The model of a search: any class that can be imported, and how it is given the graph's sizes."""

import hashlib
import importlib
import inspect
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hydra.utils
import torch
from hydra.errors import HydraException
from torch import Tensor, nn

from sgq_auto.errors import InputError, did_you_mean
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.quantize import in_order_of, prepare
from sgq_auto.training import predict
from sgq_auto.user_code import described, is_ours, user_line

# Settings beside the arguments of the class: which of those take the graph's sizes.
_FEATURES_AS, _CLASSES_AS = "features_as", "classes_as"
_FEATURES_NAMES = ("in_features", "in_channels")
_CLASSES_NAMES = ("num_classes", "out_channels")
_CUSTOM, _MISSING = "custom", "???"
_TARGET_HINT = (
    "it must be a class like my_package.my_module.MyNet, found from the folder of the command"
)
_SIZES_HINT = (
    f"model.{_FEATURES_AS} and model.{_CLASSES_AS} name the arguments that take the numbers of "
    "features and of classes"
)
# Their sources change with their versions alone.
_INSTALLED = ("sgq_auto.", "torch_geometric.")


@dataclass(frozen=True)
class ModelSettings:
    """A model as configuration: its class and arguments.

    The numbers of features and of classes are passed to the arguments that ``features_as`` and
    ``classes_as`` name; by default to ``in_features`` or ``in_channels`` and to ``num_classes`` or
    ``out_channels``, whichever the class has. An argument that is given is left as it is.

    Attributes:
        name: The name in results.
        config: ``_target_``, ``features_as``, ``classes_as`` and keyword arguments.
    """

    name: str
    config: Mapping[str, Any]

    @classmethod
    def of(cls, choice: str, config: Mapping[str, Any]) -> "ModelSettings":
        """From a chosen configuration; a custom one is called by its class too."""
        target = str(config.get("_target_", _MISSING))
        custom = choice == _CUSTOM and target != _MISSING
        return cls(f"{_CUSTOM}-{target.rpartition('.')[2]}" if custom else choice, config)

    def build(self, graph: Graph) -> nn.Module:
        """The untrained model for a graph.

        Raises:
            InputError: If the class cannot be found, or not be made with these arguments.
        """
        target = self._target()
        sizes = self._sizes(target, graph)
        given = {k: v for k, v in self.config.items() if k not in (_FEATURES_AS, _CLASSES_AS)}
        try:
            model = hydra.utils.instantiate({**sizes, **given})
        except HydraException as error:
            cause = error.__cause__ or error
            if is_ours(cause) and not isinstance(cause, InputError):
                raise
            hint = "" if len(sizes) == 2 else f"; {_SIZES_HINT}"
            raise InputError(
                f"model={self.name}: {_reason(cause)}{_unknown_arguments(target, given)}{hint}"
            ) from error
        if not isinstance(model, nn.Module):
            raise InputError(f"model={self.name}: {self.config['_target_']} is no torch module")
        return model

    def in_order(self, data: PreparedData) -> PreparedData:
        """The graph with its nodes in the order that this model needs; call it before a search.

        Also checks the model, as :meth:`check` does.

        Raises:
            InputError: If it fails, or differs from plain PyG when it is prepared.
        """
        if data.fits_model:
            return data
        self.check(data.graph)
        try:
            fitted = in_order_of(self.build(data.graph), data)
        except InputError as error:
            raise self._named(error) from error
        notes = data.notes if fitted.note is None else (*data.notes, fitted.note)
        return replace(fitted.data, notes=notes, fits_model=True)

    def check(self, graph: Graph) -> None:
        """Build the model and run it once on the graph.

        Raises:
            InputError: If it fails, or returns something other than logits.
        """
        try:
            check_logits(predict(prepare(self.build(graph), graph), graph), graph)
        except InputError as error:
            raise self._named(error) from error
        except Exception as error:
            if is_ours(error) or user_line(error) is None:
                raise
            raise InputError(f"model={self.name}: {described(error)}") from error

    def _named(self, error: InputError) -> InputError:
        prefix = f"model={self.name}: "
        return InputError(f"{prefix}{str(error).removeprefix(prefix)}")

    @property
    def key(self) -> str:
        """Text that determines the model: its configuration, and its source if that is no package.

        An edited model is another one.
        """
        text = json.dumps(dict(self.config), sort_keys=True, default=str)
        if str(self.config.get("_target_", "")).startswith(_INSTALLED):
            return text
        return text + _source_hash(self._target())

    def _target(self) -> Any:
        # As for a script: what lies in the folder of the command can be imported.
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        path = str(self.config.get("_target_", _MISSING))
        if path == _MISSING:
            raise InputError(f"model={self.name}: model._target_ is missing; {_TARGET_HINT}")
        module, _, name = path.rpartition(".")
        try:
            return getattr(importlib.import_module(module), name)
        except Exception as error:
            raise InputError(
                f"model={self.name}: model._target_={path} cannot be imported ({_reason(error)}); "
                f"{_TARGET_HINT}"
            ) from error

    def _sizes(self, target: Any, graph: Graph) -> dict[str, int]:
        known, sizes = _parameters(target), {}
        for setting, names, size in (
            (_FEATURES_AS, _FEATURES_NAMES, graph.features.num_features),
            (_CLASSES_AS, _CLASSES_NAMES, graph.num_classes),
        ):
            chosen = self.config.get(setting) or next((n for n in names if n in known), None)
            if chosen is not None:
                sizes[str(chosen)] = size
        return sizes


def _reason(error: BaseException) -> str:
    """What an error says, and the line of the user's code that it comes from."""
    text, line = " ".join(str(error).split()) or type(error).__name__, user_line(error)
    return text if line is None else f"{text} ({line})"


def _parameters(target: Any) -> list[str]:
    """Names of the arguments of a class or function; none where it does not tell."""
    try:
        return list(inspect.signature(target).parameters)
    except (TypeError, ValueError):
        return []


def _unknown_arguments(target: Any, given: Mapping[str, Any]) -> str:
    known = _parameters(target)
    unknown = [name for name in given if name not in (*known, "_target_")]
    if not unknown or not known or "kwargs" in known:
        return ""
    return f"{did_you_mean(unknown[0], known)}; its arguments are {', '.join(known)}"


def check_logits(output: Any, graph: Graph) -> None:
    """Check what a model returned for a graph.

    Raises:
        InputError: If it is not one row of logits (or logarithms of probabilities) a node.
    """
    nodes, classes = graph.num_nodes, graph.num_classes
    if not isinstance(output, Tensor):
        raise InputError(
            f"it returns a {type(output).__name__}; it must return a tensor [{nodes}, {classes}]"
        )
    if output.shape != (nodes, classes):
        raise InputError(
            f"it returns a tensor of shape {list(output.shape)}; it must be [{nodes}, {classes}], "
            "a row of logits for each node, one for each class"
        )
    sums = output.sum(dim=1)
    if classes > 1 and bool((output >= 0).all()) and torch.allclose(sums, torch.ones_like(sums)):
        raise InputError(
            "it returns probabilities (softmax); let it return the logits before that, or their "
            "log_softmax"
        )


def _source_hash(target: Any) -> str:
    try:
        source = Path(inspect.getfile(target)).read_bytes()
    except (OSError, TypeError):
        return ""
    return hashlib.sha256(source).hexdigest()
