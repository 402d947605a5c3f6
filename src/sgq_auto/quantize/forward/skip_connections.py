"""Skip connections: embeddings that a model keeps while layers run, quantized as it reads them.

A residual, or what jumping knowledge collects, is held while other layers run. In a packed model
it is held in codes. Where a layer has read it too, the codes are those of the layer's input, and
it has no other; otherwise it is a site of its own, called after the layer that ran before it was
made: ``conv1.skip``.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sgq_auto.compute import Engine
from sgq_auto.packed.allocation import FEATURES
from sgq_auto.quantize.forward.deferred_dropout import DropoutAfterQuantization, Dropped
from sgq_auto.quantize.forward.held_arguments import HeldArgument, other_arguments
from sgq_auto.quantize.forward.lazy_tensor import METADATA, LazyTensor
from sgq_auto.quantize.quantizers.factory import QuantizerFactory

# The attribute that tells where a tensor comes from.
_ORIGIN = "_sgq_auto_origin"


@dataclass(eq=False)
class Origin:
    """Where an embedding was made.

    Attributes:
        made: Layers that had run.
        quantized: What stands for it where it is read after another layer; ``None`` until a layer
            has quantized it as its input, or a skip connection has.
    """

    made: int
    quantized: Tensor | None = None


def source_of(tensor: Tensor) -> Tensor:
    """A tensor before dropout that is still to come."""
    return tensor.source if isinstance(tensor, Dropped) else tensor


def origin_of(tensor: Tensor) -> Origin | None:
    """Where a tensor was made; ``None`` for what no forward pass made, like a parameter."""
    return getattr(tensor, _ORIGIN, None)


class SkipQuantizer(nn.Module):
    """The fake-quantizer of one skip connection.

    Attributes:
        name: The name of its sites, like ``conv1.skip``.
        per_graph: Whether its rows are graphs, of which something was pooled.
    """

    def __init__(self, name: str, quantizers: QuantizerFactory, *, per_graph: bool = False) -> None:
        super().__init__()
        self.name = name
        self.per_graph = per_graph
        self.quantizer = quantizers.of_layer(name).embedding(name, per_graph=per_graph)

    def forward(self, x: Tensor) -> Tensor:
        """The quantized embedding."""
        quantized: Tensor = self.quantizer(x)
        return quantized


class SkipConnections(nn.Module):
    """The skip connections of a prepared model, made as its first forward pass meets them."""

    def __init__(self, quantizers: QuantizerFactory) -> None:
        super().__init__()
        self._factory = quantizers
        self.quantizers = nn.ModuleList()

    def holds(self, x: Tensor) -> bool:
        """Whether a tensor is an embedding: with a row a node, or a row a graph."""
        if x.dim() < 2 or not x.is_floating_point():
            return False
        graph = self._factory.graph
        if x.size(0) == graph.num_nodes:
            return True
        return graph.task.predicts_graphs and x.size(0) == graph.num_graphs

    def named(self, name: str, made: Tensor | None = None) -> SkipQuantizer:
        """The quantizer of the skip connection called ``name``.

        Args:
            name: Its name.
            made: The embedding that it is made for, if it is not there yet.
        """
        for quantizer in self.quantizers:
            if isinstance(quantizer, SkipQuantizer) and quantizer.name == name:
                return quantizer
        per_graph = made is not None and made.size(0) != self._factory.graph.num_nodes
        quantizer = SkipQuantizer(name, self._factory, per_graph=per_graph)
        self.quantizers.append(quantizer)
        return quantizer


class ForwardPass(DropoutAfterQuantization):
    """One forward pass of a prepared model: defers dropout, and quantizes what is kept.

    Args:
        engine: Drops.
        probability: Replaces every dropout probability above 0; ``None`` keeps the model's own.
        skips: The model's skip connections.
    """

    def __init__(self, engine: Engine, probability: float | None, skips: SkipConnections) -> None:
        super().__init__(engine, probability)
        self._skips = skips
        self._depth = 0
        self._ran: list[str] = []
        self._named: Counter[str] = Counter()

    def enter_layer(
        self, held: Sequence[HeldArgument], args: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """A quantized layer begins: what it does inside is its own.

        Args:
            held: The arguments that it reads as they are held.
            args: What it is called with.
            keywords: The same, by name.

        Returns:
            The arguments with these quantized; what is the layer's input too, that quantizes.
        """
        self._depth += 1
        if self._depth > 1:
            return args, keywords
        others = [source_of(x) for x in _tensors(other_arguments(held, args, keywords))]
        for argument in held:
            given = argument.of(args, keywords)
            if not any(source_of(given) is other for other in others):
                args, keywords = argument.replaced(args, keywords, self._held(given))
        return args, keywords

    def leave_layer(self, name: str, output: Any) -> None:
        """A quantized layer has run."""
        self._depth -= 1
        if self._depth == 0:
            self._ran.append(name)
            self._note(output)

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call a function with what is kept quantized; note where its result was made."""
        del types
        kwargs = kwargs or {}
        if function is nn.functional.dropout:
            return self._defer(*args, **kwargs)
        if self._depth or function in METADATA:
            return function(*args, **kwargs)
        changed = _changed_by(function, args, kwargs)
        if self._ran:
            args, kwargs = self._with_quantized(changed, args, kwargs)
        out = function(*args, **kwargs)
        self._note(out)
        # Its codes, if it had any, are those of what it was.
        self._note(changed)
        return out

    def _with_quantized(self, changed: Tensor | None, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments of a function, quantized codes in place of what is kept."""
        if changed is None:
            return self._read(args), self._read(kwargs)
        # A copy is quantized: gradients need what was quantized as it was.
        quantized = self._read_tensor(changed, copied=True)
        if quantized is not changed:
            # The tensor itself changes, from the values that it has where it is kept.
            changed.copy_(quantized)
        return (changed, *self._read(args[1:])), self._read(kwargs)

    def _read(self, value: Any) -> Any:
        """``value`` with each tensor in it that is kept past a layer quantized."""
        if isinstance(value, Tensor):
            return self._read_tensor(value)
        if type(value) in (list, tuple):
            return type(value)(self._read(item) for item in value)
        if isinstance(value, dict):
            return {key: self._read(item) for key, item in value.items()}
        return value

    def _read_tensor(self, x: Tensor, *, copied: bool = False) -> Tensor:
        origin = origin_of(source_of(x))
        if origin is None or origin.made >= len(self._ran):
            return x
        return self._held(x, copied=copied)

    def _held(self, x: Tensor, *, copied: bool = False) -> Tensor:
        """What stands for an embedding that is held in codes."""
        source = source_of(x)
        origin = origin_of(source)
        if origin is None or not self._skips.holds(source):
            return x
        if origin.quantized is None:
            given = source.clone() if copied else source
            origin.quantized = self._skips.named(self._name(origin), given)(given)
        return x.apply(origin.quantized) if isinstance(x, Dropped) else origin.quantized

    def _name(self, origin: Origin) -> str:
        layer = self._ran[origin.made - 1] if origin.made else FEATURES
        self._named[layer] += 1
        number = self._named[layer]
        return f"{layer}.skip{number if number > 1 else ''}"

    def _note(self, made: Any) -> None:
        if isinstance(made, Tensor):
            if not isinstance(made, LazyTensor | nn.Parameter):
                setattr(made, _ORIGIN, Origin(len(self._ran)))
        elif isinstance(made, list | tuple):
            for item in made:
                self._note(item)


def _tensors(arguments: tuple[tuple[Any, ...], dict[str, Any]]) -> Iterator[Tensor]:
    args, keywords = arguments
    return (x for x in (*args, *keywords.values()) if isinstance(x, Tensor))


def _changed_by(function: Callable[..., Any], args: Any, kwargs: Any) -> Tensor | None:
    """The tensor that a function changes in place, if it does."""
    name = getattr(function, "__name__", "")
    changes = name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
    if not (changes or kwargs.get("inplace", False)) or not args:
        return None
    return args[0] if isinstance(args[0], Tensor) else None
