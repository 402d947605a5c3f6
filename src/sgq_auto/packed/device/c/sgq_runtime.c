/* The runtime of every model (sgq-auto): see sgq_runtime.h. A model is a list of passes over the
 * rows of its graph, and a pass a list of steps on one row; sgq_model.c has both as tables, and sgq_model.h says
 * which steps there are, so that no other is compiled. Rows are nodes sorted by degree bucket. */
#include "sgq_runtime.h"

#include <float.h>
#include <math.h>
#include <string.h>

#ifdef SGQ_DOUBLE
#define SGQ_SQRT sqrt
#define SGQ_EXP exp
#define SGQ_EXPM1 expm1
#define SGQ_TANH tanh
#define SGQ_ERF erf
#define SGQ_LOG1P log1p
#else
#define SGQ_SQRT sqrtf
#define SGQ_EXP expf
#define SGQ_EXPM1 expm1f
#define SGQ_TANH tanhf
#define SGQ_ERF erff
#define SGQ_LOG1P log1pf
#endif

#define REAL(x) ((sgq_real)(x))
#define WORDS sgq_tables.words
#define NUMBERS sgq_tables.numbers
#define FULL_PRECISION 32U
#define ROW_BLOCK 64U
#define NOWHERE 0xFFFFFFFFU

/* A step has 8 words. */
enum { OP, OUT, IN, IN2, WIDTH, TABLE, TABLE2, EXTRA, STEP_WORDS };

/* What TABLE names: width, index of its ranges, place; then bits and first byte of each bucket. */
enum { MATRIX_WIDTH, MATRIX_RANGES, MATRIX_PLACE, MATRIX_BUCKETS };
enum { IN_TABLES, IN_ARENA, IN_ARENA_ONE_ROW };

/* What TABLE2 of a product names. */
enum { WEIGHT_WIDTH, WEIGHT_BYTE, WEIGHT_BITS, WEIGHT_RANGES };

/* Steps; the numbers are part of the tables. */
enum {
    STEP_PRODUCT = 1,
    STEP_FEATURE_PRODUCT = 2,
    STEP_GATHER = 3,
    STEP_ATTENTION = 4,
    STEP_READ = 5,
    STEP_READ_FEATURES = 6,
    STEP_WRITE = 7,
    STEP_OUTPUT = 8,
    STEP_BIAS = 9,
    STEP_ADD = 10,
    STEP_MULTIPLY = 11,
    STEP_MAXIMUM = 12,
    STEP_COPY = 13,
    STEP_AFFINE = 14,
    STEP_SCALE = 15,
    STEP_CLIP = 16,
    STEP_PRELU = 17,
    STEP_ACTIVATE = 18,
    STEP_PROJECT = 19,
    STEP_STANDARDIZE_ROWS = 20,
    STEP_NORMALIZE_ROWS = 21,
    STEP_SOFTMAX_ROWS = 22,
    STEP_MEAN_HEADS = 23
};

/* Functions of STEP_ACTIVATE. */
enum {
    RELU = 1,
    ELU = 2,
    LEAKY_RELU = 3,
    GELU = 4,
    GELU_TANH = 5,
    SILU = 6,
    TANH = 7,
    SIGMOID = 8,
    SOFTPLUS = 9,
    HARDSWISH = 10
};

/* EXTRA of STEP_GATHER: what neighbours are weighed by, and whether a node is one of its own. */
enum { BY_ONE = 0, BY_SHARE = 1, BY_DEGREES = 2, BY_ONE_ITSELF_MORE = 3, WITH_ITSELF = 16 };

/* Entries of a coded sparse pattern, from one on. */
typedef struct {
    uint32_t row;   /* the row whose entries come next */
    uint32_t entry; /* entries before it */
    uint32_t bit;   /* a bit of the bitmap at or before that of the next entry */
} sgq_cursor;

/* A coded pattern: Elias-Fano, or a bitmap, which has no low parts. */
typedef struct {
    const uint8_t *high;
    const uint8_t *low;
    const uint32_t *blocks;
    uint32_t low_bits;
    uint32_t count;
    uint32_t columns;
} sgq_pattern;

/* A pattern with where the last row that was asked for and the one after it start. */
typedef struct {
    sgq_pattern pattern;
    sgq_cursor here;
    sgq_cursor next;
} sgq_entries;

typedef struct {
    sgq_sum *sums;
    sgq_real *reals;
    uint8_t *codes;
    uint8_t *masks; /* NULL where all rows are wanted */
    uint32_t row;
    uint32_t bucket;
#if SGQ_BUCKET_MAP_BITS
    uint32_t map_node; /* the node of map_row, a row of map_bucket, or the first that may be it */
    uint32_t map_row;
    uint32_t map_bucket;
#endif
#if SGQ_HAS_EDGES
    sgq_entries edges;
#endif
#if SGQ_FEATURES_SPARSE
    sgq_entries features;
#endif
    sgq_take take;
    void *context;
} sgq_run;

/* A matrix of codes, or of fp32 values, as a step sees it. */
typedef struct {
    const uint32_t *words;
    const float *ranges; /* step and offset of each bucket */
    const uint8_t *bytes;
    uint32_t width;
} sgq_matrix;

/* The rows of one bucket of it. */
typedef struct {
    const uint8_t *bytes;
    uint32_t bits;
    uint32_t first_row;
    sgq_real step;
    sgq_real offset;
} sgq_slice;

/* Bits and numbers. */

static uint32_t read_bits(const uint8_t *stream, uint32_t bit, uint32_t bits)
{
    const uint8_t *octets = stream + (bit >> 3);
    uint32_t have = 8U - (bit & 7U);
    uint32_t value;

    if (bits == 0U) {
        return 0U;
    }
    value = (uint32_t)*octets >> (bit & 7U);
    while (have < bits) {
        octets++;
        value |= (uint32_t)*octets << have;
        have += 8U;
    }
    return bits == 32U ? value : value & ((1U << bits) - 1U);
}

static sgq_real read_value(const uint8_t *bytes, uint32_t place)
{
    uint32_t bits = read_bits(bytes, 32U * place, 32U);
    float value;

    memcpy(&value, &bits, sizeof value);
    return REAL(value);
}

static void write_value(uint8_t *bytes, uint32_t place, sgq_real value)
{
    float cut = value > REAL(FLT_MAX) ? FLT_MAX : value < REAL(-FLT_MAX) ? -FLT_MAX : (float)value;
    uint32_t bits;
    uint32_t k;

    memcpy(&bits, &cut, sizeof bits);
    for (k = 0; k < 4U; k++) {
        bytes[4U * place + k] = (uint8_t)(bits >> (8U * k));
    }
}

/* Values cut to what fp32 has, so that no sum meets an infinity. */
static sgq_real bounded(sgq_real value)
{
    return value > REAL(FLT_MAX) ? REAL(FLT_MAX) : value < REAL(-FLT_MAX) ? REAL(-FLT_MAX) : value;
}

/* The nearest code; halves go to the even one, and what is no number to 0. */
static uint32_t code_of(sgq_real value, sgq_real step, sgq_real offset, uint32_t bits)
{
    sgq_real scaled = (value - offset) / step;
    uint32_t largest = (1U << bits) - 1U;
    uint32_t code;
    sgq_real rest;

    if (!(scaled > REAL(0))) {
        return 0U;
    }
    if (scaled >= REAL(largest)) {
        return largest;
    }
    code = (uint32_t)scaled;
    rest = scaled - REAL(code);
    if (rest > REAL(0.5) || (rest >= REAL(0.5) && (code & 1U) != 0U)) {
        code++;
    }
    return code;
}

/* Matrices of codes. */

static uint32_t bucket_row(uint32_t bucket)
{
    return WORDS[SGQ_BUCKET_ROWS + bucket];
}

static sgq_matrix matrix_at(const sgq_run *run, uint32_t table)
{
    sgq_matrix matrix;

    matrix.words = WORDS + table;
    matrix.width = matrix.words[MATRIX_WIDTH];
    matrix.ranges = NUMBERS + matrix.words[MATRIX_RANGES];
    matrix.bytes = matrix.words[MATRIX_PLACE] == IN_TABLES ? sgq_tables.bytes : run->codes;
    return matrix;
}

static sgq_slice slice_at(const sgq_run *run, const sgq_matrix *matrix, uint32_t bucket)
{
    const uint32_t *words = matrix->words + MATRIX_BUCKETS + 2U * bucket;
    sgq_slice slice;

    slice.bits = words[0];
    slice.bytes = matrix->bytes + words[1];
    slice.step = REAL(matrix->ranges[2U * bucket]);
    slice.offset = REAL(matrix->ranges[2U * bucket + 1U]);
    slice.first_row = bucket_row(bucket);
    if (matrix->words[MATRIX_PLACE] == IN_ARENA_ONE_ROW) {
        slice.first_row = run->row;
    }
    return slice;
}

static sgq_real value_at(const sgq_slice *slice, uint32_t place)
{
    if (slice->bits == FULL_PRECISION) {
        return read_value(slice->bytes, place);
    }
    return REAL(read_bits(slice->bytes, place * slice->bits, slice->bits)) * slice->step +
           slice->offset;
}

/* Sums. Of codes they are whole numbers, which are exact: sums[k] of a factor times the codes of
 * column k, and sums[width + k] of these codes; add_scaled makes numbers of them. */

static void add_codes(sgq_sum *restrict sums, sgq_sum *restrict totals,
                      const sgq_slice *slice, uint32_t first, uint32_t width, sgq_sum factor)
{
    const uint32_t bits = slice->bits;
    const uint32_t mask = (1U << bits) - 1U;
    const uint32_t bit = first * bits;
    const uint8_t *restrict octets = slice->bytes + (bit >> 3);
    uint32_t have = 8U - (bit & 7U);
    uint32_t window;
    uint32_t k;

    if (bits == 0U) {
        return;
    }
    if (bits == 8U) {
        for (k = 0; k < width; k++) {
            sums[k] += factor * octets[k];
        }
        for (k = 0; totals != NULL && k < width; k++) {
            totals[k] += octets[k];
        }
        return;
    }
    window = (uint32_t)*octets++ >> (bit & 7U);
    for (k = 0; k < width; k++) {
        while (have < bits) {
            window |= (uint32_t)*octets++ << have;
            have += 8U;
        }
        sums[k] += factor * (sgq_sum)(window & mask);
        if (totals != NULL) {
            totals[k] += (sgq_sum)(window & mask);
        }
        window >>= bits;
        have -= bits;
    }
}

/* out += step (s sums + o totals) + offset (s factors + o count), which is the sum of the products
 * of (s factor + o) and (step code + offset). Empties the sums. ranges: step and offset of each
 * column where stride is 2, of all where it is 0. */
static void add_scaled(sgq_real *out, sgq_sum *sums, sgq_sum *totals, uint32_t width,
                       sgq_real s, sgq_real o, const float *ranges, uint32_t stride,
                       sgq_sum factors, uint32_t count)
{
    const sgq_real weight = s * REAL(factors) + o * REAL(count);
    uint32_t k;

    for (k = 0; k < width; k++) {
        sgq_real sum = s * REAL(sums[k]);
        if (totals != NULL) {
            sum += o * REAL(totals[k]);
            totals[k] = 0;
        }
        sums[k] = 0;
        out[k] += REAL(ranges[stride * k]) * sum + REAL(ranges[stride * k + 1U]) * weight;
    }
}

/* out += factor value, where one of the two is no code. */
static void add_values(sgq_real *out, const sgq_slice *slice, uint32_t first, uint32_t width,
                       sgq_real factor)
{
    uint32_t k;

    for (k = 0; k < width; k++) {
        out[k] += factor * value_at(slice, first + k);
    }
}

static void zero_sums(sgq_run *run, uint32_t count)
{
    uint32_t k;

    for (k = 0; k < count; k++) {
        run->sums[k] = 0;
    }
}

static void zero_reals(sgq_real *values, uint32_t count)
{
    uint32_t k;

    for (k = 0; k < count; k++) {
        values[k] = REAL(0);
    }
}

#if SGQ_HAS_EDGES || SGQ_FEATURES_SPARSE
/* The next entry before position end; 0 without one. */
static int next_entry(const sgq_pattern *pattern, sgq_cursor *cursor, sgq_position end,
                      sgq_position *position)
{
    uint32_t bit = cursor->bit;
    uint32_t octet;
    sgq_position found;

    if (cursor->entry == pattern->count) {
        return 0;
    }
    octet = (uint32_t)pattern->high[bit >> 3] >> (bit & 7U);
    while (octet == 0U) {
        bit = (bit | 7U) + 1U;
        octet = pattern->high[bit >> 3];
    }
    while ((octet & 1U) == 0U) {
        octet >>= 1;
        bit++;
    }
    cursor->bit = bit;
    found = (sgq_position)bit;
    if (pattern->low != NULL) {
        found = (sgq_position)(bit - cursor->entry) << pattern->low_bits;
        found |= read_bits(pattern->low, cursor->entry * pattern->low_bits, pattern->low_bits);
    }
    if (found >= end) {
        return 0;
    }
    cursor->entry++;
    cursor->bit = bit + 1U;
    *position = found;
    return 1;
}

/* The start of a row: known, or found from that of its block of rows. */
static sgq_cursor row_start(sgq_entries *entries, uint32_t row, uint32_t bucket)
{
    const sgq_pattern *pattern = &entries->pattern;
    const uint32_t within = row - bucket_row(bucket);
    const uint32_t block = WORDS[SGQ_BUCKET_BLOCKS + bucket] + within / ROW_BLOCK;
    const sgq_position columns = pattern->columns;
    sgq_cursor *here = &entries->here;
    sgq_position start;

    if (here->row == row) {
        return *here;
    }
    if (entries->next.row == row) {
        *here = entries->next;
        return *here;
    }
    start = (sgq_position)(row - within % ROW_BLOCK) * columns;
    here->row = row;
    here->entry = pattern->blocks[block];
    here->bit = (uint32_t)(start >> pattern->low_bits);
    if (pattern->low != NULL) {
        here->bit += here->entry;
    }
    while (next_entry(pattern, here, (sgq_position)row * columns, &start)) {
    }
    return *here;
}

static void row_done(sgq_entries *entries, sgq_cursor cursor)
{
    cursor.row++;
    entries->next = cursor;
}
#endif

#if SGQ_HAS_GATHER || SGQ_HAS_ATTENTION
/* The bucket of a row, looked for from that of an earlier one on. */
static uint32_t bucket_from(uint32_t bucket, uint32_t row)
{
    while (row >= bucket_row(bucket + 1U)) {
        bucket++;
    }
    return bucket;
}

/* The sources of the edges into a row, the row itself first where it is one. */
typedef struct {
    sgq_cursor cursor;
    sgq_position base;
    uint32_t source;
    uint32_t bucket;
    uint32_t itself; /* 1 while the row itself is to come, 2 when it is there */
} sgq_sources;

static sgq_sources sources_of(sgq_run *run, uint32_t with_itself)
{
    sgq_sources sources;

    sources.cursor = row_start(&run->edges, run->row, run->bucket);
    sources.base = (sgq_position)run->row * SGQ_NUM_NODES;
    sources.source = run->row;
    sources.bucket = run->bucket;
    sources.itself = with_itself != 0U;
    return sources;
}

static int next_source(sgq_run *run, sgq_sources *sources)
{
    sgq_position position;

    if (sources->itself == 1U) {
        sources->itself = 2U;
        return 1;
    }
    if (!next_entry(&run->edges.pattern, &sources->cursor, sources->base + SGQ_NUM_NODES,
                    &position)) {
        row_done(&run->edges, sources->cursor);
        return 0;
    }
    sources->source = (uint32_t)(position - sources->base);
    /* Sources increase, but for the row itself. */
    if (sources->itself == 2U || sources->source < bucket_row(sources->bucket)) {
        sources->bucket = 0U;
    }
    sources->itself = 0U;
    sources->bucket = bucket_from(sources->bucket, sources->source);
    return 1;
}
#endif

#if SGQ_HAS_GATHER
#if SGQ_USES_DEGREES
static sgq_real root_of(uint32_t row, uint32_t more)
{
    uint32_t degree = read_bits(sgq_tables.bytes + SGQ_DEGREES, row * SGQ_DEGREE_BITS,
                                SGQ_DEGREE_BITS);

    degree += more;
    return degree == 0U ? REAL(0) : REAL(1) / SGQ_SQRT(REAL(degree));
}
#endif

/* out = sum_j a_j h_j over neighbours j. */
static void gather(sgq_run *run, const uint32_t *step)
{
    const uint32_t width = step[WIDTH];
    const uint32_t kind = step[EXTRA] & 15U;
    const sgq_matrix matrix = matrix_at(run, step[TABLE]);
    sgq_real *out = run->reals + step[OUT];
    sgq_sources sources = sources_of(run, step[EXTRA] & WITH_ITSELF);
    sgq_slice slice = slice_at(run, &matrix, run->bucket);
    uint32_t group = NOWHERE;
    uint32_t in_group = 0U;
    uint32_t count = 0U;
    sgq_sum factors = 0;
    sgq_real s = REAL(1);
    sgq_real o = REAL(0);
    sgq_sum *totals = NULL;
    uint32_t coefficient_bits = 0U;
#if SGQ_USES_DEGREES
    sgq_real root = REAL(1);

    if (kind == BY_DEGREES) {
        const sgq_matrix attention = matrix_at(run, step[TABLE2]);
        const sgq_slice ranges = slice_at(run, &attention, run->bucket);

        coefficient_bits = ranges.bits;
        s = ranges.step;
        o = ranges.offset;
        totals = run->sums + width;
        root = root_of(run->row, step[EXTRA] & WITH_ITSELF ? 1U : 0U);
    }
#endif
    if (kind == BY_ONE_ITSELF_MORE) {
        s += REAL(NUMBERS[step[TABLE2]]);
    }
    zero_reals(out, width);
    zero_sums(run, 2U * width);
    while (next_source(run, &sources)) {
        sgq_sum factor = 1;
        sgq_real coefficient = REAL(1);

        if (sources.bucket != group || (count == 1U && kind == BY_ONE_ITSELF_MORE)) {
            if (in_group != 0U) {
                add_scaled(out, run->sums, totals, width, s, o, matrix.ranges + 2U * group, 0U,
                           factors, in_group);
            }
            group = sources.bucket;
            slice = slice_at(run, &matrix, group);
            factors = 0;
            in_group = 0U;
            if (count == 1U && kind == BY_ONE_ITSELF_MORE) {
                s = REAL(1);
            }
        }
        count++;
#if SGQ_USES_DEGREES
        if (kind == BY_DEGREES) {
            coefficient = root * root_of(sources.source, step[EXTRA] & WITH_ITSELF ? 1U : 0U);
            if (coefficient_bits != FULL_PRECISION) {
                factor = (sgq_sum)code_of(coefficient, s, o, coefficient_bits);
                coefficient = REAL(factor) * s + o;
            }
        }
#endif
        if (slice.bits == FULL_PRECISION || coefficient_bits == FULL_PRECISION) {
            if (kind != BY_DEGREES) {
                coefficient = s;
            }
            add_values(out, &slice, (sources.source - slice.first_row) * matrix.width, width,
                       coefficient);
            continue;
        }
        add_codes(run->sums, totals, &slice, (sources.source - slice.first_row) * matrix.width,
                  width, factor);
        factors += factor;
        in_group++;
    }
    if (in_group != 0U) {
        add_scaled(out, run->sums, totals, width, s, o, matrix.ranges + 2U * group, 0U, factors,
                   in_group);
    }
    if (kind == BY_SHARE && count > 1U) {
        uint32_t k;

        for (k = 0; k < width; k++) {
            out[k] /= REAL(count);
        }
    }
}
#endif

/* A weight matrix, and what is added up for a product with it. */
typedef struct {
    sgq_run *run;
    sgq_real *out;
    sgq_slice weight;
    const float *ranges; /* step and offset of each column; NULL of fp32 values */
    uint32_t width;
    sgq_sum *totals;
    sgq_sum factors;
    uint32_t count;
    sgq_real sum; /* of the values that are no codes */
} sgq_product;

#if SGQ_HAS_PRODUCT || SGQ_HAS_FEATURE_PRODUCT
/* needs_totals: whether codes of the row have an offset. */
static sgq_product start_product(sgq_run *run, const uint32_t *step, int needs_totals)
{
    const uint32_t *words = WORDS + step[TABLE2];
    sgq_product product;

    product.run = run;
    product.out = run->reals + step[OUT];
    product.width = words[WEIGHT_WIDTH];
    product.weight.bytes = sgq_tables.bytes + words[WEIGHT_BYTE];
    product.weight.bits = words[WEIGHT_BITS];
    product.weight.first_row = 0U;
    product.weight.step = REAL(1);
    product.weight.offset = REAL(0);
    product.ranges = words[WEIGHT_RANGES] == NOWHERE ? NULL : NUMBERS + words[WEIGHT_RANGES];
    product.totals = needs_totals ? run->sums + product.width : NULL;
    product.factors = 0;
    product.count = 0U;
    product.sum = REAL(0);
    zero_reals(product.out, product.width);
    zero_sums(run, 2U * product.width);
    return product;
}

static void add_coded_term(sgq_product *product, uint32_t column, uint32_t code)
{
    add_codes(product->run->sums, product->totals, &product->weight, column * product->width,
              product->width, (sgq_sum)code);
    product->factors += (sgq_sum)code;
    product->count++;
}

static void add_term(sgq_product *product, uint32_t column, sgq_real value)
{
    add_values(product->out, &product->weight, column * product->width, product->width, value);
    product->sum += value;
}

/* s, o: what the codes of the row stand for. Returns the sum of the row. */
static sgq_real end_product(sgq_product *product, sgq_real s, sgq_real o)
{
    uint32_t k;

    if (product->ranges != NULL) {
        for (k = 0; k < product->width; k++) {
            product->out[k] = product->out[k] * REAL(product->ranges[2U * k]) +
                              product->sum * REAL(product->ranges[2U * k + 1U]);
        }
        add_scaled(product->out, product->run->sums, product->totals, product->width, s, o,
                   product->ranges, 2U, product->factors, product->count);
    }
    return product->sum + s * REAL(product->factors) + o * REAL(product->count);
}
#endif

#if SGQ_HAS_PRODUCT || (SGQ_HAS_FEATURE_PRODUCT && !SGQ_FEATURES_SPARSE)
/* A row of a matrix times a weight. Returns the sum of the row. */
static sgq_real row_product(sgq_run *run, const uint32_t *step)
{
    const sgq_matrix matrix = matrix_at(run, step[TABLE]);
    const sgq_slice slice = slice_at(run, &matrix, run->bucket);
    const uint32_t first = (run->row - slice.first_row) * matrix.width;
    /* Codes of no bits stand for one value. */
    const sgq_real s = slice.bits == 0U ? slice.offset : slice.step;
    const sgq_real o = slice.bits == 0U ? REAL(0) : slice.offset;
    sgq_product product = start_product(run, step, o < REAL(0) || o > REAL(0));
    uint32_t j;

    for (j = 0; j < matrix.width; j++) {
        if (slice.bits == FULL_PRECISION || product.weight.bits == FULL_PRECISION) {
            add_term(&product, j, value_at(&slice, first + j));
        } else if (slice.bits == 0U) {
            add_coded_term(&product, j, 1U);
        } else {
            uint32_t code = read_bits(slice.bytes, (first + j) * slice.bits, slice.bits);
            if (code != 0U || product.totals != NULL) {
                add_coded_term(&product, j, code);
            }
        }
    }
    return end_product(&product, s, o);
}
#endif

#if SGQ_FEATURES_SPARSE && (SGQ_HAS_FEATURE_PRODUCT || SGQ_HAS_READ_FEATURES)
/* The stored values of a bucket of sparse features: rows of one column. */
static sgq_slice stored_values(const sgq_run *run)
{
    const sgq_matrix matrix = matrix_at(run, SGQ_FEATURE_VALUES);
    sgq_slice slice = slice_at(run, &matrix, run->bucket);

    slice.first_row = WORDS[SGQ_FEATURE_STARTS + run->bucket];
    return slice;
}
#endif

#if SGQ_HAS_FEATURE_PRODUCT || SGQ_HAS_READ_FEATURES
/* Rows divided by their sum, where that is above 1. */
static void normalize_features(sgq_real *out, uint32_t width, sgq_real sum)
{
    uint32_t k;

    if (SGQ_FEATURES_NORMALIZED && sum > REAL(1)) {
        for (k = 0; k < width; k++) {
            out[k] /= sum;
        }
    }
}
#endif

#if SGQ_HAS_FEATURE_PRODUCT
static void feature_product(sgq_run *run, const uint32_t *step)
{
#if SGQ_FEATURES_SPARSE
    const sgq_position base = (sgq_position)run->row * SGQ_NUM_FEATURES;
    const sgq_slice slice = stored_values(run);
    const sgq_real s = slice.bits == 0U ? slice.offset : slice.step;
    const sgq_real o = slice.bits == 0U ? REAL(0) : slice.offset;
    sgq_cursor cursor = row_start(&run->features, run->row, run->bucket);
    sgq_product product = start_product(run, step, o < REAL(0) || o > REAL(0));
    sgq_position position;
    sgq_real sum;

    while (next_entry(&run->features.pattern, &cursor, base + SGQ_NUM_FEATURES, &position)) {
        const uint32_t column = (uint32_t)(position - base);
        const uint32_t place = cursor.entry - 1U - slice.first_row;

        if (slice.bits == FULL_PRECISION || product.weight.bits == FULL_PRECISION) {
            add_term(&product, column, value_at(&slice, place));
        } else if (slice.bits == 0U) {
            add_coded_term(&product, column, 1U);
        } else {
            add_coded_term(&product, column,
                           read_bits(slice.bytes, place * slice.bits, slice.bits));
        }
    }
    row_done(&run->features, cursor);
    sum = end_product(&product, s, o);
#else
    const sgq_real sum = row_product(run, step);
#endif
    normalize_features(run->reals + step[OUT], step[WIDTH], sum);
}
#endif

#if SGQ_HAS_READ || (SGQ_HAS_READ_FEATURES && !SGQ_FEATURES_SPARSE)
static void read_row(sgq_run *run, const uint32_t *step)
{
    const sgq_matrix matrix = matrix_at(run, step[TABLE]);
    const sgq_slice slice = slice_at(run, &matrix, run->bucket);
    sgq_real *out = run->reals + step[OUT];
    uint32_t k;

    for (k = 0; k < matrix.width; k++) {
        out[k] = value_at(&slice, (run->row - slice.first_row) * matrix.width + k);
    }
}
#endif

#if SGQ_HAS_READ_FEATURES
static void read_features(sgq_run *run, const uint32_t *step)
{
    sgq_real *out = run->reals + step[OUT];
    sgq_real sum = REAL(0);
    uint32_t k;
#if SGQ_FEATURES_SPARSE
    const sgq_position base = (sgq_position)run->row * SGQ_NUM_FEATURES;
    const sgq_slice slice = stored_values(run);
    sgq_cursor cursor = row_start(&run->features, run->row, run->bucket);
    sgq_position position;

    zero_reals(out, SGQ_NUM_FEATURES);
    while (next_entry(&run->features.pattern, &cursor, base + SGQ_NUM_FEATURES, &position)) {
        out[position - base] = value_at(&slice, cursor.entry - 1U - slice.first_row);
    }
    row_done(&run->features, cursor);
#else
    read_row(run, step);
#endif
    for (k = 0; k < SGQ_NUM_FEATURES; k++) {
        sum += out[k];
    }
    normalize_features(out, SGQ_NUM_FEATURES, sum);
}
#endif

#if SGQ_HAS_WRITE
static void write_row(sgq_run *run, const uint32_t *step)
{
    const sgq_matrix matrix = matrix_at(run, step[TABLE]);
    const sgq_slice slice = slice_at(run, &matrix, run->bucket);
    const sgq_real *values = run->reals + step[IN];
    const uint32_t first = (run->row - slice.first_row) * matrix.width;
    uint8_t *octets = run->codes + matrix.words[MATRIX_BUCKETS + 2U * run->bucket + 1U];
    uint32_t have = (first * slice.bits) & 7U;
    uint32_t window;
    uint32_t k;

    if (slice.bits == FULL_PRECISION) {
        for (k = 0; k < matrix.width; k++) {
            write_value(octets, first + k, values[k]);
        }
        return;
    }
    octets += (first * slice.bits) >> 3;
    /* The rows before and after share the first and the last byte. */
    window = *octets & ((1U << have) - 1U);
    for (k = 0; k < matrix.width; k++) {
        window |= code_of(values[k], slice.step, slice.offset, slice.bits) << have;
        have += slice.bits;
        while (have >= 8U) {
            *octets++ = (uint8_t)window;
            window >>= 8;
            have -= 8U;
        }
    }
    if (have != 0U) {
        *octets = (uint8_t)((*octets & ~((1U << have) - 1U)) | window);
    }
}
#endif

#if SGQ_HAS_ATTENTION
/* Scores of an edge, head by head, by which top and total of a softmax are kept up. */
static sgq_real score_of(const sgq_slice *slice, uint32_t first, uint32_t channels,
                         const float *vector)
{
    sgq_real sum = REAL(0);
    uint32_t k;

    for (k = 0; k < channels; k++) {
        sum += REAL(vector[k]) * value_at(slice, first + k);
    }
    return sum;
}

static sgq_real leaky(sgq_real value, sgq_real slope)
{
    return value > REAL(0) ? value : slope * value;
}

/* Makes sums of one bucket of sources to numbers, head by head. */
static void add_heads(sgq_run *run, const uint32_t *step, const sgq_slice *ranges,
                      const float *hidden, uint32_t count)
{
    const uint32_t width = step[WIDTH];
    const uint32_t heads = step[IN2] & 0xFFFFU;
    const uint32_t channels = width / heads;
    sgq_sum *factors = run->sums + 2U * width;
    uint32_t h;

    for (h = 0; h < heads; h++) {
        add_scaled(run->reals + step[OUT] + h * channels, run->sums + h * channels,
                   run->sums + width + h * channels, channels, ranges->step, ranges->offset,
                   hidden, 0U, factors[h], count);
        factors[h] = 0;
    }
}

/* out = sum_j Q(softmax_j leaky(a_s h_j + a_d h_i)) h_j, head by head. Scores are made twice, so
 * that none are held: for the sum of the softmax, and where they weigh. */
static void attention(sgq_run *run, const uint32_t *step)
{
    const uint32_t width = step[WIDTH];
    const uint32_t heads = step[IN2] & 0xFFFFU;
    const uint32_t channels = width / heads;
    const float *vectors = NUMBERS + step[EXTRA] + 1;
    const sgq_real slope = REAL(NUMBERS[step[EXTRA]]);
    const sgq_matrix matrix = matrix_at(run, step[TABLE]);
    const sgq_matrix coefficients = matrix_at(run, step[TABLE2]);
    const sgq_slice ranges = slice_at(run, &coefficients, run->bucket);
    const sgq_slice row = slice_at(run, &matrix, run->bucket);
    sgq_real *out = run->reals + step[OUT];
    sgq_real *top = run->reals + step[IN];
    sgq_real *total = top + heads;
    sgq_real *own = total + heads;
    sgq_sum *factors = run->sums + 2U * width;
    sgq_sources sources = sources_of(run, step[IN2] >> 16);
    const sgq_sources again = sources;
    sgq_slice slice = row;
    uint32_t group = NOWHERE;
    uint32_t in_group = 0U;
    uint32_t h;

    zero_reals(out, width);
    zero_sums(run, 2U * width + heads);
    zero_reals(total, heads);
    for (h = 0; h < heads; h++) {
        own[h] = score_of(&row, (run->row - row.first_row) * width + h * channels, channels,
                          vectors + width + h * channels);
    }
    while (next_source(run, &sources)) {
        slice = slice_at(run, &matrix, sources.bucket);
        for (h = 0; h < heads; h++) {
            const uint32_t first = (sources.source - slice.first_row) * width + h * channels;
            const sgq_real score =
                leaky(own[h] + score_of(&slice, first, channels, vectors + h * channels), slope);

            if (total[h] <= REAL(0) || score > top[h]) {
                total[h] = total[h] <= REAL(0) ? REAL(1) : total[h] * SGQ_EXP(top[h] - score) + REAL(1);
                top[h] = score;
            } else {
                total[h] += SGQ_EXP(score - top[h]);
            }
        }
    }
    sources = again;
    while (next_source(run, &sources)) {
        if (sources.bucket != group) {
            if (in_group != 0U) {
                add_heads(run, step, &ranges, matrix.ranges + 2U * group, in_group);
            }
            group = sources.bucket;
            in_group = 0U;
            slice = slice_at(run, &matrix, group);
        }
        in_group += slice.bits != FULL_PRECISION && ranges.bits != FULL_PRECISION;
        for (h = 0; h < heads; h++) {
            const uint32_t first = (sources.source - slice.first_row) * width + h * channels;
            const sgq_real score =
                leaky(own[h] + score_of(&slice, first, channels, vectors + h * channels), slope);
            sgq_real share = SGQ_EXP(score - top[h]) / total[h];
            sgq_sum code = 0;

            if (ranges.bits != FULL_PRECISION) {
                code = (sgq_sum)code_of(share, ranges.step, ranges.offset, ranges.bits);
                share = REAL(code) * ranges.step + ranges.offset;
            }
            if (slice.bits == FULL_PRECISION || ranges.bits == FULL_PRECISION) {
                add_values(out + h * channels, &slice, first, channels, share);
            } else {
                add_codes(run->sums + h * channels, run->sums + width + h * channels, &slice,
                          first, channels, code);
                factors[h] += code;
            }
        }
    }
    if (in_group != 0U) {
        add_heads(run, step, &ranges, matrix.ranges + 2U * group, in_group);
    }
}
#endif

/* Steps on what lies in registers. */

#if SGQ_HAS_ACTIVATE
static sgq_real sigmoid(sgq_real x)
{
    return REAL(0.5) * (REAL(1) + SGQ_TANH(REAL(0.5) * x));
}

static sgq_real activated(sgq_real x, uint32_t function, sgq_real parameter)
{
    switch (function) {
    case RELU:
        return x > REAL(0) ? x : REAL(0);
    case ELU:
        return x > REAL(0) ? x : parameter * SGQ_EXPM1(x);
    case LEAKY_RELU:
        return x > REAL(0) ? x : bounded(parameter * x);
    case GELU:
        return x * REAL(0.5) * (REAL(1) + SGQ_ERF(x * REAL(0.70710678118654752)));
    case GELU_TANH:
        return x * REAL(0.5) *
               (REAL(1) + SGQ_TANH(REAL(0.79788456080286536) * x *
                                   (REAL(1) + REAL(0.044715) * x * x)));
    case SILU:
        return x * sigmoid(x);
    case TANH:
        return SGQ_TANH(x);
    case SIGMOID:
        return sigmoid(x);
    case SOFTPLUS:
        return x > REAL(0) ? x + SGQ_LOG1P(SGQ_EXP(-x)) : SGQ_LOG1P(SGQ_EXP(x));
    case HARDSWISH: {
        const sgq_real moved = x + REAL(3);
        const sgq_real gate = moved < REAL(0) ? REAL(0) : moved > REAL(6) ? REAL(6) : moved;

        return x * (gate / REAL(6));
    }
    default:
        return x;
    }
}
#endif

#if SGQ_HAS_STANDARDIZE_ROWS || SGQ_HAS_NORMALIZE_ROWS || SGQ_HAS_SOFTMAX_ROWS
/* A norm of one row; in and out may be the same. */
static void norm(const uint32_t *step, sgq_real *out, const sgq_real *in)
{
    const uint32_t width = step[WIDTH];
    sgq_real shift = REAL(0);
    sgq_real size = REAL(0);
    uint32_t k;

    if (step[OP] == STEP_STANDARDIZE_ROWS) {
        for (k = 0; k < width; k++) {
            shift += in[k];
        }
        shift /= REAL(width);
    } else if (step[OP] == STEP_SOFTMAX_ROWS) {
        shift = in[0];
        for (k = 1; k < width; k++) {
            shift = in[k] > shift ? in[k] : shift;
        }
    }
    for (k = 0; k < width; k++) {
        out[k] = in[k] - shift;
        if (step[OP] == STEP_SOFTMAX_ROWS) {
            out[k] = SGQ_EXP(out[k]);
            size += out[k];
        } else {
            size += out[k] * out[k];
        }
    }
    if (step[OP] == STEP_STANDARDIZE_ROWS) {
        size = SGQ_SQRT(size / REAL(width) + REAL(NUMBERS[step[TABLE]]));
    } else if (step[OP] == STEP_NORMALIZE_ROWS) {
        const sgq_real eps = REAL(NUMBERS[step[TABLE]]);

        size = SGQ_SQRT(size);
        size = step[EXTRA] != 0U ? size + eps : size > eps ? size : eps;
    }
    for (k = 0; k < width; k++) {
        out[k] = bounded(out[k] / size);
    }
}
#endif

#if SGQ_HAS_PROJECT
static void project(const uint32_t *step, sgq_real *out, const sgq_real *in)
{
    const uint32_t width = step[WIDTH];
    const float *weight = NUMBERS + step[TABLE];
    uint32_t j;
    uint32_t k;

    for (k = 0; k < width; k++) {
        sgq_real sum = REAL(0);

        for (j = 0; j < step[EXTRA]; j++) {
            sum += in[j] * REAL(weight[j * width + k]);
        }
        out[k] = bounded(sum + REAL(weight[step[EXTRA] * width + k]));
    }
}
#endif

#if SGQ_HAS_MEAN_HEADS
static void mean_heads(const uint32_t *step, sgq_real *out, const sgq_real *in)
{
    const uint32_t width = step[WIDTH];
    uint32_t h;
    uint32_t k;

    for (k = 0; k < width; k++) {
        sgq_real sum = REAL(0);

        for (h = 0; h < step[EXTRA]; h++) {
            sum += in[h * width + k];
        }
        out[k] = sum / REAL(step[EXTRA]);
    }
}
#endif

/* A step that makes each number of a row from the one in its place. */
static void each_number(sgq_run *run, const uint32_t *step)
{
    sgq_real *out = run->reals + step[OUT];
    const sgq_real *in = run->reals + step[IN];
    const sgq_real *in2 = run->reals + step[IN2];
    const float *numbers = NUMBERS + step[TABLE];
    const uint32_t width = step[WIDTH];
    uint32_t k;

    for (k = 0; k < width; k++) {
        /* One column stands for all. */
        const sgq_real x = in[(step[EXTRA] & 1U) != 0U && step[OP] <= STEP_MAXIMUM ? 0U : k];
        const sgq_real y = in2[(step[EXTRA] & 2U) != 0U || step[OP] > STEP_MAXIMUM ? 0U : k];

        switch (step[OP]) {
#if SGQ_HAS_BIAS
        case STEP_BIAS:
            out[k] = x + REAL(numbers[k]);
            break;
#endif
#if SGQ_HAS_ADD
        case STEP_ADD:
            out[k] = bounded(x + y);
            break;
#endif
#if SGQ_HAS_MULTIPLY
        case STEP_MULTIPLY:
            out[k] = bounded(x * y);
            break;
#endif
#if SGQ_HAS_MAXIMUM
        case STEP_MAXIMUM:
            out[k] = x > y ? x : y;
            break;
#endif
#if SGQ_HAS_AFFINE
        case STEP_AFFINE:
            out[k] = bounded(x * REAL(numbers[k]) + REAL(numbers[width + k]));
            break;
#endif
#if SGQ_HAS_SCALE
        case STEP_SCALE:
            out[k] = bounded(x * REAL(numbers[0]) + REAL(numbers[1]));
            break;
#endif
#if SGQ_HAS_CLIP
        case STEP_CLIP:
            out[k] = x < REAL(numbers[0]) ? REAL(numbers[0])
                                          : x > REAL(numbers[1]) ? REAL(numbers[1]) : x;
            break;
#endif
#if SGQ_HAS_PRELU
        case STEP_PRELU:
            out[k] = x > REAL(0) ? x : bounded(x * REAL(numbers[k]));
            break;
#endif
#if SGQ_HAS_ACTIVATE
        case STEP_ACTIVATE:
            out[k] = activated(x, step[EXTRA], REAL(numbers[0]));
            break;
#endif
        default:
            out[k] = x;
            break;
        }
        (void)y;
        (void)numbers;
    }
}

/* The run: passes, rows, steps. */

/* The node of the row. */
static uint32_t node_of(sgq_run *run)
{
#if SGQ_BUCKET_MAP_BITS
    const uint8_t *map = sgq_tables.bytes + SGQ_BUCKET_MAP;

    if (run->map_bucket != run->bucket) {
        run->map_bucket = run->bucket;
        run->map_row = bucket_row(run->bucket);
        run->map_node = 0U;
    }
    for (;;) {
        while (read_bits(map, run->map_node * SGQ_BUCKET_MAP_BITS, SGQ_BUCKET_MAP_BITS) !=
               run->bucket) {
            run->map_node++;
        }
        if (run->map_row == run->row) {
            return run->map_node;
        }
        run->map_row++;
        run->map_node++;
    }
#else
    return run->row;
#endif
}

static int do_step(sgq_run *run, const uint32_t *step)
{
    switch (step[OP]) {
#if SGQ_HAS_PRODUCT
    case STEP_PRODUCT:
        (void)row_product(run, step);
        return 0;
#endif
#if SGQ_HAS_FEATURE_PRODUCT
    case STEP_FEATURE_PRODUCT:
        feature_product(run, step);
        return 0;
#endif
#if SGQ_HAS_GATHER
    case STEP_GATHER:
        gather(run, step);
        return 0;
#endif
#if SGQ_HAS_ATTENTION
    case STEP_ATTENTION:
        attention(run, step);
        return 0;
#endif
#if SGQ_HAS_READ
    case STEP_READ:
        read_row(run, step);
        return 0;
#endif
#if SGQ_HAS_READ_FEATURES
    case STEP_READ_FEATURES:
        read_features(run, step);
        return 0;
#endif
#if SGQ_HAS_WRITE
    case STEP_WRITE:
        write_row(run, step);
        return 0;
#endif
    case STEP_OUTPUT:
        return run->take(run->context, node_of(run), run->reals + step[IN]);
#if SGQ_HAS_STANDARDIZE_ROWS || SGQ_HAS_NORMALIZE_ROWS || SGQ_HAS_SOFTMAX_ROWS
    case STEP_STANDARDIZE_ROWS:
    case STEP_NORMALIZE_ROWS:
    case STEP_SOFTMAX_ROWS:
        norm(step, run->reals + step[OUT], run->reals + step[IN]);
        return 0;
#endif
#if SGQ_HAS_PROJECT
    case STEP_PROJECT:
        project(step, run->reals + step[OUT], run->reals + step[IN]);
        return 0;
#endif
#if SGQ_HAS_MEAN_HEADS
    case STEP_MEAN_HEADS:
        mean_heads(step, run->reals + step[OUT], run->reals + step[IN]);
        return 0;
#endif
    default:
        each_number(run, step);
        return 0;
    }
}

/* Helpers that not every model needs: named here, so that no compiler warns of them. */
static void name_helpers(void)
{
    (void)read_value;
    (void)write_value;
    (void)bounded;
    (void)code_of;
    (void)matrix_at;
    (void)slice_at;
    (void)value_at;
    (void)add_codes;
    (void)add_scaled;
    (void)add_values;
    (void)zero_sums;
    (void)zero_reals;
}

/* Forget where rows start: the passes before stood elsewhere. */
static void rewind_entries(sgq_run *run)
{
#if SGQ_HAS_EDGES
    run->edges.here.row = NOWHERE;
    run->edges.next.row = NOWHERE;
#endif
#if SGQ_FEATURES_SPARSE
    run->features.here.row = NOWHERE;
    run->features.next.row = NOWHERE;
#endif
    (void)run;
}

/* Whether a mask leaves the row out; moves on to the last of eight that it all leaves out. */
static int is_skipped(sgq_run *run, const uint8_t *mask)
{
    uint32_t octet;

    if (mask == NULL) {
        return 0;
    }
    octet = mask[run->row >> 3];
    if (octet == 0U) {
        run->row |= 7U;
        return 1;
    }
    return (octet >> (run->row & 7U) & 1U) == 0U;
}

static int do_pass(sgq_run *run, uint32_t pass)
{
    const uint32_t *steps = WORDS + SGQ_STEPS;
    const uint32_t first = WORDS[SGQ_PASSES + pass];
    const uint32_t last = WORDS[SGQ_PASSES + pass + 1U];
    const uint8_t *mask = NULL;
    uint32_t k;

    if (run->masks != NULL) {
        mask = run->masks + (size_t)pass * ((SGQ_NUM_NODES + 7U) / 8U);
    }
    rewind_entries(run);
    run->row = 0U;
    for (run->bucket = 0U; run->bucket < SGQ_NUM_BUCKETS; run->bucket++) {
        for (; run->row < bucket_row(run->bucket + 1U); run->row++) {
            if (is_skipped(run, mask)) {
                continue;
            }
            for (k = first; k < last; k++) {
                const int stopped = do_step(run, steps + STEP_WORDS * k);

                if (stopped != 0) {
                    return stopped;
                }
            }
        }
    }
    return SGQ_OK;
}

static int do_passes(sgq_run *run)
{
    uint32_t pass;

    for (pass = 0U; pass < SGQ_NUM_PASSES; pass++) {
        const int stopped = do_pass(run, pass);

        if (stopped != 0) {
            return stopped;
        }
    }
    return SGQ_OK;
}

static int start(sgq_run *run, void *arena, size_t given, size_t needed, sgq_take take,
                 void *context)
{
    uint8_t *bytes = arena;

    if (arena == NULL) {
        return SGQ_ARENA_MISSING;
    }
    if (given < needed) {
        return SGQ_ARENA_TOO_SMALL;
    }
    if ((uintptr_t)arena % sizeof(sgq_real) != 0U || (uintptr_t)arena % sizeof(sgq_sum) != 0U) {
        return SGQ_ARENA_MISALIGNED;
    }
    if (take == NULL) {
        return SGQ_TAKE_MISSING;
    }
    name_helpers();
    memset(run, 0, sizeof *run);
    run->sums = arena;
    run->reals = (void *)(bytes + SGQ_ARENA_SUMS * sizeof(sgq_sum));
    run->codes = bytes + SGQ_ARENA_SUMS * sizeof(sgq_sum) + SGQ_ARENA_REALS * sizeof(sgq_real);
    run->take = take;
    run->context = context;
#if SGQ_BUCKET_MAP_BITS
    run->map_bucket = NOWHERE;
#endif
#if SGQ_HAS_EDGES
    run->edges.pattern.high = sgq_tables.bytes + SGQ_EDGES_HIGH;
    run->edges.pattern.low = sgq_tables.bytes + SGQ_EDGES_LOW;
    run->edges.pattern.low_bits = SGQ_EDGES_LOW_BITS;
    run->edges.pattern.count = SGQ_NUM_EDGES;
    run->edges.pattern.columns = SGQ_NUM_NODES;
    run->edges.pattern.blocks = WORDS + SGQ_EDGE_BLOCKS;
#endif
#if SGQ_FEATURES_SPARSE
    run->features.pattern.high = sgq_tables.bytes + SGQ_FEATURES_HIGH;
    run->features.pattern.low = SGQ_FEATURES_BITMAP ? NULL : sgq_tables.bytes + SGQ_FEATURES_LOW;
    run->features.pattern.low_bits = SGQ_FEATURES_LOW_BITS;
    run->features.pattern.count = SGQ_NUM_STORED_FEATURES;
    run->features.pattern.columns = SGQ_NUM_FEATURES;
    run->features.pattern.blocks = WORDS + SGQ_FEATURE_BLOCKS;
#endif
    return SGQ_OK;
}

int sgq_predict(void *arena, size_t arena_bytes, sgq_take take, void *context)
{
    sgq_run run;
    const int fault = start(&run, arena, arena_bytes, SGQ_ARENA_BYTES, take, context);

    return fault != SGQ_OK ? fault : do_passes(&run);
}

uint32_t sgq_largest(const sgq_real *outputs)
{
    uint32_t best = 0U;
    uint32_t k;

    for (k = 1U; k < SGQ_NUM_OUTPUTS; k++) {
        if (outputs[k] > outputs[best]) {
            best = k;
        }
    }
    return best;
}

/* Some nodes: which rows each pass needs, from the last pass back. */

static void want_row(uint8_t *mask, uint32_t row)
{
    mask[row >> 3] = (uint8_t)(mask[row >> 3] | 1U << (row & 7U));
}

/* The row of a node: those of its bucket are in the order of their nodes. */
static uint32_t row_of(uint32_t node)
{
#if SGQ_BUCKET_MAP_BITS
    const uint8_t *map = sgq_tables.bytes + SGQ_BUCKET_MAP;
    const uint32_t bucket = read_bits(map, node * SGQ_BUCKET_MAP_BITS, SGQ_BUCKET_MAP_BITS);
    uint32_t row = bucket_row(bucket);
    uint32_t other;

    for (other = 0U; other < node; other++) {
        row += read_bits(map, other * SGQ_BUCKET_MAP_BITS, SGQ_BUCKET_MAP_BITS) == bucket;
    }
    return row;
#else
    return node;
#endif
}

/* Adds to the mask of an earlier pass the rows that those of a later one need. */
static void want_read_rows(sgq_run *run, const uint8_t *mask, uint8_t *earlier, uint32_t gathered)
{
    rewind_entries(run);
    run->row = 0U;
    for (run->bucket = 0U; run->bucket < SGQ_NUM_BUCKETS; run->bucket++) {
        for (; run->row < bucket_row(run->bucket + 1U); run->row++) {
            if (is_skipped(run, mask)) {
                continue;
            }
            want_row(earlier, run->row);
#if SGQ_HAS_GATHER || SGQ_HAS_ATTENTION
            if (gathered != 0U) {
                sgq_sources sources = sources_of(run, 0U);

                while (next_source(run, &sources)) {
                    want_row(earlier, sources.source);
                }
            }
#endif
            (void)gathered;
        }
    }
}

int sgq_predict_nodes(void *arena, size_t arena_bytes, const uint32_t *nodes, uint32_t count,
                      sgq_take take, void *context)
{
    const size_t mask_bytes = (SGQ_NUM_NODES + 7U) / 8U;
    sgq_run run;
    const int fault = start(&run, arena, arena_bytes, SGQ_NODES_ARENA_BYTES, take, context);
    uint32_t pass;
    uint32_t k;

    if (fault != SGQ_OK) {
        return fault;
    }
    if (nodes == NULL && count > 0U) {
        return SGQ_NODES_MISSING;
    }
    for (k = 0U; k < count; k++) {
        if (nodes[k] >= SGQ_NUM_NODES) {
            return SGQ_NODE_UNKNOWN;
        }
    }
    run.masks = run.codes + SGQ_ARENA_CODES;
    memset(run.masks, 0, mask_bytes * SGQ_NUM_PASSES);
    for (k = 0U; k < count; k++) {
        want_row(run.masks + mask_bytes * (SGQ_NUM_PASSES - 1U), row_of(nodes[k]));
    }
    for (pass = SGQ_NUM_PASSES - 1U; pass > 0U; pass--) {
        for (k = WORDS[SGQ_READS + pass]; k < WORDS[SGQ_READS + pass + 1U]; k++) {
            const uint32_t read = WORDS[SGQ_READ_PASSES + k];

            want_read_rows(&run, run.masks + mask_bytes * pass, run.masks + mask_bytes * (read >> 1),
                           read & 1U);
        }
    }
    return do_passes(&run);
}
