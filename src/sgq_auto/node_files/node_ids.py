"""What the nodes of a graph are called: kept beside a study, read with numpy and safetensors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from sgq_auto.errors import InputError

_FORMAT = "sgq-auto node ids 1"
_ZERO, _NINE = ord("0"), ord("9")

# Of an artifact's source: the column of ids of the table that it was searched on.
ID_COLUMN = "id_column"
# How the file is called in a study's folder, and how after the stem of an artifact elsewhere.
IDS_FILE = "node_ids.safetensors"

IntArray = np.ndarray[Any, np.dtype[np.int64]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, eq=False)
class NodeIds:
    """The ids of all nodes, in the order of the source's rows.

    They are one long text, so that ten million of them cost little more than their letters.

    Attributes:
        column: The column that they were read from.
        text: ``uint8``, all ids in UTF-8, one after the other.
        ends: ``int64 [N]``, where each one ends in ``text``.
    """

    column: str
    text: Bytes
    ends: IntArray

    @classmethod
    def of(cls, ids: Sequence[str], column: str) -> Self:
        """The ids of rows 0, 1, 2 and so on."""
        encoded = [name.encode("utf-8", "surrogatepass") for name in ids]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        text = np.frombuffer(b"".join(encoded), np.uint8)
        return cls(column, text, np.cumsum(lengths, dtype=np.int64))

    def __len__(self) -> int:
        return int(self.ends.size)

    def __getitem__(self, row: int) -> str:
        """The id of a row."""
        return self.text[self._starts[row] : self.ends[row]].tobytes().decode("utf-8", "replace")

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))

    def rows_of(self, name: str) -> IntArray:
        """The rows of an id: one pass over the lengths, and over few letters."""
        wanted = np.frombuffer(name.encode("utf-8", "surrogatepass"), np.uint8)
        starts = self._starts
        rows = np.flatnonzero(self.ends - starts == wanted.size)
        for position, letter in enumerate(wanted):
            rows = rows[self.text[starts[rows] + position] == letter]
        return rows

    @cached_property
    def holds_numbers(self) -> bool:
        """Whether an id is a whole number, so that it could be mistaken for the number of a row."""
        digits = (self.text >= _ZERO) & (self.text <= _NINE)
        counts = np.concatenate([[0], np.cumsum(digits, dtype=np.int64)])
        lengths = self.ends - self._starts
        return bool(((counts[self.ends] - counts[self._starts] == lengths) & (lengths > 0)).any())

    @cached_property
    def _starts(self) -> IntArray:
        return np.concatenate([np.zeros(1, np.int64), self.ends[:-1]])


def save_node_ids(ids: NodeIds, path: Path, study: str) -> None:
    """Write ids for the artifacts of a study.

    Raises:
        OSError: If the file cannot be written.
    """
    lengths = np.diff(ids.ends, prepend=0).astype(np.uint32)
    metadata = {"format": _FORMAT, "column": ids.column, "study": study}
    save_file({"text": np.ascontiguousarray(ids.text), "lengths": lengths}, path, metadata)


def load_node_ids(path: Path, study: str, num_nodes: int) -> NodeIds | None:
    """Read the ids of a study's nodes.

    Args:
        path: What :func:`save_node_ids` wrote.
        study: The study that the artifact names.
        num_nodes: Nodes of the artifact.

    Returns:
        The ids; ``None`` where they are those of another study.

    Raises:
        InputError: If the file is damaged, or does not hold an id for each node.
    """
    try:
        with safe_open(path, framework="np") as file:
            about = file.metadata() or {}
            if about.get("format") != _FORMAT:
                raise ValueError(f"format {about.get('format')}")
            if about.get("study") != study:
                return None
            text, lengths = file.get_tensor("text"), file.get_tensor("lengths")
            column = about["column"]
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: no ids of nodes, or a damaged file ({error})") from error
    ends = np.cumsum(lengths, dtype=np.int64) if lengths.dtype == np.uint32 else lengths
    if (
        (text.dtype, lengths.dtype) != (np.uint8, np.uint32)
        or (text.ndim, lengths.shape) != (1, (num_nodes,))
        or ends[-1:].sum() != text.size
    ):
        raise InputError(f"{path}: it does not hold an id for each of the {num_nodes:,} nodes")
    return NodeIds(column, text, ends)


def rename_study(source: Path, path: Path, study: str) -> None:
    """Write the ids of one study for another on the same graph.

    Raises:
        OSError: If a file cannot be read or written.
    """
    with safe_open(source, framework="np") as file:
        tensors = {name: file.get_tensor(name) for name in ("text", "lengths")}
        metadata = {**file.metadata(), "study": study}
    save_file(tensors, path, metadata)


def id_column(path: Path) -> str | None:
    """The column that the ids in a file were read from; ``None`` where there is no such file.

    Raises:
        InputError: If the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="np") as file:
            return str((file.metadata() or {})["column"])
    except (SafetensorError, KeyError, OSError) as error:
        raise InputError(f"{path}: no ids of nodes, or a damaged file ({error})") from error


def ids_file_of(artifact: Path) -> Path:
    """Where the ids of an artifact lie that is not in its study's folder."""
    return artifact.with_name(f"{artifact.stem}.{IDS_FILE}")


def node_ids_beside(artifact: Path, study: str, num_nodes: int) -> NodeIds | None:
    """The ids that lie beside an artifact, if they are those of its study.

    Raises:
        InputError: If a file of ids is damaged.
    """
    for path in (ids_file_of(artifact), artifact.with_name(IDS_FILE)):
        if path.exists() and (ids := load_node_ids(path, study, num_nodes)) is not None:
            return ids
    return None
