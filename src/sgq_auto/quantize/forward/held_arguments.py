"""Arguments of a layer that it reads as something else holds them: GCNII's ``x_0``."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class HeldArgument:
    """An embedding that a layer is called with besides its input.

    Attributes:
        name: The argument's name.
        position: Its place among arguments that are given without names.
    """

    name: str
    position: int

    def of(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> Tensor:
        """The argument that a call gives."""
        given: Tensor = keywords[self.name] if self.name in keywords else args[self.position]
        return given

    def replaced(
        self, args: tuple[Any, ...], keywords: dict[str, Any], value: Tensor
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call with another value for this one."""
        if self.name in keywords:
            return args, {**keywords, self.name: value}
        return (*args[: self.position], value, *args[self.position + 1 :]), keywords


def other_arguments(
    held: Iterable[HeldArgument], args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call without those that are held."""
    names, positions = {h.name for h in held}, {h.position for h in held}
    return (
        tuple(value for k, value in enumerate(args) if k not in positions),
        {name: value for name, value in keywords.items() if name not in names},
    )
