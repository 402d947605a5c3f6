"""What else a node may take of its neighbours: the largest of each column, and how they spread."""

from sgq_auto.packed.backends.kernels.reading import bucket_of, values_at
from sgq_auto.packed.backends.reals import largest_lanes, multiply_add, spread
from sgq_auto.packed.backends.signatures import LANES
from sgq_auto.packed.backends.vectors import load_lanes, store_lanes


def row_extremes(rowptr, rows, columns, sign, stream, size, layout, width, out):
    """The largest of ``sign`` times the values, column by column; 0 of no entries.

    ``out`` has room for a multiple of eight.
    """
    for k in range(rows):
        first, last = rowptr[k], rowptr[k + 1]
        for c in range(0, width, LANES):
            best, bucket = spread(0.0), 0
            for entry in range(first, last):
                row = columns[entry]
                bucket = bucket_of(layout, row, bucket)
                values = values_at(stream, size, layout, bucket, row, width, c, width - c)
                signed = multiply_add(spread(0.0), values, spread(sign))
                best = signed if entry == first else largest_lanes(best, signed)
            store_lanes(out, k * width + c, best)


def squared_distances(rowptr, rows, columns, centers, stream, size, layout, width, out):
    """Sums of squared distances from ``centers`` ``[rows, width]``, column by column.

    ``centers`` and ``out`` have room for a multiple of eight.
    """
    for k in range(rows):
        for c in range(0, width, LANES):
            total, bucket, center = spread(0.0), 0, load_lanes(centers, k * width + c)
            for entry in range(rowptr[k], rowptr[k + 1]):
                row = columns[entry]
                bucket = bucket_of(layout, row, bucket)
                values = values_at(stream, size, layout, bucket, row, width, c, width - c)
                distance = multiply_add(values, center, spread(-1.0))
                total = multiply_add(total, distance, distance)
            store_lanes(out, k * width + c, total)
