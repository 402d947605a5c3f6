"""What training needs of a device; implementations agree to rounding errors."""

from typing import Protocol

from torch import Tensor


class SparsePattern(Protocol):
    """Where the stored entries of a sparse ``[rows, columns]`` matrix are (CSR, columns sorted)."""

    @property
    def rowptr(self) -> Tensor:
        """``int32 [rows + 1]``, where each row's entries start."""

    @property
    def col(self) -> Tensor:
        """``int32 [entries]``, column of each entry."""

    @property
    def row(self) -> Tensor:
        """``int32 [entries]``, row of each entry."""

    @property
    def transposed_order(self) -> Tensor:
        """``int32 [entries]``, position of each entry of the transpose, in its order."""

    @property
    def transposed_rowptr(self) -> Tensor:
        """``int32 [columns + 1]``, where each column's entries start in ``transposed_order``."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""


class FixedMatrix(Protocol):
    """A sparse matrix that does not change while a model trains."""

    def multiply(self, dense: Tensor) -> Tensor:
        """The matrix times ``[columns, features]``: ``[rows, features]``, a forward."""

    def multiply_transposed(self, dense: Tensor) -> Tensor:
        """Its transpose times ``[rows, features]``: the gradient of :meth:`multiply`."""


class Engine(Protocol):
    """Products, attention, rounding and dropout, without gradients.

    Edge tensors are ``[entries, heads]`` and node tensors ``[nodes, heads, channels]``.
    """

    def fixed_matrix(self, pattern: SparsePattern, values: Tensor) -> FixedMatrix:
        """The matrix of ``values`` ``[entries]``, laid out for many products."""

    def spmm(self, pattern: SparsePattern, values: Tensor, dense: Tensor) -> Tensor:
        """Sparse times dense, head by head: ``[rows, heads, channels]``."""

    def spmm_transposed(self, pattern: SparsePattern, values: Tensor, dense: Tensor) -> Tensor:
        """The transposed matrix times ``dense``: ``[columns, heads, channels]``."""

    def sddmm(self, pattern: SparsePattern, left: Tensor, right: Tensor) -> Tensor:
        """Inner products of rows of ``left`` and ``right`` at the stored entries."""

    def row_sum(self, pattern: SparsePattern, values: Tensor) -> Tensor:
        """Sums over each row's entries: ``[rows, heads]``."""

    def pair_scores(
        self, pattern: SparsePattern, targets: Tensor, sources: Tensor, slope: float
    ) -> Tensor:
        """``LeakyReLU(targets[row] + sources[column])`` at the entries, of ``[nodes, heads]``."""

    def pair_scores_backward(
        self, pattern: SparsePattern, targets: Tensor, sources: Tensor, slope: float, grad: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Gradients ``[nodes, heads]`` of ``targets`` and ``sources``."""

    def row_softmax(self, pattern: SparsePattern, scores: Tensor) -> Tensor:
        """Softmax of ``scores`` over each row's entries."""

    def row_softmax_backward(self, pattern: SparsePattern, softmax: Tensor, grad: Tensor) -> Tensor:
        """Gradient ``[entries, heads]`` of the scores, from the softmax itself."""

    def round_to_codes(
        self, x: Tensor, ends: Tensor, step: Tensor, offset: Tensor, levels: Tensor
    ) -> Tensor:
        """Affine rounding of ``x`` ``[rows, ...]``, whose group ``g`` ends at row ``ends[g]``.

        ``step``, ``offset`` and ``levels`` (the highest code) are ``[groups]``; ``ends`` is
        ``int64 [groups]``.
        """

    def round_to_codes_backward(
        self, x: Tensor, ends: Tensor, step: Tensor, offset: Tensor, levels: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of ``x`` (straight-through), ``step`` and ``offset`` (LSQ+)."""

    def dropout(self, x: Tensor, p: float, seed: int) -> Tensor:
        """``x`` with a share ``p`` of its entries zeroed, the rest scaled by ``1 / (1 - p)``.

        An equal seed and size drop equal positions.
        """
