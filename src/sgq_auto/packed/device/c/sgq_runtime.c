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

/* For what runs once for each code: a call would take longer than the work. Not where the compiler
 * is asked for small code. */
#if defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static
#endif

/* For what is not longer than a call. */
#if defined(__GNUC__)
#define SHORT static inline __attribute__((always_inline))
#else
#define SHORT static
#endif

/* For steps that need much stack: so that each has it only while it runs. */
#if defined(__GNUC__)
#define APART static __attribute__((noinline))
#else
#define APART static
#endif

/* The words that lanes lie in. */
#if UINTPTR_MAX > 0xFFFFFFFFU
typedef uint64_t sgq_word;
#define MOST_LANE_BITS 32U
#else
typedef uint32_t sgq_word;
#define MOST_LANE_BITS 16U
#endif
#define LANE_WORD_BITS (8U * (uint32_t)sizeof(sgq_word))
#define WINDOW_BITS (LANE_WORD_BITS - 7U)
#define LANE_BYTES (SGQ_ARENA_LANES / 2U * sizeof(uint32_t))

/* Whether some step goes through the edges into a row, reads features, or has a weight. */
#define HAS_SOURCES \
    (SGQ_HAS_GATHER || SGQ_HAS_ATTENTION || SGQ_HAS_REDUCE || SGQ_HAS_REDUCE_FEATURES)
#define READS_FEATURES (SGQ_HAS_READ_FEATURES || SGQ_HAS_REDUCE_FEATURES)
#define HAS_WEIGHTS (SGQ_HAS_PRODUCT || SGQ_HAS_FEATURE_PRODUCT || SGQ_HAS_TRANSFORM)

#define REAL(x) ((sgq_real)(x))
#define WORDS sgq_tables.words
#define NUMBERS sgq_tables.numbers
#define TABLES_END (sgq_tables.bytes + sizeof sgq_tables.bytes)
#define FULL_PRECISION 32U
#define ROW_BLOCK 64U
#define NUM_WORDS 3U
#define NOWHERE 0xFFFFFFFFU
#define SMALLEST_LENGTH 1e-12F
/* Bytes of the arena before codes, or before what it keeps of a graph that is given. */
#define ARENA_NUMBERS                                                          \
    (SGQ_ARENA_SUMS * sizeof(sgq_sum) + SGQ_ARENA_LANES * sizeof(uint32_t) + \
     SGQ_ARENA_REALS * sizeof(sgq_real))
#if SGQ_GIVEN_GRAPH
#define PLACE_BYTES ((size_t)SGQ_NUM_BUFFERS * SGQ_NUM_BUCKETS * sizeof(uint32_t))
#if SGQ_GIVEN_WEIGHTS && SGQ_WEIGHTS_FROM_ZERO
#define NODE_ROOT_BYTES sizeof(float)
#else
#define NODE_ROOT_BYTES ((size_t)0U)
#endif
#define MOST_INDEX (SGQ_INDEX_BYTES == 2U ? 0xFFFFU : 0xFFFFFFF0U)
/* Bits are counted in 32-bit integers. */
#define MOST_CODE_BYTES (1UL << 28)
#endif
#define MASK_BYTES ((SGQ_NUM_NODES + 7U) / 8U)

/* A step has 8 words. */
enum { OP, OUT, IN, IN2, WIDTH, TABLE, TABLE2, EXTRA, STEP_WORDS };

/* What TABLE names: width, index of its ranges, place; then bits and first byte of each bucket. */
enum { MATRIX_WIDTH, MATRIX_RANGES, MATRIX_PLACE, MATRIX_BUCKETS };
enum { IN_TABLES, IN_ARENA, IN_ARENA_ONE_ROW, IN_ARENA_OF_GRAPH };

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
    STEP_MEAN_HEADS = 23,
    STEP_POOL = 24,
    STEP_MEAN_OF_NODES = 25,
    STEP_GATE = 26,
    STEP_REDUCE = 27,
    STEP_REDUCE_FEATURES = 28,
    STEP_TRANSFORM = 29,
    STEP_SCALE_BY_DEGREE = 30
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

/* Scores of STEP_ATTENTION. */
enum { SCORE_SUMS = 0, SCORE_BENT_SUMS = 1, SCORE_PRODUCTS = 2, SCORE_COSINES = 3 };

/* EXTRA of STEP_POOL, where it is no sum. */
enum { POOL_MAXIMUM = 1 };

/* EXTRA of STEP_GATHER: what neighbours are weighed by, whether a node is one of its own, and
 * whether edges have weights. */
enum {
    BY_ONE = 0,
    BY_SHARE = 1,
    BY_DEGREES = 2,
    BY_ONE_ITSELF_MORE = 3,
    WITH_ITSELF = 16,
    WEIGHTED = 32
};

/* Coded sparse rows: words that say where what of them is; then the first byte, the bits and the
 * fewest of the counts of each bucket's rows, and the ends of zones of columns. */
enum { ROWS_STREAM, ROWS_PARAMETERS, ROWS_ZONES, ROWS_BLOCKS, ROWS_COUNTS };
enum { COUNTS_BYTE, COUNTS_BITS, COUNTS_LEAST, COUNTS_WORDS };
#define ROWS_ZONE_ENDS (ROWS_COUNTS + COUNTS_WORDS * SGQ_NUM_BUCKETS)

/* A place among them. */
typedef struct {
    const uint32_t *words;
    uint32_t row;      /* the row */
    uint32_t bit;      /* where it starts */
    uint32_t entry;    /* entries before it, where blocks say how many come before these */
    uint32_t next_bit; /* where it ends, or NOWHERE as long as it was not read */
} sgq_rows;

/* The entries of a row that are still to come. */
typedef struct {
    const uint32_t *zone_end;
    const uint8_t *parameter;
    const uint8_t *stream;
    uint32_t bit;
    uint32_t left;
    uint32_t column; /* the first column that the next one may be */
} sgq_entries;

/* How rows of codes are added: see below. */
typedef struct {
    uint32_t width;
    uint32_t bits;
    uint32_t largest; /* factor */
    uint32_t codes;   /* in a word */
    uint32_t parts;   /* of a word; 0 where codes are added one by one */
    uint32_t words;   /* of a row */
    sgq_word whole;   /* mask of a word */
    sgq_word tail;    /* mask of the last one */
    sgq_word mask;    /* of the lanes of a part */
    uint32_t most;    /* rows that lanes may take */
} sgq_words;

typedef struct {
    sgq_words words[NUM_WORDS]; /* some of them, as they are found */
    sgq_sum *sums;
    sgq_word *lanes;
    sgq_real *reals;
    uint8_t *codes;
    const uint8_t *end; /* of the arena */
    uint8_t *masks; /* NULL where all rows are wanted */
    uint32_t row;
    uint32_t bucket;
    uint32_t num_nodes;
#if SGQ_GIVEN_FEATURES
    const float *given; /* the features of all nodes */
#endif
#if SGQ_GIVEN_GRAPH
    uint32_t node;      /* the node of the row */
    uint32_t *places;   /* the first byte of each bucket of each buffer */
    sgq_index *starts;  /* of each node and one more, the first edge into it */
    sgq_index *sources; /* the nodes that edges come from */
    sgq_index *rows;    /* the row of each node, where there are buckets */
    uint32_t bucket_rows[SGQ_NUM_BUCKETS + 1U];
#if SGQ_GIVEN_WEIGHTS
    float *weights; /* of the same edges */
    float *roots;   /* of each node's weighted degree, where coefficients need them */
#endif
#endif
#if SGQ_BUCKET_MAP_BITS
    uint32_t map_node; /* the node of map_row, a row of map_bucket, or the first that may be it */
    uint32_t map_row;
    uint32_t map_bucket;
#endif
#if SGQ_HAS_EDGES
    sgq_rows edges;
#endif
#if SGQ_FEATURES_SPARSE
    sgq_rows features;
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
    const uint8_t *end; /* of the memory that they lie in */
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
    if (bits <= have) {
        return (uint32_t)*octets >> (bit & 7U) & ((1U << bits) - 1U);
    }
    value = (uint32_t)*octets >> (bit & 7U);
    while (have < bits) {
        octets++;
        value |= (uint32_t)*octets << have;
        have += 8U;
    }
    return bits == 32U ? value : value & ((1U << bits) - 1U);
}

/* A word of bytes. */
SHORT sgq_word load_word(const uint8_t *octets)
{
#if UINTPTR_MAX > 0xFFFFFFFFU
    return (sgq_word)octets[0] | (sgq_word)octets[1] << 8 | (sgq_word)octets[2] << 16 |
           (sgq_word)octets[3] << 24 | (sgq_word)octets[4] << 32 | (sgq_word)octets[5] << 40 |
           (sgq_word)octets[6] << 48 | (sgq_word)octets[7] << 56;
#else
    return (sgq_word)octets[0] | (sgq_word)octets[1] << 8 | (sgq_word)octets[2] << 16 |
           (sgq_word)octets[3] << 24;
#endif
}

/* WINDOW_BITS bits from any one on, and perhaps some more; the bytes of a word must be there. */
SHORT sgq_word window_at(const uint8_t *stream, uint32_t bit)
{
    return load_word(stream + (bit >> 3)) >> (bit & 7U);
}

/* The same of so many bits; a byte more must be there if these are more than WINDOW_BITS. */
SHORT sgq_word wide_window_at(const uint8_t *stream, uint32_t bit, uint32_t bits)
{
    const uint32_t shift = bit & 7U;
    const sgq_word word = window_at(stream, bit);

    if (shift + bits > LANE_WORD_BITS) {
        return word | (sgq_word)stream[(bit >> 3) + sizeof word] << (LANE_WORD_BITS - shift);
    }
    return word;
}

/* Some bits from any one on, of which no other byte is read. */
static sgq_word lane_bits_at(const uint8_t *stream, uint32_t bit, uint32_t bits)
{
#if UINTPTR_MAX > 0xFFFFFFFFU
    if (bits > 32U) {
        return read_bits(stream, bit, 32U) |
               (sgq_word)read_bits(stream, bit + 32U, bits - 32U) << 32;
    }
#endif
    return read_bits(stream, bit, bits);
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

/* The nearest code; halves go to the even one, and what is no number to 0. Values come in no order
 * that a processor could guess, so there are no branches. */
INLINE uint32_t nearest_code(sgq_real value, sgq_real step, sgq_real offset, uint32_t largest)
{
    const sgq_real top = REAL(largest);
    sgq_real scaled = (value - offset) / step;
    sgq_real rest;
    uint32_t code;

    scaled = scaled > REAL(0) ? scaled : REAL(0);
    scaled = scaled < top ? scaled : top;
    code = (uint32_t)(int32_t)scaled;
    rest = scaled - REAL((int32_t)code);
    return code + ((uint32_t)(rest > REAL(0.5)) |
                   ((uint32_t)(rest >= REAL(0.5)) & code & 1U));
}

static uint32_t code_of(sgq_real value, sgq_real step, sgq_real offset, uint32_t bits)
{
    return nearest_code(value, step, offset, (1U << bits) - 1U);
}

/* Matrices of codes. */

static uint32_t bucket_row(const sgq_run *run, uint32_t bucket)
{
#if SGQ_GIVEN_GRAPH
    return run->bucket_rows[bucket];
#else
    (void)run;
    return WORDS[SGQ_BUCKET_ROWS + bucket];
#endif
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

/* Where a bucket of a matrix starts. */
static uint32_t first_byte(const sgq_run *run, const sgq_matrix *matrix, uint32_t bucket)
{
    const uint32_t place = matrix->words[MATRIX_BUCKETS + 2U * bucket + 1U];

#if SGQ_GIVEN_GRAPH
    return matrix->words[MATRIX_PLACE] == IN_TABLES ? place : run->places[place];
#else
    (void)run;
    return place;
#endif
}

static sgq_slice slice_at(const sgq_run *run, const sgq_matrix *matrix, uint32_t bucket)
{
    const uint32_t *words = matrix->words + MATRIX_BUCKETS + 2U * bucket;
    sgq_slice slice;

    slice.bits = words[0];
    slice.bytes = matrix->bytes + first_byte(run, matrix, bucket);
    slice.end = matrix->words[MATRIX_PLACE] == IN_TABLES ? TABLES_END : run->end;
    slice.step = REAL(matrix->ranges[2U * bucket]);
    slice.offset = REAL(matrix->ranges[2U * bucket + 1U]);
    slice.first_row = bucket_row(run, bucket);
    if (matrix->words[MATRIX_PLACE] >= IN_ARENA_ONE_ROW) {
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

/* Consecutive codes, or fp32 values, of a matrix: read by whole words where these can be read. */
typedef struct {
    const sgq_slice *slice;
    sgq_word word;
    sgq_word mask;
    uint32_t bits;
    uint32_t bit;   /* of the next word */
    uint32_t codes; /* that a word has */
    uint32_t have;  /* codes left in this one */
    uint32_t left;  /* codes after it */
    int is_inside;
} sgq_reader;

/* Starts with code number first; of codes of no bits each is 0. */
INLINE sgq_reader reader_at(const sgq_slice *slice, uint32_t first, uint32_t count)
{
    sgq_reader reader;

    reader.slice = slice;
    reader.word = 0U;
    reader.bits = slice->bits;
    reader.mask = ((sgq_word)1U << (slice->bits & (FULL_PRECISION - 1U))) - 1U;
    reader.bit = first * slice->bits;
    reader.codes = slice->bits == 0U ? count : WINDOW_BITS / slice->bits;
    reader.have = 0U;
    reader.left = count;
    reader.is_inside = (size_t)(slice->end - slice->bytes) >=
                       ((reader.bit + count * slice->bits) >> 3) + sizeof(sgq_word);
    return reader;
}

/* Reads the next word of codes. */
INLINE void fill_reader(sgq_reader *reader)
{
    reader->have = reader->left < reader->codes ? reader->left : reader->codes;
    reader->left -= reader->have;
    reader->word = reader->is_inside
                       ? window_at(reader->slice->bytes, reader->bit)
                       : lane_bits_at(reader->slice->bytes, reader->bit, reader->have * reader->bits);
    reader->bit += reader->have * reader->bits;
}

INLINE uint32_t next_code(sgq_reader *reader)
{
    uint32_t code;

    if (reader->have == 0U) {
        fill_reader(reader);
    }
    code = (uint32_t)(reader->word & reader->mask);
    reader->word >>= reader->bits;
    reader->have--;
    return code;
}

INLINE sgq_real next_value(sgq_reader *reader)
{
    if (reader->bits == FULL_PRECISION) {
        reader->bit += FULL_PRECISION;
        return read_value(reader->slice->bytes, (reader->bit >> 5) - 1U);
    }
    return REAL(next_code(reader)) * reader->slice->step + reader->slice->offset;
}

/* The node of the row. */
static uint32_t node_of(sgq_run *run)
{
#if SGQ_GIVEN_GRAPH
    return run->node;
#elif SGQ_BUCKET_MAP_BITS
    const uint8_t *map = sgq_tables.bytes + SGQ_BUCKET_MAP;

    if (run->map_bucket != run->bucket || run->map_row > run->row) {
        run->map_bucket = run->bucket;
        run->map_row = bucket_row(run, run->bucket);
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

#if SGQ_GIVEN_GRAPH
/* The bucket of a node: how many split points its edges exceed. */
static uint32_t bucket_of(const sgq_run *run, uint32_t node)
{
    const uint32_t degree = (uint32_t)run->starts[node + 1U] - run->starts[node];
    uint32_t bucket = 0U;

    while (bucket + 1U < SGQ_NUM_BUCKETS && WORDS[SGQ_SPLIT_POINTS + bucket] < degree) {
        bucket++;
    }
    return bucket;
}
#endif

/* Sums. Of codes they are whole numbers, which are exact: sums[k] of a factor times the codes of
 * column k, and totals[k] of these codes; add_scaled makes numbers of them. All are 0 while nothing
 * is added up.
 *
 * Where codes are short, those of some columns lie side by side in the lanes of a word and are
 * added at once, until a lane could overflow: part p of a word has the codes of every column whose
 * number leaves p when it is divided by the number of parts. */
typedef struct {
    const sgq_words *words;
    sgq_sum *sums;
    sgq_sum *totals; /* NULL where they are not needed */
    sgq_word *lanes;
    sgq_word *total_lanes;
    uint32_t width;
    uint32_t rows; /* rows in the lanes */
    int has_sums;  /* whether lanes were added to sums */
} sgq_adder;

static sgq_adder adder_of(const sgq_run *run, uint32_t width, int needs_totals)
{
    sgq_adder adder;

    adder.words = NULL;
    adder.sums = run->sums;
    adder.totals = needs_totals ? run->sums + width : NULL;
    adder.lanes = run->lanes;
    adder.total_lanes = run->lanes + LANE_BYTES / sizeof(sgq_word);
    adder.width = width;
    adder.rows = 0U;
    adder.has_sums = 0;
    return adder;
}

/* The lanes that take the least work, into which eight rows go at least; none where there are none,
 * or where no factor is known. */
static uint32_t best_parts(const sgq_words *words)
{
    const uint32_t largest = ((1U << words->bits) - 1U) * words->largest;
    uint32_t least = 0xFFFFFFFFU;
    uint32_t best = 0U;
    uint32_t parts;

    for (parts = 1U; largest != 0U && parts <= 8U && parts * words->bits <= MOST_LANE_BITS;
         parts++) {
        const uint32_t lane = parts * words->bits;
        const uint32_t codes = parts * (LANE_WORD_BITS / lane);
        const uint32_t count = (words->width + codes - 1U) / codes;
        const uint32_t work = count * (parts + 3U);

        if ((((sgq_word)1U << lane) - 1U) / 8U >= largest && work < least &&
            count * parts <= LANE_BYTES / sizeof(sgq_word)) {
            least = work;
            best = parts;
        }
    }
    return best;
}

/* The mask of some bits, one at least. */
static sgq_word first_bits(uint32_t bits)
{
    return ((sgq_word)1U << (bits - 1U) << 1U) - 1U;
}

/* How rows of so many codes of some bits are added, times a factor of at most the largest one; 0 of
 * a factor that is not known, and codes are then added one by one. Found once, and kept. */
static const sgq_words *words_of(sgq_run *run, uint32_t width, uint32_t bits, uint32_t largest)
{
    sgq_words *words = run->words + (bits + width) % NUM_WORDS;
    uint32_t lane;
    uint32_t bit;

    if (words->width == width && words->bits == bits && words->largest == largest) {
        return words;
    }
    words->width = width;
    words->bits = bits;
    words->largest = largest;
    words->parts = best_parts(words);
    words->codes = LANE_WORD_BITS / bits;
    words->mask = 0U;
    words->most = 0U;
    if (words->parts != 0U) {
        lane = words->parts * bits;
        words->codes = words->parts * (LANE_WORD_BITS / lane);
        words->most = (uint32_t)((((sgq_word)1U << lane) - 1U) / (((1U << bits) - 1U) * largest));
        for (bit = 0U; bit + lane <= LANE_WORD_BITS; bit += lane) {
            words->mask |= (sgq_word)((1U << bits) - 1U) << bit;
        }
    }
    words->words = (width + words->codes - 1U) / words->codes;
    words->whole = first_bits(words->codes * bits);
    words->tail = first_bits((width - (words->words - 1U) * words->codes) * bits);
    return words;
}

/* Adds what lies in lanes to sums. */
static void empty_lanes(const sgq_words *words, sgq_word *lanes, sgq_sum *sums)
{
    const uint32_t lane_bits = words->parts * words->bits;
    const sgq_word lane_mask = ((sgq_word)1U << lane_bits) - 1U;
    const uint32_t parts = words->parts;
    uint32_t first;
    uint32_t part;

    for (first = 0U; first < words->width; first += words->codes) {
        for (part = 0U; part < parts; part++) {
            sgq_word word = *lanes;
            uint32_t column = first + part;

            *lanes++ = 0U;
            while (word != 0U) {
                sums[column] += (sgq_sum)(word & lane_mask);
                word >>= lane_bits;
                column += parts;
            }
        }
    }
}

static void end_rows(sgq_adder *adder)
{
    if (adder->rows != 0U) {
        empty_lanes(adder->words, adder->lanes, adder->sums);
        if (adder->totals != NULL) {
            empty_lanes(adder->words, adder->total_lanes, adder->totals);
        }
        adder->rows = 0U;
        adder->has_sums = 1;
    }
}

/* Word k of a row that starts at a bit; past the end of the memory nothing is read. */
INLINE sgq_word row_word(const sgq_words *words, const sgq_slice *slice, uint32_t start,
                         uint32_t k, int is_inside)
{
    const uint32_t bit = start + k * words->codes * words->bits;
    const int is_last = k + 1U == words->words;

    const uint32_t bits =
        is_last ? (words->width - k * words->codes) * words->bits : words->codes * words->bits;
    const sgq_word mask = is_last ? words->tail : words->whole;

    return is_inside ? wide_window_at(slice->bytes, bit, bits) & mask
                     : lane_bits_at(slice->bytes, bit, bits);
}

/* Whether whole words of a row can be read; after tables there always is room. */
INLINE int is_row_inside(const sgq_words *words, const sgq_slice *slice, uint32_t start)
{
    return (size_t)(slice->end - slice->bytes) >
           ((start + words->words * words->codes * words->bits) >> 3) + sizeof(sgq_word);
}

/* Adds a row of codes one by one. */
static void add_codes(const sgq_adder *adder, const sgq_slice *slice, uint32_t start,
                      sgq_sum factor)
{
    const sgq_words *words = adder->words;
    const int is_inside = is_row_inside(words, slice, start);
    const uint32_t bits = words->bits;
    const sgq_word mask = (1U << bits) - 1U;
    sgq_sum *restrict sum = adder->sums;
    sgq_sum *restrict total = adder->totals;
    uint32_t left = words->width;
    uint32_t k;

    for (k = 0U; k < words->words; k++) {
        sgq_word word = row_word(words, slice, start, k, is_inside);
        uint32_t codes = left < words->codes ? left : words->codes;

        left -= codes;
        if (total == NULL) {
            for (; codes != 0U; codes--) {
                *sum++ += factor * (sgq_sum)(word & mask);
                word >>= bits;
            }
        } else {
            for (; codes != 0U; codes--) {
                *sum++ += factor * (sgq_sum)(word & mask);
                *total++ += (sgq_sum)(word & mask);
                word >>= bits;
            }
        }
    }
}

/* Adds a row of codes to lanes. */
INLINE void add_lanes(sgq_adder *adder, const sgq_slice *slice, uint32_t start, uint32_t factor,
                      int needs_totals)
{
    const sgq_words *words = adder->words;
    const int is_inside = is_row_inside(words, slice, start);
    const uint32_t bits = words->bits;
    const sgq_word mask = words->mask;
    sgq_word *restrict lane = adder->lanes;
    sgq_word *restrict total = adder->total_lanes;
    uint32_t k;
    uint32_t part;

    for (k = 0U; k < words->words; k++) {
        sgq_word word = row_word(words, slice, start, k, is_inside);

        for (part = words->parts; part != 0U; part--) {
            *lane++ += factor * (word & mask);
            if (needs_totals) {
                *total++ += word & mask;
            }
            word >>= bits;
        }
    }
    adder->rows++;
    if (adder->rows == words->most) {
        end_rows(adder);
    }
}

/* Adds a row of codes, the first of which is that of number first in the slice. */
static void add_row(sgq_adder *adder, const sgq_slice *slice, uint32_t first, sgq_sum factor)
{
    const uint32_t start = first * adder->words->bits;

    if (adder->words->parts == 0U) {
        add_codes(adder, slice, start, factor);
    } else if (adder->totals == NULL) {
        add_lanes(adder, slice, start, (uint32_t)factor, 0);
    } else {
        add_lanes(adder, slice, start, (uint32_t)factor, 1);
    }
}

/* A row of codes, and the code that it is multiplied by. */
typedef struct {
    uint32_t row;
    uint32_t code;
} sgq_term;

/* How many of them are added at once: they lie on the stack. */
#if UINTPTR_MAX > 0xFFFFFFFFU
#define TERM_BLOCK 16U
#else
#define TERM_BLOCK 8U
#endif

/* Adds one word of the rows of some terms to lanes, of four parts at most: in registers. */
INLINE void add_word(const sgq_adder *adder, const uint8_t *rows, const sgq_term *list,
                     uint32_t count, uint32_t number, int needs_totals)
{
    const sgq_words *words = adder->words;
    const int is_last = number + 1U == words->words;
    const uint32_t bits = words->bits;
    const uint32_t row_bits = words->width * bits;
    const uint32_t first = number * words->codes * bits;
    const uint32_t word_bits = is_last ? row_bits - first : words->codes * bits;
    const sgq_word whole = is_last ? words->tail : words->whole;
    const sgq_word mask = words->mask;
    sgq_word *lanes = adder->lanes + number * words->parts;
    sgq_word *total_lanes = adder->total_lanes + number * words->parts;
    sgq_word sums[4] = {0U, 0U, 0U, 0U};
    sgq_word totals[4] = {0U, 0U, 0U, 0U};
    uint32_t k;

    for (k = 0U; k < count; k++) {
        sgq_word word = wide_window_at(rows, list[k].row * row_bits + first, word_bits) & whole;
        const uint32_t code = list[k].code;

        sums[0] += code * (word & mask);
        totals[0] += needs_totals ? word & mask : 0U;
        word >>= bits;
        sums[1] += code * (word & mask);
        totals[1] += needs_totals ? word & mask : 0U;
        word >>= bits;
        sums[2] += code * (word & mask);
        totals[2] += needs_totals ? word & mask : 0U;
        word >>= bits;
        sums[3] += code * (word & mask);
        totals[3] += needs_totals ? word & mask : 0U;
    }
    for (k = 0U; k < words->parts; k++) {
        lanes[k] += sums[k];
        if (needs_totals) {
            total_lanes[k] += totals[k];
        }
    }
}

/* Adds terms, TERM_BLOCK at most, whose largest row is the first or the last of them. */
static void add_terms(sgq_adder *adder, const sgq_slice *slice, const sgq_term *list,
                      uint32_t count)
{
    const sgq_words *words = adder->words;
    const uint32_t last = list[count - 1U].row > list[0].row ? list[count - 1U].row : list[0].row;
    uint32_t k;

    if (words->parts == 0U || words->parts > 4U || count > words->most ||
        !is_row_inside(words, slice, last * words->width * words->bits)) {
        for (k = 0U; k < count; k++) {
            add_row(adder, slice, list[k].row * words->width, (sgq_sum)list[k].code);
        }
        return;
    }
    if (adder->rows + count > words->most) {
        end_rows(adder);
    }
    for (k = 0U; k < words->words; k++) {
        if (adder->totals != NULL) {
            add_word(adder, slice->bytes, list, count, k, 1);
        } else {
            add_word(adder, slice->bytes, list, count, k, 0);
        }
    }
    adder->rows += count;
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

/* The same of sums that all lie in lanes, which it empties. */
static void add_scaled_lanes(sgq_real *out, const sgq_adder *adder, sgq_real s, sgq_real o,
                             const float *ranges, uint32_t stride, sgq_real weight)
{
    const sgq_words *words = adder->words;
    const uint32_t parts = words->parts;
    const uint32_t lane_bits = parts * words->bits;
    const sgq_word mask = first_bits(lane_bits);
    sgq_word *lane = adder->lanes;
    sgq_word *total = adder->totals == NULL ? NULL : adder->total_lanes;
    uint32_t first;
    uint32_t part;

    for (first = 0U; first < words->width; first += words->codes) {
        const uint32_t left = words->width - first;
        const uint32_t end = first + (left < words->codes ? left : words->codes);

        for (part = first; part < first + parts; part++) {
            sgq_word sums = *lane;
            sgq_word totals = total == NULL ? 0U : *total;
            uint32_t k;

            *lane++ = 0U;
            for (k = part; k < end; k += parts) {
                const float *range = ranges + stride * k;
                sgq_real sum = s * REAL((uint32_t)(sums & mask));

                if (total != NULL) {
                    sum += o * REAL((uint32_t)(totals & mask));
                    totals >>= lane_bits;
                }
                sums >>= lane_bits;
                out[k] += REAL(range[0]) * sum + REAL(range[1]) * weight;
            }
            if (total != NULL) {
                *total++ = 0U;
            }
        }
    }
}

/* Makes numbers of what was added up, by the ranges of each column, or of all: see add_scaled. */
static void add_up(sgq_adder *adder, sgq_real *out, sgq_real s, sgq_real o, const float *ranges,
                   uint32_t stride, sgq_sum factors, uint32_t count)
{
    if (adder->rows != 0U && !adder->has_sums) {
        add_scaled_lanes(out, adder, s, o, ranges, stride, s * REAL(factors) + o * REAL(count));
    } else {
        end_rows(adder);
        add_scaled(out, adder->sums, adder->totals, adder->width, s, o, ranges, stride, factors,
                   count);
    }
    adder->rows = 0U;
    adder->has_sums = 0;
}

/* out += factor value, of values that are added alone, or where one of the two is no code. */
static void add_values(sgq_real *out, const sgq_slice *slice, uint32_t first, uint32_t width,
                       sgq_real factor)
{
    sgq_reader reader = reader_at(slice, first, width);
    uint32_t k;

    for (k = 0U; k < width; k++) {
        out[k] += factor * next_value(&reader);
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
/* The place of the lowest bit of a word that is not 0. */
INLINE uint32_t lowest_bit(sgq_word word)
{
#if defined(__GNUC__)
    return (uint32_t)(sizeof word > sizeof(unsigned int) ? __builtin_ctzll(word)
                                                         : __builtin_ctz((unsigned int)word));
#else
    uint32_t k = 0U;

    while ((word >> k & 1U) == 0U) {
        k++;
    }
    return k;
#endif
}

/* How many entries a row has. */
INLINE uint32_t count_at(const uint32_t *words, uint32_t bucket, uint32_t row_in_bucket)
{
    const uint32_t *layout = words + ROWS_COUNTS + COUNTS_WORDS * bucket;
    const uint32_t bits = layout[COUNTS_BITS];

    const uint8_t *counts = sgq_tables.bytes + layout[COUNTS_BYTE];

#if UINTPTR_MAX > 0xFFFFFFFFU
    const sgq_word window = window_at(counts, row_in_bucket * bits);

    return layout[COUNTS_LEAST] + (uint32_t)(window & (((sgq_word)1U << bits) - 1U));
#else
    return layout[COUNTS_LEAST] + read_bits(counts, row_in_bucket * bits, bits);
#endif
}

/* The column of the next entry, which must be there. */
INLINE uint32_t next_column(sgq_entries *entries)
{
    sgq_word window = window_at(entries->stream, entries->bit);
    /* Most often at most one zone ends: without a branch, for nobody can guess which. */
    const uint32_t is_past = entries->column >= *entries->zone_end;
    uint32_t zeros = 0U;
    uint32_t parameter;
    uint32_t first;
    uint32_t rest;

    entries->zone_end += is_past;
    entries->parameter += is_past;
    while (entries->column >= *entries->zone_end) {
        entries->zone_end++;
        entries->parameter++;
    }
    parameter = *entries->parameter;
    while (window == 0U) {
        zeros += WINDOW_BITS;
        entries->bit += WINDOW_BITS;
        window = window_at(entries->stream, entries->bit);
    }
    first = lowest_bit(window);
    zeros += first;
    entries->bit += first + 1U;
    if (first + parameter < WINDOW_BITS) {
        rest = (uint32_t)(window >> first >> 1) & ((1U << parameter) - 1U);
    } else {
        rest = read_bits(entries->stream, entries->bit, parameter);
    }
    entries->bit += parameter;
    entries->left--;
    entries->column += (zeros << parameter | rest) + 1U;
    return entries->column - 1U;
}

static sgq_entries entries_at(const sgq_run *run, const sgq_rows *rows)
{
    const uint32_t zones = rows->words[ROWS_ZONES];
    sgq_entries entries;

    entries.zone_end = rows->words + ROWS_ZONE_ENDS;
    entries.parameter = sgq_tables.bytes + rows->words[ROWS_PARAMETERS] + zones * run->bucket;
    entries.stream = sgq_tables.bytes + rows->words[ROWS_STREAM];
    entries.bit = rows->bit;
    entries.left = count_at(rows->words, run->bucket, rows->row - bucket_row(run, run->bucket));
    entries.column = 0U;
    return entries;
}

/* The entries of the row at hand, found from an earlier row or from its block of rows. blocks: the
 * words that say how many entries come before each block, or NULL. */
static sgq_entries entries_of(const sgq_run *run, sgq_rows *rows, const uint32_t *blocks)
{
    const uint32_t within = run->row - bucket_row(run, run->bucket);
    const uint32_t first = run->row - within % ROW_BLOCK;
    sgq_entries entries;

    if (rows->row > run->row || rows->row < first) {
        const uint32_t block = WORDS[SGQ_BUCKET_BLOCKS + run->bucket] + within / ROW_BLOCK;

        rows->row = first;
        rows->bit = WORDS[rows->words[ROWS_BLOCKS] + block];
        rows->entry = blocks == NULL ? 0U : blocks[block];
        rows->next_bit = NOWHERE;
    }
    for (;;) {
        entries = entries_at(run, rows);
        if (rows->row == run->row) {
            return entries;
        }
        rows->entry += entries.left;
        if (rows->next_bit == NOWHERE) {
            while (entries.left != 0U) {
                (void)next_column(&entries);
            }
            rows->next_bit = entries.bit;
        }
        rows->row++;
        rows->bit = rows->next_bit;
        rows->next_bit = NOWHERE;
    }
}
#endif

#if HAS_SOURCES
/* The bucket of a row, looked for from that of an earlier one on. */
static uint32_t bucket_from(const sgq_run *run, uint32_t bucket, uint32_t row)
{
    while (row >= bucket_row(run, bucket + 1U)) {
        bucket++;
    }
    return bucket;
}

/* The words that say how many edges come before each block of rows, where that is asked. */
#if SGQ_HAS_EDGE_WEIGHTS
#define EDGE_ENTRIES (WORDS + SGQ_EDGE_ENTRIES)
#else
#define EDGE_ENTRIES NULL
#endif

/* The sources of the edges into a row, the row itself first where it is one. */
typedef struct {
#if SGQ_GIVEN_GRAPH
    uint32_t next;
    uint32_t end;
#else
    sgq_entries entries;
#endif
    uint32_t source; /* its row */
    uint32_t node;   /* what degrees know it by: its node, or in a stored graph its row */
    uint32_t bucket;
    uint32_t itself; /* 1 while the row itself is to come, 2 when it is there */
} sgq_sources;

static sgq_sources sources_of(sgq_run *run, uint32_t with_itself)
{
    sgq_sources sources;

#if SGQ_GIVEN_GRAPH
    sources.next = run->starts[run->node];
    sources.end = run->starts[run->node + 1U];
    sources.node = run->node;
#else
    sources.entries = entries_of(run, &run->edges, EDGE_ENTRIES);
    sources.node = run->row;
#endif
    sources.source = run->row;
    sources.bucket = run->bucket;
    sources.itself = with_itself != 0U;
    return sources;
}

static int next_source(sgq_run *run, sgq_sources *sources)
{
    if (sources->itself == 1U) {
        sources->itself = 2U;
        return 1;
    }
#if SGQ_GIVEN_GRAPH
    if (sources->next == sources->end) {
        return 0;
    }
    sources->node = run->sources[sources->next++];
    sources->source = run->rows == NULL ? sources->node : run->rows[sources->node];
#else
    if (sources->entries.left == 0U) {
        run->edges.next_bit = sources->entries.bit;
        return 0;
    }
    sources->source = next_column(&sources->entries);
    sources->node = sources->source;
#endif
    /* Sources increase, but for the row itself. */
    if (sources->itself == 2U || sources->source < bucket_row(run, sources->bucket)) {
        sources->bucket = 0U;
    }
    sources->itself = 0U;
    sources->bucket = bucket_from(run, sources->bucket, sources->source);
    return 1;
}
#endif

#if SGQ_HAS_SCALE_BY_DEGREE
/* How many edges lead to the row at hand. */
static uint32_t degree_of_row(const sgq_run *run)
{
#if SGQ_GIVEN_GRAPH
    return (uint32_t)run->starts[run->node + 1U] - run->starts[run->node];
#else
    return count_at(run->edges.words, run->bucket, run->row - bucket_row(run, run->bucket));
#endif
}
#endif

#if SGQ_HAS_GATHER
static sgq_real root_of(const sgq_run *run, const sgq_sources *sources, uint32_t more)
{
#if SGQ_GIVEN_GRAPH
    uint32_t degree = (uint32_t)run->starts[sources->node + 1U] - run->starts[sources->node];
#else
    uint32_t degree = count_at(run->edges.words, sources->bucket,
                               sources->source - bucket_row(run, sources->bucket));
#endif

    degree += more;
    return degree == 0U ? REAL(0) : REAL(1) / SGQ_SQRT(REAL(degree));
}

#if SGQ_HAS_EDGE_WEIGHTS
/* The weights of the edges into rows of the bucket at hand. */
static sgq_slice edge_weights(const sgq_run *run)
{
    const sgq_matrix matrix = matrix_at(run, SGQ_EDGE_WEIGHTS);
    sgq_slice slice = slice_at(run, &matrix, run->bucket);

#if !SGQ_GIVEN_WEIGHTS
    slice.first_row = WORDS[SGQ_EDGE_WEIGHT_STARTS + run->bucket];
#endif
    return slice;
}

/* The code of an edge's weight, and what stands for the weight. */
static uint32_t weight_code(const sgq_run *run, const sgq_slice *weights, uint32_t edge)
{
#if SGQ_GIVEN_WEIGHTS
    return code_of(REAL(run->weights[edge]), weights->step, weights->offset, weights->bits);
#else
    (void)run;
    return read_bits(weights->bytes, edge * weights->bits, weights->bits);
#endif
}

static sgq_real weight_value(const sgq_run *run, const sgq_slice *weights, uint32_t edge)
{
#if SGQ_GIVEN_WEIGHTS
    if (weights->bits == FULL_PRECISION) {
        return REAL(run->weights[edge]);
    }
#else
    if (weights->bits == FULL_PRECISION) {
        return read_value(weights->bytes, edge);
    }
#endif
    return REAL(weight_code(run, weights, edge)) * weights->step + weights->offset;
}

/* 1 / sqrt(d) of a weighted degree d: of what degrees know a row by. */
static sgq_real weight_root(const sgq_run *run, uint32_t node)
{
#if SGQ_GIVEN_WEIGHTS
    return REAL(run->roots[node]);
#else
    (void)run;
    return REAL(NUMBERS[SGQ_WEIGHT_ROOTS + node]);
#endif
}
#endif

/* A sum over neighbours: those of a bucket are added up as whole numbers. */
typedef struct {
    sgq_adder adder;
    sgq_slice slice; /* the rows of the bucket */
    sgq_real *out;
    sgq_real s; /* what coefficients stand for */
    sgq_real o;
    uint32_t largest; /* code of a coefficient; 0 where these are numbers */
    sgq_sum factors;
    uint32_t count;
    uint32_t listed;  /* of them, those that are not added yet */
    sgq_term list[TERM_BLOCK];
    uint32_t kind;
    uint32_t more;    /* 1 where a node is one of its own */
    sgq_real root;    /* of the row's degree */
#if SGQ_HAS_EDGE_WEIGHTS
    int is_weighted;
    sgq_slice weights;
    uint32_t edge;    /* the next one, among those of the bucket */
#endif
} sgq_gathering;

/* Adds the rows that are listed. */
static void add_listed(sgq_run *run, sgq_gathering *all)
{
    all->adder.words = words_of(run, all->adder.width, all->slice.bits, all->largest);
    add_terms(&all->adder, &all->slice, all->list, all->listed);
    all->listed = 0U;
}

static void end_bucket(sgq_run *run, sgq_gathering *all)
{
    const float ranges[2] = {(float)all->slice.step, (float)all->slice.offset};

    if (all->count == 1U) {
        /* A row that is alone is not added up. */
        add_values(all->out, &all->slice, all->list[0].row * all->adder.width, all->adder.width,
                   REAL(all->factors) * all->s + all->o);
    } else if (all->count != 0U) {
        add_listed(run, all);
        add_up(&all->adder, all->out, all->s, all->o, ranges, 0U, all->factors, all->count);
    }
    all->factors = 0;
    all->count = 0U;
    all->listed = 0U;
}

/* Lists a row and its code of a coefficient. */
static void list_neighbor(sgq_run *run, sgq_gathering *all, uint32_t row, uint32_t code)
{
    if (all->listed == TERM_BLOCK) {
        add_listed(run, all);
    }
    all->list[all->listed].row = row;
    all->list[all->listed].code = code;
    all->listed++;
    all->factors += code;
    all->count++;
}

#if SGQ_HAS_EDGE_WEIGHTS
/* Weights take the place of coefficients, or of 1 among what these follow from. */
static void start_weights(sgq_run *run, sgq_gathering *all, uint32_t node)
{
    all->weights = edge_weights(run);
#if SGQ_GIVEN_WEIGHTS
    all->edge = run->starts[run->node];
#else
    all->edge = run->edges.entry - all->weights.first_row;
#endif
    if (all->kind == BY_DEGREES) {
        all->root = weight_root(run, node);
        return;
    }
    all->adder = adder_of(run, all->adder.width, 1);
    all->largest =
        all->weights.bits == FULL_PRECISION ? 0U : (1U << all->weights.bits) - 1U;
    all->s = all->weights.step;
    all->o = all->weights.offset;
}
#endif

static void start_gathering(sgq_run *run, const uint32_t *step, const sgq_sources *sources,
                            sgq_gathering *all)
{
    all->slice.bits = FULL_PRECISION;
    all->factors = 0;
    all->count = 0U;
    all->listed = 0U;
    all->kind = step[EXTRA] & 15U;
    all->more = step[EXTRA] & WITH_ITSELF ? 1U : 0U;
    all->out = run->reals + step[OUT];
    all->s = REAL(1);
    all->o = REAL(0);
    all->root = REAL(0);
    all->largest = 1U;
    all->adder = adder_of(run, step[WIDTH], all->kind == BY_DEGREES);
    if (all->kind == BY_DEGREES) {
        const sgq_matrix attention = matrix_at(run, step[TABLE2]);
        const sgq_slice ranges = slice_at(run, &attention, run->bucket);

        all->largest = ranges.bits == FULL_PRECISION ? 0U : (1U << ranges.bits) - 1U;
        all->s = ranges.step;
        all->o = ranges.offset;
        all->root = root_of(run, sources, all->more);
    } else if (all->kind == BY_ONE_ITSELF_MORE) {
        all->s += REAL(NUMBERS[step[TABLE2]]);
    }
#if SGQ_HAS_EDGE_WEIGHTS
    all->is_weighted = (step[EXTRA] & WEIGHTED) != 0U;
    if (all->is_weighted) {
        start_weights(run, all, sources->node);
    }
#endif
    zero_reals(all->out, step[WIDTH]);
}

/* The coefficient of an edge that follows from degrees, before it has a code. */
static sgq_real degree_coefficient(sgq_run *run, sgq_gathering *all, const sgq_sources *sources)
{
#if SGQ_HAS_EDGE_WEIGHTS
    if (all->is_weighted) {
        const sgq_real both = all->root * weight_root(run, sources->node);

        return sources->itself == 2U ? both : both * weight_value(run, &all->weights, all->edge++);
    }
#endif
    return all->root * root_of(run, sources, all->more);
}

/* The coefficient of an edge, and its code where it has one. */
static sgq_real coefficient_of(sgq_run *run, sgq_gathering *all, const sgq_sources *sources,
                               sgq_sum *code)
{
    *code = 1;
    if (all->kind == BY_DEGREES) {
        const sgq_real exact = degree_coefficient(run, all, sources);

        if (all->largest == 0U) {
            return exact;
        }
        *code = (sgq_sum)nearest_code(exact, all->s, all->o, all->largest);
        return REAL(*code) * all->s + all->o;
    }
#if SGQ_HAS_EDGE_WEIGHTS
    if (all->is_weighted) {
        const sgq_slice *weights = &all->weights;

        if (all->largest != 0U) {
            *code = (sgq_sum)weight_code(run, weights, all->edge);
        }
        return weight_value(run, weights, all->edge++);
    }
#endif
    return all->s;
}

/* out = sum_j a_j h_j over neighbours j. */
APART void gather(sgq_run *run, const uint32_t *step)
{
    const uint32_t width = step[WIDTH];
    const sgq_matrix matrix = matrix_at(run, step[TABLE]);
    sgq_sources sources = sources_of(run, step[EXTRA] & WITH_ITSELF);
    uint32_t group = NOWHERE;
    sgq_gathering all;
    uint32_t count;
    uint32_t k;

    start_gathering(run, step, &sources, &all);
    for (count = 0U; next_source(run, &sources); count++) {
        const int was_itself = count == 1U && all.kind == BY_ONE_ITSELF_MORE;
        sgq_real coefficient;
        sgq_sum code;
        uint32_t first;

        if (sources.bucket != group || was_itself) {
            group = sources.bucket;
            end_bucket(run, &all);
            all.slice = slice_at(run, &matrix, group);
            all.s = was_itself ? REAL(1) : all.s;
        }
        first = (sources.source - all.slice.first_row) * width;
        coefficient = coefficient_of(run, &all, &sources, &code);
        if (all.slice.bits == FULL_PRECISION || all.largest == 0U) {
            add_values(all.out, &all.slice, first, width, coefficient);
        } else {
            list_neighbor(run, &all, sources.source - all.slice.first_row, (uint32_t)code);
        }
    }
    end_bucket(run, &all);
    for (k = 0; all.kind == BY_SHARE && count > 1U && k < width; k++) {
        all.out[k] /= REAL(count);
    }
}
#endif

/* A weight matrix, and what is added up for a product with it. */
typedef struct {
    sgq_adder adder;
    sgq_real *out;
    sgq_slice weight;
    const float *ranges; /* step and offset of each column; NULL of fp32 values */
    sgq_sum factors;
    uint32_t count;
    sgq_real sum; /* of the values that are no codes */
} sgq_product;

#if HAS_WEIGHTS
/* needs_totals: whether codes of the row have an offset; largest: the largest of them, if any. */
static sgq_product start_product(sgq_run *run, const uint32_t *step, int needs_totals,
                                 uint32_t largest)
{
    const uint32_t *words = WORDS + step[TABLE2];
    sgq_product product;

    product.adder = adder_of(run, words[WEIGHT_WIDTH], needs_totals);
    product.out = run->reals + step[OUT];
    product.weight.bytes = sgq_tables.bytes + words[WEIGHT_BYTE];
    product.weight.end = TABLES_END;
    product.weight.bits = words[WEIGHT_BITS];
    product.weight.first_row = 0U;
    product.weight.step = REAL(1);
    product.weight.offset = REAL(0);
    product.ranges = words[WEIGHT_RANGES] == NOWHERE ? NULL : NUMBERS + words[WEIGHT_RANGES];
    product.factors = 0;
    product.count = 0U;
    product.sum = REAL(0);
    zero_reals(product.out, product.adder.width);
    if (product.weight.bits != FULL_PRECISION && largest != 0U) {
        product.adder.words =
            words_of(run, product.adder.width, product.weight.bits, largest);
    }
    return product;
}

/* The largest code of a row: 1 where equal values have none, 0 where values are no codes. */
static uint32_t largest_code(uint32_t bits)
{
    return bits == 0U ? 1U : bits == FULL_PRECISION ? 0U : (1U << bits) - 1U;
}

/* Whether lanes add up the terms of a product. */
static int has_lanes(const sgq_product *product)
{
    return product->adder.words != NULL && product->adder.words->parts != 0U;
}

static void add_coded_term(sgq_product *product, uint32_t column, uint32_t code)
{
    add_row(&product->adder, &product->weight, column * product->adder.width, (sgq_sum)code);
    product->factors += (sgq_sum)code;
    product->count++;
}

static void add_term(sgq_product *product, uint32_t column, sgq_real value)
{
    const uint32_t width = product->adder.width;

    add_values(product->out, &product->weight, column * width, width, value);
    product->sum += value;
}

/* s, o: what the codes of the row stand for. Returns the sum of the row. */
static sgq_real end_product(sgq_product *product, sgq_real s, sgq_real o)
{
    const uint32_t width = product->adder.width;
    uint32_t k;

    if (product->ranges != NULL) {
        for (k = 0; k < width; k++) {
            product->out[k] = product->out[k] * REAL(product->ranges[2U * k]) +
                              product->sum * REAL(product->ranges[2U * k + 1U]);
        }
        add_up(&product->adder, product->out, s, o, product->ranges, 2U, product->factors,
               product->count);
    }
    return product->sum + s * REAL(product->factors) + o * REAL(product->count);
}
#endif

#if SGQ_HAS_PRODUCT || (SGQ_HAS_FEATURE_PRODUCT && !SGQ_GIVEN_FEATURES)
/* The terms of a row that are still to come: its codes, and the rows of the weight that they go
 * with. Some at a time are read, and then added: so each loop has few variables. */
typedef struct {
    sgq_entries *entries; /* which rows; NULL where these are all, in order */
    sgq_reader codes;     /* of no bits where each is 1 */
    uint32_t column;      /* the next row, where these are all */
} sgq_terms;

/* Reads so many terms. Returns the sum of their codes. */
static uint32_t read_terms(sgq_terms *terms, sgq_term *list, uint32_t count)
{
    uint32_t factors = 0U;
    uint32_t k;

#if SGQ_HAS_FEATURE_PRODUCT && SGQ_FEATURES_SPARSE
    if (terms->entries != NULL) {
        sgq_entries *restrict entries = terms->entries;

        for (k = 0U; k < count; k++) {
            list[k].row = next_column(entries);
        }
    }
#endif
    for (k = 0U; k < count; k++) {
        if (terms->entries == NULL) {
            list[k].row = terms->column++;
        }
        list[k].code = terms->codes.bits == 0U ? 1U : next_code(&terms->codes);
        factors += list[k].code;
    }
    return factors;
}

/* The terms of a row of codes from number first on, which lanes add up. entries: which rows of the
 * weight they go with; NULL where these are all. */
static void add_coded_terms(sgq_product *product, sgq_entries *entries, const sgq_slice *slice,
                            uint32_t first, uint32_t count)
{
    const uint32_t most = product->adder.words->most;
    const uint32_t block = most < TERM_BLOCK ? most : TERM_BLOCK;
    uint32_t factors = 0U;
    sgq_term list[TERM_BLOCK];
    sgq_terms terms;

    terms.entries = entries;
    terms.codes = reader_at(slice, first, count);
    terms.column = 0U;
    product->count = count;
    while (count != 0U) {
        const uint32_t some = count < block ? count : block;

        factors += read_terms(&terms, list, some);
        add_terms(&product->adder, &product->weight, list, some);
        count -= some;
    }
    product->factors = (sgq_sum)factors;
}
#endif

#if SGQ_HAS_PRODUCT || (SGQ_HAS_FEATURE_PRODUCT && !SGQ_FEATURES_SPARSE && !SGQ_GIVEN_FEATURES)
/* A row of a matrix times a weight. Returns the sum of the row. */
APART sgq_real row_product(sgq_run *run, const uint32_t *step)
{
    const sgq_matrix matrix = matrix_at(run, step[TABLE]);
    const sgq_slice slice = slice_at(run, &matrix, run->bucket);
    const uint32_t first = (run->row - slice.first_row) * matrix.width;
    /* Codes of no bits stand for one value. */
    const sgq_real s = slice.bits == 0U ? slice.offset : slice.step;
    const sgq_real o = slice.bits == 0U ? REAL(0) : slice.offset;
    sgq_product product =
        start_product(run, step, o < REAL(0) || o > REAL(0), largest_code(slice.bits));
    uint32_t j;

    if (has_lanes(&product) && slice.bits != 0U) {
        add_coded_terms(&product, NULL, &slice, first, matrix.width);
        return end_product(&product, s, o);
    }
    for (j = 0; j < matrix.width; j++) {
        if (slice.bits == FULL_PRECISION || product.weight.bits == FULL_PRECISION) {
            add_term(&product, j, value_at(&slice, first + j));
        } else if (slice.bits == 0U) {
            add_coded_term(&product, j, 1U);
        } else {
            uint32_t code = read_bits(slice.bytes, (first + j) * slice.bits, slice.bits);
            if (code != 0U || product.adder.totals != NULL) {
                add_coded_term(&product, j, code);
            }
        }
    }
    return end_product(&product, s, o);
}
#endif

#if SGQ_GIVEN_FEATURES
static const float *given_row(sgq_run *run)
{
    return run->given + (size_t)node_of(run) * SGQ_NUM_FEATURES;
}

/* A feature of a row, as the model knows it: columns may have been scaled. */
static float given_feature(const float *row, uint32_t column)
{
#if SGQ_FEATURES_SCALED
    const float *mean = NUMBERS + SGQ_FEATURE_SCALING;

    return (row[column] - mean[column]) * mean[SGQ_NUM_FEATURES + column];
#else
    return row[column];
#endif
}
#endif

#if SGQ_FEATURES_SPARSE && (SGQ_HAS_FEATURE_PRODUCT || READS_FEATURES)
/* The stored values of a bucket of sparse features: rows of one column. */
static sgq_slice stored_values(const sgq_run *run)
{
    const sgq_matrix matrix = matrix_at(run, SGQ_FEATURE_VALUES);
    sgq_slice slice = slice_at(run, &matrix, run->bucket);

    slice.first_row = WORDS[SGQ_FEATURE_STARTS + run->bucket];
    return slice;
}
#endif

#if SGQ_HAS_FEATURE_PRODUCT || READS_FEATURES
/* Rows divided by their sum, where that is above 1. */
static void normalize_features(sgq_real *out, uint32_t width, sgq_real sum)
{
    uint32_t k;

    if (SGQ_FEATURES_NORMALIZED && sum > REAL(1)) {
        const sgq_real share = REAL(1) / sum;

        for (k = 0; k < width; k++) {
            out[k] *= share;
        }
    }
}
#endif

#if SGQ_HAS_FEATURE_PRODUCT
APART void feature_product(sgq_run *run, const uint32_t *step)
{
#if SGQ_GIVEN_FEATURES
    const sgq_matrix matrix = matrix_at(run, SGQ_FEATURE_VALUES);
    const sgq_slice slice = slice_at(run, &matrix, run->bucket);
    const float *row = given_row(run);
    sgq_product product = start_product(run, step, 1, largest_code(slice.bits));
    sgq_real sum;
    uint32_t j;

    for (j = 0U; j < SGQ_NUM_FEATURES; j++) {
        const float feature = given_feature(row, j);

        if (SGQ_SKIPS_ZEROS && !(feature < 0.0F) && !(feature > 0.0F)) {
            continue;
        }
        if (slice.bits == FULL_PRECISION) {
            add_term(&product, j, REAL(feature));
        } else {
            const uint32_t code = code_of(REAL(feature), slice.step, slice.offset, slice.bits);

            if (product.weight.bits == FULL_PRECISION) {
                add_term(&product, j, REAL(code) * slice.step + slice.offset);
            } else {
                add_coded_term(&product, j, code);
            }
        }
    }
    sum = end_product(&product, slice.step, slice.offset);
#elif SGQ_FEATURES_SPARSE
    const sgq_slice slice = stored_values(run);
    const sgq_real s = slice.bits == 0U ? slice.offset : slice.step;
    const sgq_real o = slice.bits == 0U ? REAL(0) : slice.offset;
    sgq_entries entries = entries_of(run, &run->features, WORDS + SGQ_FEATURE_ENTRIES);
    sgq_product product =
        start_product(run, step, o < REAL(0) || o > REAL(0), largest_code(slice.bits));
    uint32_t place = run->features.entry - slice.first_row;
    sgq_real sum;

    if (has_lanes(&product)) {
        add_coded_terms(&product, &entries, &slice, place, entries.left);
    }
    for (; entries.left != 0U; place++) {
        const uint32_t column = next_column(&entries);

        if (slice.bits == FULL_PRECISION || product.weight.bits == FULL_PRECISION) {
            add_term(&product, column, value_at(&slice, place));
        } else if (slice.bits == 0U) {
            add_coded_term(&product, column, 1U);
        } else {
            add_coded_term(&product, column,
                           read_bits(slice.bytes, place * slice.bits, slice.bits));
        }
    }
    run->features.next_bit = entries.bit;
    sum = end_product(&product, s, o);
#else
    const sgq_real sum = row_product(run, step);
#endif
    normalize_features(run->reals + step[OUT], step[WIDTH], sum);
}
#endif

#define READS_ROWS \
    (SGQ_HAS_READ || (READS_FEATURES && !SGQ_FEATURES_SPARSE && !SGQ_GIVEN_FEATURES))

#if READS_ROWS || SGQ_HAS_REDUCE
static void read_values(sgq_real *out, const sgq_slice *slice, uint32_t first, uint32_t width)
{
    sgq_reader reader = reader_at(slice, first, width);
    uint32_t k;

    for (k = 0U; k < width; k++) {
        out[k] = next_value(&reader);
    }
}
#endif

#if READS_ROWS
/* The row at hand of a matrix. */
static void read_row(sgq_run *run, uint32_t table, sgq_real *out)
{
    const sgq_matrix matrix = matrix_at(run, table);
    const sgq_slice slice = slice_at(run, &matrix, run->bucket);

    read_values(out, &slice, (run->row - slice.first_row) * matrix.width, matrix.width);
}
#endif

#if READS_FEATURES
/* The features of the row at hand. */
static void read_feature_row(sgq_run *run, sgq_real *out)
{
    sgq_real sum = REAL(0);
    uint32_t k;
#if SGQ_GIVEN_FEATURES
    const sgq_matrix matrix = matrix_at(run, SGQ_FEATURE_VALUES);
    const sgq_slice slice = slice_at(run, &matrix, run->bucket);
    const float *row = given_row(run);

    for (k = 0U; k < SGQ_NUM_FEATURES; k++) {
        const float feature = given_feature(row, k);

        if (SGQ_SKIPS_ZEROS && !(feature < 0.0F) && !(feature > 0.0F)) {
            out[k] = REAL(0);
        } else if (slice.bits == FULL_PRECISION) {
            out[k] = REAL(feature);
        } else {
            out[k] = REAL(code_of(REAL(feature), slice.step, slice.offset, slice.bits)) * slice.step +
                     slice.offset;
        }
    }
#elif SGQ_FEATURES_SPARSE
    const sgq_slice slice = stored_values(run);
    sgq_entries entries = entries_of(run, &run->features, WORDS + SGQ_FEATURE_ENTRIES);
    uint32_t place = run->features.entry - slice.first_row;

    zero_reals(out, SGQ_NUM_FEATURES);
    for (; entries.left != 0U; place++) {
        out[next_column(&entries)] = value_at(&slice, place);
    }
    run->features.next_bit = entries.bit;
#else
    read_row(run, SGQ_FEATURE_VALUES, out);
#endif
    for (k = 0; k < SGQ_NUM_FEATURES; k++) {
        sum += out[k];
    }
    normalize_features(out, SGQ_NUM_FEATURES, sum);
}
#endif

#if SGQ_HAS_REDUCE || SGQ_HAS_REDUCE_FEATURES
/* Numbers of a node's neighbours, column by column; 0 without any. EXTRA of the step lists them,
 * REDUCTION_BITS bits each, up to a 0. */
enum {
    REDUCED_MEAN = 1,
    REDUCED_SUM = 2,
    REDUCED_MAX = 3,
    REDUCED_MIN = 4,
    REDUCED_VAR = 5,
    REDUCED_STD = 6
};
#define REDUCTION_BITS 3U

/* A smaller variance is none. */
#define SMALLEST_VARIANCE 1e-5F

#if SGQ_HAS_REDUCE_FEATURES
/* The features of the node that an edge comes from. */
static void read_source_features(sgq_run *run, const sgq_sources *source, sgq_real *out)
{
    const uint32_t row = run->row;
    const uint32_t bucket = run->bucket;
#if SGQ_GIVEN_GRAPH
    const uint32_t node = run->node;

    run->node = source->node;
#endif
    run->row = source->source;
    run->bucket = source->bucket;
    read_feature_row(run, out);
    run->row = row;
    run->bucket = bucket;
#if SGQ_GIVEN_GRAPH
    run->node = node;
#endif
}
#endif

/* The row that an edge comes from. */
static void read_source(sgq_run *run, const uint32_t *step, const sgq_sources *source,
                        sgq_real *out)
{
#if SGQ_HAS_REDUCE
    const sgq_matrix matrix = matrix_at(run, step[TABLE]);
#endif

#if SGQ_HAS_REDUCE_FEATURES
    if (step[OP] == STEP_REDUCE_FEATURES) {
        read_source_features(run, source, out);
        return;
    }
#endif
#if SGQ_HAS_REDUCE
    {
        const sgq_slice slice = slice_at(run, &matrix, source->bucket);

        read_values(out, &slice, (source->source - slice.first_row) * matrix.width, matrix.width);
    }
#endif
}

/* Takes a neighbour's row into one of the reductions; count: of those before it. */
static void take_row(sgq_real *out, const sgq_real *values, const sgq_real *means, uint32_t width,
                     uint32_t reduction, uint32_t count)
{
    uint32_t k;

    for (k = 0U; k < width; k++) {
        const sgq_real value = values[k];

        if (reduction == REDUCED_MAX) {
            out[k] = count == 0U || value > out[k] ? value : out[k];
        } else if (reduction == REDUCED_MIN) {
            out[k] = count == 0U || value < out[k] ? value : out[k];
        } else if (reduction >= REDUCED_VAR) {
            out[k] += (value - means[k]) * (value - means[k]);
        } else {
            out[k] += value;
        }
    }
}

/* Makes a reduction of what was taken in. */
static void end_reduction(sgq_real *out, uint32_t width, uint32_t reduction, uint32_t count)
{
    const int is_divided = reduction == REDUCED_MEAN || reduction >= REDUCED_VAR;
    uint32_t k;

    for (k = 0U; is_divided && count != 0U && k < width; k++) {
        out[k] /= REAL(count);
        if (reduction == REDUCED_STD) {
            out[k] = out[k] > REAL(SMALLEST_VARIANCE) ? SGQ_SQRT(out[k]) : REAL(0);
        }
    }
}

/* Some reductions of all neighbours, side by side. means: those that variances need. */
static void reduce_rows(sgq_run *run, const uint32_t *step, sgq_real *out, uint32_t reductions,
                        const sgq_real *means)
{
    const uint32_t width = step[WIDTH];
    sgq_real *values = run->reals + step[IN];
    sgq_sources sources = sources_of(run, 0U);
    uint32_t count;
    uint32_t left;
    sgq_real *part = out;

    for (left = reductions; left != 0U; left >>= REDUCTION_BITS) {
        zero_reals(part, width);
        part += width;
    }
    for (count = 0U; next_source(run, &sources); count++) {
        read_source(run, step, &sources, values);
        part = out;
        for (left = reductions; left != 0U; left >>= REDUCTION_BITS) {
            take_row(part, values, means, width, left & ((1U << REDUCTION_BITS) - 1U), count);
            part += width;
        }
    }
    part = out;
    for (left = reductions; left != 0U; left >>= REDUCTION_BITS) {
        end_reduction(part, width, left & ((1U << REDUCTION_BITS) - 1U), count);
        part += width;
    }
}

/* Whether some of the reductions are variances or their roots. */
static int has_spreads(uint32_t reductions)
{
    for (; reductions != 0U; reductions >>= REDUCTION_BITS) {
        if ((reductions & ((1U << REDUCTION_BITS) - 1U)) >= REDUCED_VAR) {
            return 1;
        }
    }
    return 0;
}

static void reduce(sgq_run *run, const uint32_t *step)
{
    sgq_real *means = run->reals + step[IN] + step[WIDTH];

    if (has_spreads(step[EXTRA])) {
        reduce_rows(run, step, means, REDUCED_MEAN, NULL);
    }
    reduce_rows(run, step, run->reals + step[OUT], step[EXTRA], means);
}
#endif

#if SGQ_HAS_SCALE_BY_DEGREE
/* EXTRA of STEP_SCALE_BY_DEGREE: what a row is multiplied by, from the edges into it. */
enum {
    DEGREE_ANY = 0, /* 1, or 0 without edges */
    DEGREE_COUNT = 1,
    DEGREE_AMPLIFICATION = 2,
    DEGREE_ATTENUATION = 3,
    DEGREE_LINEAR = 4,
    DEGREE_INVERSE_LINEAR = 5
};

/* averages: of degrees d, and of log(d + 1). */
static sgq_real degree_factor(uint32_t kind, uint32_t degree, const float *averages)
{
    const sgq_real d = REAL(degree);
    const sgq_real known = degree == 0U ? REAL(1) : d;

    switch (kind) {
    case DEGREE_ANY:
        return REAL(degree != 0U);
    case DEGREE_AMPLIFICATION:
        return SGQ_LOG1P(d) / REAL(averages[1]);
    case DEGREE_ATTENUATION:
        return REAL(averages[1]) / SGQ_LOG1P(known);
    case DEGREE_LINEAR:
        return d / REAL(averages[0]);
    case DEGREE_INVERSE_LINEAR:
        return REAL(averages[0]) / known;
    default:
        return d;
    }
}

static void scale_by_degree(const sgq_run *run, const uint32_t *step)
{
    const sgq_real factor = degree_factor(step[EXTRA], degree_of_row(run), NUMBERS + step[TABLE]);
    const sgq_real *in = run->reals + step[IN];
    sgq_real *out = run->reals + step[OUT];
    uint32_t k;

    for (k = 0U; k < step[WIDTH]; k++) {
        out[k] = bounded(in[k] * factor);
    }
}
#endif

#if SGQ_HAS_TRANSFORM
/* A row of numbers times a weight. */
static void transform(sgq_run *run, const uint32_t *step)
{
    sgq_product product = start_product(run, step, 0, 0U);
    const sgq_real *in = run->reals + step[IN];
    uint32_t j;

    for (j = 0U; j < step[EXTRA]; j++) {
        add_term(&product, j, in[j]);
    }
    (void)end_product(&product, REAL(1), REAL(0));
}
#endif

#if SGQ_HAS_WRITE
static void write_row(sgq_run *run, const uint32_t *step)
{
    const sgq_matrix matrix = matrix_at(run, step[TABLE]);
    const sgq_slice slice = slice_at(run, &matrix, run->bucket);
    const sgq_real *values = run->reals + step[IN];
    const uint32_t first = (run->row - slice.first_row) * matrix.width;
    uint8_t *octets = run->codes + first_byte(run, &matrix, run->bucket);
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
/* The scores of the edges into a row, head by head, and their softmax. */
typedef struct {
    uint32_t kind;
    uint32_t heads;
    uint32_t channels;
    const float *vectors;
    sgq_real number;   /* slope of negative sums, or factor of products and cosines */
    sgq_matrix matrix; /* what they are made of */
    sgq_slice target;  /* the rows of the row's bucket */
    uint32_t first;    /* number of the row's first code */
    sgq_real *top;     /* the largest score of each head */
    sgq_real *total;   /* the sum of exp(score - top) */
    sgq_real *own;     /* the target's part of a sum, or its length */
} sgq_scores;

#if SGQ_HAS_SCORING_SUMS
static sgq_real dot(const sgq_slice *slice, uint32_t first, uint32_t channels, const float *vector)
{
    sgq_reader reader = reader_at(slice, first, channels);
    sgq_real sum = REAL(0);
    uint32_t k;

    for (k = 0U; k < channels; k++) {
        sum += REAL(vector[k]) * next_value(&reader);
    }
    return sum;
}
#endif

#if SGQ_HAS_SCORING_SUMS || SGQ_HAS_SCORING_BENT_SUMS
static sgq_real leaky(sgq_real value, sgq_real slope)
{
    return value > REAL(0) ? value : slope * value;
}
#endif

#if SGQ_HAS_SCORING_BENT_SUMS
/* The vector of a head times bent sums of a source and the target. */
static sgq_real bent_score(const sgq_scores *scores, const sgq_slice *slice, uint32_t first,
                           uint32_t column)
{
    /* Parts of targets come after those of sources, or are the same. */
    const uint32_t target =
        scores->first + column + scores->matrix.width - scores->heads * scores->channels;
    sgq_reader sources = reader_at(slice, first + column, scores->channels);
    sgq_reader targets = reader_at(&scores->target, target, scores->channels);
    sgq_real sum = REAL(0);
    uint32_t k;

    for (k = 0U; k < scores->channels; k++) {
        const sgq_real both = next_value(&sources) + next_value(&targets);

        sum += REAL(scores->vectors[column + k]) * leaky(both, scores->number);
    }
    return sum;
}
#endif

#if SGQ_HAS_SCORING_PRODUCTS || SGQ_HAS_SCORING_COSINES
/* The target's codes from a column on times a source's from another one on. */
static sgq_real product_score(const sgq_scores *scores, const sgq_slice *slice, uint32_t first,
                              uint32_t column)
{
    sgq_reader sources = reader_at(slice, first, scores->channels);
    sgq_reader targets = reader_at(&scores->target, scores->first + column, scores->channels);
    sgq_real sum = REAL(0);
    uint32_t k;

    for (k = 0U; k < scores->channels; k++) {
        sum += next_value(&targets) * next_value(&sources);
    }
    return sum;
}
#endif

#if SGQ_HAS_SCORING_COSINES
/* The length of a row, or what a row of zeros is divided by. */
static sgq_real length_of(const sgq_slice *slice, uint32_t first, uint32_t width)
{
    sgq_reader reader = reader_at(slice, first, width);
    sgq_real sum = REAL(0);
    uint32_t k;

    for (k = 0U; k < width; k++) {
        const sgq_real value = next_value(&reader);

        sum += value * value;
    }
    sum = SGQ_SQRT(sum);
    return sum > REAL(SMALLEST_LENGTH) ? sum : REAL(SMALLEST_LENGTH);
}
#endif

static void start_scores(sgq_run *run, const uint32_t *step, sgq_scores *scores)
{
    const sgq_slice *target = &scores->target;
    uint32_t h;

    scores->kind = step[IN2] >> 17;
    scores->heads = step[IN2] & 0xFFFFU;
    scores->channels = step[WIDTH] / scores->heads;
    scores->vectors = NUMBERS + step[EXTRA] + 1;
    scores->number = REAL(NUMBERS[step[EXTRA]]);
    scores->matrix = matrix_at(run, step[TABLE]);
    scores->target = slice_at(run, &scores->matrix, run->bucket);
    scores->first = (run->row - target->first_row) * scores->matrix.width;
    scores->top = run->reals + step[IN];
    scores->total = scores->top + scores->heads;
    scores->own = scores->total + scores->heads;
    zero_reals(scores->total, scores->heads);
    for (h = 0U; h < scores->heads; h++) {
#if SGQ_HAS_SCORING_SUMS
        if (scores->kind == SCORE_SUMS) {
            const uint32_t column = h * scores->channels;

            scores->own[h] = dot(target, scores->first + column, scores->channels,
                                 scores->vectors + step[WIDTH] + column);
        }
#endif
#if SGQ_HAS_SCORING_COSINES
        if (scores->kind == SCORE_COSINES) {
            scores->own[h] = length_of(target, scores->first, scores->channels);
        }
#endif
    }
}

/* The score of an edge for a head; first: the number of the source's first code. */
static sgq_real edge_score(const sgq_scores *scores, const sgq_slice *slice, uint32_t first,
                           uint32_t head)
{
    const uint32_t column = head * scores->channels;

    (void)column;
    switch (scores->kind) {
#if SGQ_HAS_SCORING_SUMS
    case SCORE_SUMS:
        return leaky(scores->own[head] + dot(slice, first + column, scores->channels,
                                             scores->vectors + column),
                     scores->number);
#endif
#if SGQ_HAS_SCORING_BENT_SUMS
    case SCORE_BENT_SUMS:
        return bent_score(scores, slice, first, column);
#endif
#if SGQ_HAS_SCORING_PRODUCTS
    case SCORE_PRODUCTS:
        /* Keys come after queries. */
        return scores->number * product_score(scores, slice,
                                              first + scores->heads * scores->channels + column,
                                              column);
#endif
#if SGQ_HAS_SCORING_COSINES
    case SCORE_COSINES:
        return scores->number * (product_score(scores, slice, first, 0U) / scores->own[0] /
                                 length_of(slice, first, scores->channels));
#endif
    default:
        return REAL(0);
    }
}

/* Takes the score of an edge into the sum of the softmax. */
static void take_score(const sgq_scores *scores, uint32_t head, sgq_real score)
{
    sgq_real *top = scores->top + head;
    sgq_real *total = scores->total + head;

    if (*total <= REAL(0)) {
        *total = REAL(1);
        *top = score;
    } else if (score > *top) {
        *total = *total * SGQ_EXP(*top - score) + REAL(1);
        *top = score;
    } else {
        *total += SGQ_EXP(score - *top);
    }
}

/* A sum over neighbours by coefficients, head by head: those of a bucket as whole numbers. */
typedef struct {
    sgq_scores scores;
    sgq_adder adder;
    sgq_slice slice;     /* the rows of the sources' bucket */
    uint32_t bits;       /* of coefficients */
    const float *ranges; /* what codes of these stand for */
    uint32_t width;
    uint32_t values;     /* columns before those that are summed */
    uint32_t count;      /* sources of the bucket that were added as codes */
    sgq_real *out;
    sgq_sum *sums;
    sgq_sum *factors;    /* of each head */
} sgq_weighing;

static void start_weighing(sgq_run *run, const uint32_t *step, sgq_weighing *all)
{
    const uint32_t *coefficients = WORDS + step[TABLE2];

    start_scores(run, step, &all->scores);
    all->adder = adder_of(run, all->scores.channels, 1);
    all->bits = coefficients[MATRIX_BUCKETS + 2U * run->bucket];
    all->ranges = NUMBERS + coefficients[MATRIX_RANGES] + 2U * run->bucket;
    all->width = step[WIDTH];
    /* Values come after queries and keys. */
    all->values = all->scores.kind == SCORE_PRODUCTS ? 2U * all->width : 0U;
    all->count = 0U;
    all->out = run->reals + step[OUT];
    all->sums = run->sums;
    all->factors = run->sums + 2U * all->width;
    zero_reals(all->out, all->width);
}

/* Makes the sums of a bucket of sources to numbers. */
static void end_sources(sgq_weighing *all)
{
    const uint32_t channels = all->scores.channels;
    const float hidden[2] = {(float)all->slice.step, (float)all->slice.offset};
    uint32_t h;

    for (h = 0U; all->count != 0U && h < all->scores.heads; h++) {
        add_scaled(all->out + h * channels, all->sums + h * channels,
                   all->sums + all->width + h * channels, channels, REAL(all->ranges[0]),
                   REAL(all->ranges[1]), hidden, 0U, all->factors[h], all->count);
        all->factors[h] = 0;
    }
    all->count = 0U;
}

static void start_sources(sgq_run *run, sgq_weighing *all, uint32_t bucket)
{
    end_sources(all);
    all->slice = slice_at(run, &all->scores.matrix, bucket);
    if (all->slice.bits != FULL_PRECISION) {
        all->adder.words = words_of(run, all->adder.width, all->slice.bits, 0U);
    }
}

/* Adds what a source gives to a head. start: the number of its first code. */
static void weigh_source(sgq_weighing *all, uint32_t start, uint32_t head)
{
    const sgq_scores *scores = &all->scores;
    const sgq_real step = REAL(all->ranges[0]);
    const sgq_real offset = REAL(all->ranges[1]);
    const uint32_t column = head * scores->channels;
    const sgq_real score = edge_score(scores, &all->slice, start, head);
    sgq_real share = SGQ_EXP(score - scores->top[head]) / scores->total[head];
    sgq_sum code = 0;

    if (all->bits != FULL_PRECISION) {
        code = (sgq_sum)code_of(share, step, offset, all->bits);
        share = REAL(code) * step + offset;
    }
    start += all->values + column;
    if (all->slice.bits == FULL_PRECISION || all->bits == FULL_PRECISION) {
        add_values(all->out + column, &all->slice, start, scores->channels, share);
        return;
    }
    all->adder.sums = all->sums + column;
    all->adder.totals = all->sums + all->width + column;
    add_row(&all->adder, &all->slice, start, code);
    all->factors[head] += code;
}

/* out = sum_j Q(softmax_j score_ij) h_j, head by head. Scores are made twice, so that none are
 * held: for the sum of the softmax, and where they weigh. */
APART void attention(sgq_run *run, const uint32_t *step)
{
    const uint32_t with_itself = step[IN2] >> 16 & 1U;
    sgq_sources sources = sources_of(run, with_itself);
    sgq_weighing all;
    uint32_t group = NOWHERE;
    uint32_t h;

    start_weighing(run, step, &all);
    while (next_source(run, &sources)) {
        all.slice = slice_at(run, &all.scores.matrix, sources.bucket);
        for (h = 0U; h < all.scores.heads; h++) {
            const uint32_t start = (sources.source - all.slice.first_row) * all.scores.matrix.width;

            take_score(&all.scores, h, edge_score(&all.scores, &all.slice, start, h));
        }
    }
    sources = sources_of(run, with_itself);
    while (next_source(run, &sources)) {
        if (sources.bucket != group) {
            group = sources.bucket;
            start_sources(run, &all, group);
        }
        for (h = 0U; h < all.scores.heads; h++) {
            weigh_source(&all, (sources.source - all.slice.first_row) * all.scores.matrix.width, h);
        }
        all.count += all.slice.bits != FULL_PRECISION && all.bits != FULL_PRECISION;
    }
    end_sources(&all);
}
#endif

/* Steps on what lies in registers. */

#if SGQ_HAS_ACTIVATE || SGQ_HAS_GATE
static sgq_real sigmoid(sgq_real x)
{
    return REAL(0.5) * (REAL(1) + SGQ_TANH(REAL(0.5) * x));
}

#endif

#if SGQ_HAS_ACTIVATE
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

#if SGQ_HAS_POOL
/* Takes in the row of a node; the first one starts what is pooled. */
static void pool(const sgq_run *run, const uint32_t *step)
{
    const sgq_real *in = run->reals + step[IN];
    sgq_real *out = run->reals + step[OUT];
    uint32_t k;

    for (k = 0; k < step[WIDTH]; k++) {
        if (run->row == 0U) {
            out[k] = in[k];
        } else if (step[EXTRA] == POOL_MAXIMUM) {
            out[k] = in[k] > out[k] ? in[k] : out[k];
        } else {
            out[k] = bounded(out[k] + in[k]);
        }
    }
}
#endif

#if SGQ_HAS_GATE
/* out = m + sigmoid(g [m, s, m - s]) (s - m): what was gathered, and a node's own term. */
static void gate(const uint32_t *step, sgq_real *out, const sgq_real *gathered,
                 const sgq_real *own)
{
    const uint32_t width = step[WIDTH];
    const float *vector = NUMBERS + step[TABLE];
    sgq_real score = REAL(0);
    uint32_t k;

    for (k = 0; k < width; k++) {
        score += gathered[k] * REAL(vector[k]) + own[k] * REAL(vector[width + k]) +
                 (gathered[k] - own[k]) * REAL(vector[2U * width + k]);
    }
    score = sigmoid(score);
    for (k = 0; k < width; k++) {
        out[k] = bounded(gathered[k] + score * (own[k] - gathered[k]));
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
    const uint32_t op = step[OP];
    /* 0 where one column stands for all. */
    const uint32_t stride = (step[EXTRA] & 1U) != 0U && op <= STEP_MAXIMUM ? 0U : 1U;
    const uint32_t stride2 = (step[EXTRA] & 2U) != 0U || op > STEP_MAXIMUM ? 0U : 1U;
    uint32_t k;

    for (k = 0; k < width; k++) {
        const sgq_real x = in[stride * k];
        const sgq_real y = in2[stride2 * k];

        switch (op) {
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
#if SGQ_HAS_MEAN_OF_NODES
        case STEP_MEAN_OF_NODES:
            out[k] = x / REAL(run->num_nodes);
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
        read_row(run, step[TABLE], run->reals + step[OUT]);
        return 0;
#endif
#if SGQ_HAS_READ_FEATURES
    case STEP_READ_FEATURES:
        read_feature_row(run, run->reals + step[OUT]);
        return 0;
#endif
#if SGQ_HAS_REDUCE || SGQ_HAS_REDUCE_FEATURES
    case STEP_REDUCE:
    case STEP_REDUCE_FEATURES:
        reduce(run, step);
        return 0;
#endif
#if SGQ_HAS_TRANSFORM
    case STEP_TRANSFORM:
        transform(run, step);
        return 0;
#endif
#if SGQ_HAS_SCALE_BY_DEGREE
    case STEP_SCALE_BY_DEGREE:
        scale_by_degree(run, step);
        return 0;
#endif
#if SGQ_HAS_WRITE
    case STEP_WRITE:
        write_row(run, step);
        return 0;
#endif
    case STEP_OUTPUT:
        return run->take(run->context, SGQ_PREDICTS_GRAPHS ? 0U : node_of(run),
                         run->reals + step[IN]);
#if SGQ_HAS_POOL
    case STEP_POOL:
        pool(run, step);
        return 0;
#endif
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
#if SGQ_HAS_GATE
    case STEP_GATE:
        gate(step, run->reals + step[OUT], run->reals + step[IN], run->reals + step[IN2]);
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
    (void)window_at;
    (void)adder_of;
    (void)words_of;
    (void)add_terms;
    (void)reader_at;
    (void)next_code;
    (void)next_value;
    (void)end_rows;
#if HAS_WEIGHTS
    (void)largest_code;
    (void)has_lanes;
    (void)add_coded_term;
#endif
    (void)add_up;
    (void)add_values;
    (void)zero_reals;
}

/* Forget where rows start: the passes before stood elsewhere. */
static void rewind_entries(sgq_run *run)
{
#if SGQ_HAS_EDGES
    run->edges.row = NOWHERE;
#endif
#if SGQ_FEATURES_SPARSE
    run->features.row = NOWHERE;
#endif
    (void)run;
}

#if !SGQ_GIVEN_GRAPH
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
#endif

/* The steps of a list on the row at hand. */
static int do_steps(sgq_run *run, uint32_t list)
{
    const uint32_t *step = WORDS + SGQ_STEPS + STEP_WORDS * WORDS[SGQ_PASSES + list];
    const uint32_t *last = WORDS + SGQ_STEPS + STEP_WORDS * WORDS[SGQ_PASSES + list + 1U];

    for (; step != last; step += STEP_WORDS) {
        const int stopped = do_step(run, step);

        if (stopped != 0) {
            return stopped;
        }
    }
    return SGQ_OK;
}

/* The rows of a bucket. */
static int do_bucket(sgq_run *run, uint32_t list, const uint8_t *mask)
{
    int stopped = SGQ_OK;

#if SGQ_GIVEN_GRAPH
    (void)mask;
    for (run->node = 0U; stopped == SGQ_OK && run->node < run->num_nodes; run->node++) {
        if (bucket_of(run, run->node) == run->bucket) {
            stopped = do_steps(run, list);
            run->row++;
        }
    }
#else
    for (; stopped == SGQ_OK && run->row < bucket_row(run, run->bucket + 1U); run->row++) {
        if (!is_skipped(run, mask)) {
            stopped = do_steps(run, list);
        }
    }
#endif
    return stopped;
}

static int do_pass(sgq_run *run, uint32_t pass)
{
    const uint32_t list = SGQ_HAS_GRAPH_STEPS ? 2U * pass : pass;
    const uint8_t *mask = NULL;
    int stopped = SGQ_OK;

    if (run->masks != NULL) {
        mask = run->masks + (size_t)pass * MASK_BYTES;
    }
    rewind_entries(run);
    run->row = 0U;
    for (run->bucket = 0U; stopped == SGQ_OK && run->bucket < SGQ_NUM_BUCKETS; run->bucket++) {
        stopped = do_bucket(run, list, mask);
    }
#if SGQ_HAS_GRAPH_STEPS
    run->row = 0U;
    run->bucket = 0U;
    if (stopped == SGQ_OK) {
        stopped = do_steps(run, list + 1U);
    }
#endif
    return stopped;
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
    if ((uintptr_t)arena % sizeof(sgq_real) != 0U || (uintptr_t)arena % sizeof(sgq_sum) != 0U ||
        (uintptr_t)arena % sizeof(sgq_word) != 0U) {
        return SGQ_ARENA_MISALIGNED;
    }
    if (take == NULL) {
        return SGQ_TAKE_MISSING;
    }
    name_helpers();
    memset(run, 0, sizeof *run);
    run->num_nodes = SGQ_NUM_NODES;
    run->sums = arena;
    run->lanes = (void *)(bytes + SGQ_ARENA_SUMS * sizeof(sgq_sum));
    run->reals = (void *)(run->lanes + 2U * LANE_BYTES / sizeof(sgq_word));
    run->end = bytes + given;
    run->codes = bytes + ARENA_NUMBERS;
    run->take = take;
    run->context = context;
#if SGQ_BUCKET_MAP_BITS
    run->map_bucket = NOWHERE;
#endif
#if SGQ_HAS_EDGES
    run->edges.words = WORDS + SGQ_EDGE_ROWS;
#endif
#if SGQ_FEATURES_SPARSE
    run->features.words = WORDS + SGQ_FEATURE_ROWS;
#endif
    memset(arena, 0, SGQ_ARENA_SUMS * sizeof(sgq_sum) + SGQ_ARENA_LANES * sizeof(uint32_t));
    return SGQ_OK;
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

#if SGQ_GIVEN_FEATURES
/* Whether features are there, and all of them are numbers. */
static int features_fault(const float *features, uint32_t nodes)
{
    const size_t count = (size_t)nodes * SGQ_NUM_FEATURES;
    size_t k;

    if (features == NULL) {
        return SGQ_FEATURES_MISSING;
    }
    for (k = 0U; k < count; k++) {
        if (!(features[k] >= -FLT_MAX && features[k] <= FLT_MAX)) {
            return SGQ_FEATURE_NOT_FINITE;
        }
    }
    return SGQ_OK;
}
#endif

#if SGQ_GIVEN_GRAPH
/* A graph that is given: edges are listed by the node that they lead to, nodes put into buckets by
 * how many these are, and buffers into the arena. */

#if SGQ_GIVEN_WEIGHTS
/* Whether weights are there, finite, and such as the model can read. */
static int weights_fault(const sgq_graph *graph)
{
    uint32_t k;

    if (graph->num_edges != 0U && graph->weights == NULL) {
        return SGQ_WEIGHTS_MISSING;
    }
    for (k = 0U; k < graph->num_edges; k++) {
        const float weight = graph->weights[k];

        if (!(weight >= -FLT_MAX && weight <= FLT_MAX)) {
            return SGQ_WEIGHT_NOT_FINITE;
        }
        if ((SGQ_WEIGHTS_FROM_ZERO && weight < 0.0F) ||
            (graph->sources[k] == graph->targets[k] && (weight < 1.0F || weight > 1.0F))) {
            return SGQ_WEIGHT_UNFIT;
        }
    }
    return SGQ_OK;
}
#endif

static int graph_fault(const sgq_graph *graph)
{
    uint32_t k;

    if (graph == NULL || graph->num_nodes == 0U ||
        (graph->num_edges != 0U && (graph->sources == NULL || graph->targets == NULL))) {
        return SGQ_GRAPH_MISSING;
    }
    if (graph->num_nodes > MOST_INDEX || graph->num_edges > MOST_INDEX) {
        return SGQ_GRAPH_TOO_LARGE;
    }
    for (k = 0U; k < graph->num_edges; k++) {
        if (graph->sources[k] >= graph->num_nodes || graph->targets[k] >= graph->num_nodes) {
            return SGQ_NODE_UNKNOWN;
        }
    }
#if SGQ_GIVEN_WEIGHTS
    {
        const int fault = weights_fault(graph);

        if (fault != SGQ_OK) {
            return fault;
        }
    }
#endif
    return features_fault(graph->features, graph->num_nodes);
}

/* The order of sources: of their rows, or nodes where these are the same. */
static uint32_t order_of(const sgq_run *run, uint32_t node)
{
    return run->rows == NULL ? node : run->rows[node];
}

/* An edge of the list. */
typedef struct {
    sgq_index source;
#if SGQ_GIVEN_WEIGHTS
    float weight;
#endif
} sgq_edge;

static sgq_edge edge_at(const sgq_run *run, uint32_t place)
{
    sgq_edge edge;

    edge.source = run->sources[place];
#if SGQ_GIVEN_WEIGHTS
    edge.weight = run->weights[place];
#endif
    return edge;
}

static void put_edge(sgq_run *run, uint32_t place, sgq_edge edge)
{
    run->sources[place] = edge.source;
#if SGQ_GIVEN_WEIGHTS
    run->weights[place] = edge.weight;
#endif
}

/* Sorts the edges into a node (Shell's way, so that hubs take no square of their edges). */
static void sort_edges(sgq_run *run, uint32_t first, uint32_t count)
{
    uint32_t gap = 1U;
    uint32_t k;

    while (gap < count / 3U) {
        gap = 3U * gap + 1U;
    }
    for (; gap != 0U; gap /= 3U) {
        for (k = gap; k < count; k++) {
            const sgq_edge moved = edge_at(run, first + k);
            uint32_t j = k;

            while (j >= gap && order_of(run, run->sources[first + j - gap]) >
                                   order_of(run, moved.source)) {
                put_edge(run, first + j, edge_at(run, first + j - gap));
                j -= gap;
            }
            put_edge(run, first + j, moved);
        }
    }
}

/* Lists the edges into each node; one from a node to itself is none. */
static void list_edges(sgq_run *run, const sgq_graph *graph)
{
    uint32_t node;
    uint32_t k;

    memset(run->starts, 0, ((size_t)run->num_nodes + 1U) * sizeof(sgq_index));
    for (k = 0U; k < graph->num_edges; k++) {
        run->starts[graph->targets[k]] = (sgq_index)(run->starts[graph->targets[k]] +
                                                     (graph->sources[k] != graph->targets[k]));
    }
    for (node = 1U; node <= run->num_nodes; node++) {
        run->starts[node] = (sgq_index)(run->starts[node] + run->starts[node - 1U]);
    }
    /* From the ends back, so that these become starts. */
    for (k = 0U; k < graph->num_edges; k++) {
        if (graph->sources[k] != graph->targets[k]) {
            const uint32_t place = run->starts[graph->targets[k]] - 1U;

            run->starts[graph->targets[k]] = (sgq_index)place;
            run->sources[place] = (sgq_index)graph->sources[k];
#if SGQ_GIVEN_WEIGHTS
            run->weights[place] = graph->weights[k];
#endif
        }
    }
}

/* Leaves out edges that are listed again, whose weights are added up; 0 where a node then has more than sums may have. */
static int drop_repeats(sgq_run *run)
{
    uint32_t kept = 0U;
    uint32_t node;

    for (node = 0U; node < run->num_nodes; node++) {
        const uint32_t first = run->starts[node];
        const uint32_t count = run->starts[node + 1U] - first;
        const uint32_t start = kept;
        uint32_t k;

        sort_edges(run, first, count);
        run->starts[node] = (sgq_index)start;
        for (k = first; k < first + count; k++) {
            if (kept == start || run->sources[kept - 1U] != run->sources[k]) {
                put_edge(run, kept, edge_at(run, k));
                kept++;
            } else {
#if SGQ_GIVEN_WEIGHTS
                run->weights[kept - 1U] += run->weights[k];
#endif
            }
        }
        if (kept - start > SGQ_MOST_NEIGHBORS) {
            return 0;
        }
    }
    run->starts[run->num_nodes] = (sgq_index)kept;
    return 1;
}

/* The first row of each bucket and the row of each node; sources are then in the order of rows. */
static void find_rows(sgq_run *run, sgq_index *rows)
{
    uint32_t row = 0U;
    uint32_t bucket;
    uint32_t node;

    for (bucket = 0U; bucket < SGQ_NUM_BUCKETS; bucket++) {
        run->bucket_rows[bucket] = row;
        for (node = 0U; node < run->num_nodes; node++) {
            if (bucket_of(run, node) == bucket) {
                if (rows != NULL) {
                    rows[node] = (sgq_index)row;
                }
                row++;
            }
        }
    }
    run->bucket_rows[SGQ_NUM_BUCKETS] = row;
    run->rows = rows;
    for (node = 0U; rows != NULL && node < run->num_nodes; node++) {
        sort_edges(run, run->starts[node], (uint32_t)run->starts[node + 1U] - run->starts[node]);
    }
}

#if SGQ_GIVEN_WEIGHTS
/* Whether sums of weights are finite. */
static int are_sums_finite(const sgq_run *run)
{
    uint32_t k;

    for (k = 0U; k < run->starts[run->num_nodes]; k++) {
        if (!(run->weights[k] >= -FLT_MAX && run->weights[k] <= FLT_MAX)) {
            return 0;
        }
    }
    return 1;
}

#if SGQ_WEIGHTS_SYMMETRIC
/* The place of the edge between two nodes; NOWHERE if there is none. */
static uint32_t find_edge(const sgq_run *run, uint32_t source, uint32_t target)
{
    const uint32_t end = run->starts[target + 1U];
    uint32_t low = run->starts[target];
    uint32_t high = end;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2U;

        if (order_of(run, run->sources[middle]) < order_of(run, source)) {
            low = middle + 1U;
        } else {
            high = middle;
        }
    }
    return low < end && run->sources[low] == source ? low : NOWHERE;
}

/* Whether each edge has one back, of the same weight. */
static int is_symmetric(const sgq_run *run)
{
    uint32_t node;
    uint32_t k;

    for (node = 0U; node < run->num_nodes; node++) {
        for (k = run->starts[node]; k < run->starts[node + 1U]; k++) {
            const uint32_t back = find_edge(run, node, run->sources[k]);

            if (back == NOWHERE || run->weights[back] < run->weights[k] ||
                run->weights[back] > run->weights[k]) {
                return 0;
            }
        }
    }
    return 1;
}

/* Both directions get what stands for the weight of that to the later row. */
static void share_weights(sgq_run *run)
{
    uint32_t node;
    uint32_t k;

    for (node = 0U; node < run->num_nodes; node++) {
        sgq_slice weights;

        run->bucket = bucket_of(run, node);
        weights = edge_weights(run);
        for (k = run->starts[node]; k < run->starts[node + 1U]; k++) {
            const uint32_t source = run->sources[k];

            if (order_of(run, source) < order_of(run, node)) {
                run->weights[find_edge(run, node, source)] =
                    (float)weight_value(run, &weights, k);
            }
        }
    }
}
#endif

#if SGQ_WEIGHTS_FROM_ZERO
/* 1 / sqrt(d) of each node's weighted degree, itself among it; 0 where that is not above 0. */
static void find_roots(sgq_run *run)
{
    uint32_t node;
    uint32_t k;

    for (node = 0U; node < run->num_nodes; node++) {
        sgq_real sum = REAL(1);
        sgq_slice weights;

        run->bucket = bucket_of(run, node);
        weights = edge_weights(run);
        for (k = run->starts[node]; k < run->starts[node + 1U]; k++) {
            sum += weight_value(run, &weights, k);
        }
        run->roots[node] = sum > REAL(0) ? (float)(REAL(1) / SGQ_SQRT(sum)) : 0.0F;
    }
}
#endif

/* Puts the weights of edges that were kept to their place; 0 where a sum is not finite. */
static int keep_weights(sgq_run *run, float *weights)
{
    uint32_t k;

    for (k = 0U; k < run->starts[run->num_nodes]; k++) {
        weights[k] = run->weights[k];
    }
    run->weights = weights;
    if (!are_sums_finite(run)) {
        return 0;
    }
#if SGQ_WEIGHTS_SYMMETRIC
    if (is_symmetric(run)) {
        share_weights(run);
    }
#endif
#if SGQ_WEIGHTS_FROM_ZERO
    find_roots(run);
#endif
    return 1;
}
#endif

#if SGQ_NUM_BUFFERS
/* What TABLE of a buffer names: where its matrix is, and in which passes it is needed. */
enum { BUFFER_MATRIX, BUFFER_FIRST, BUFFER_LAST, BUFFER_WORDS };

static const uint32_t *buffer_words(uint32_t buffer)
{
    return WORDS + SGQ_BUFFERS + BUFFER_WORDS * buffer;
}

static uint64_t bytes_of_bits(uint64_t bits)
{
    return (bits + 7U) / 8U;
}

/* Bytes of a bucket of a buffer. */
static uint64_t bucket_bytes(const sgq_run *run, uint32_t buffer, uint32_t bucket)
{
    const uint32_t *words = WORDS + buffer_words(buffer)[BUFFER_MATRIX];
    uint64_t rows = run->bucket_rows[bucket + 1U] - run->bucket_rows[bucket];

    if (words[MATRIX_PLACE] == IN_ARENA_OF_GRAPH) {
        rows = bucket == 0U;
    } else if (words[MATRIX_PLACE] == IN_ARENA_ONE_ROW) {
        rows = rows != 0U;
    }
    if (rows == 0U) {
        return 0U;
    }
    return bytes_of_bits(rows * words[MATRIX_WIDTH] * words[MATRIX_BUCKETS + 2U * bucket]);
}

/* Bytes of a buffer: all buckets, or the largest row. */
static uint64_t buffer_bytes(const sgq_run *run, uint32_t buffer)
{
    const uint32_t *words = WORDS + buffer_words(buffer)[BUFFER_MATRIX];
    uint64_t all = 0U;
    uint64_t most = 0U;
    uint32_t bucket;

    for (bucket = 0U; bucket < SGQ_NUM_BUCKETS; bucket++) {
        const uint64_t bytes = bucket_bytes(run, buffer, bucket);

        all += bytes;
        most = bytes > most ? bytes : most;
    }
    return words[MATRIX_PLACE] == IN_ARENA ? all : most;
}

/* The lowest place of a buffer where none lies that is needed at the same time. */
static uint64_t free_place(const sgq_run *run, uint32_t buffer, uint64_t bytes)
{
    const uint32_t *own = buffer_words(buffer);
    uint64_t place = 0U;
    uint32_t k = 0U;

    while (k < SGQ_NUM_BUFFERS) {
        const uint32_t *other = buffer_words(k);
        const uint64_t there = run->places[k * SGQ_NUM_BUCKETS];

        if (there != NOWHERE && other[BUFFER_FIRST] <= own[BUFFER_LAST] &&
            own[BUFFER_FIRST] <= other[BUFFER_LAST] && there < place + bytes &&
            place < there + buffer_bytes(run, k)) {
            place = there + buffer_bytes(run, k);
            k = 0U;
        } else {
            k++;
        }
    }
    return place;
}

/* The largest buffer without a place; of equal ones that which is needed first. */
static uint32_t next_buffer(const sgq_run *run)
{
    uint32_t best = NOWHERE;
    uint32_t k;

    for (k = 0U; k < SGQ_NUM_BUFFERS; k++) {
        const uint32_t *words = buffer_words(k);
        uint64_t bytes;
        uint64_t most;

        if (run->places[k * SGQ_NUM_BUCKETS] != NOWHERE) {
            continue;
        }
        if (best == NOWHERE) {
            best = k;
            continue;
        }
        bytes = buffer_bytes(run, k);
        most = buffer_bytes(run, best);
        if (bytes > most ||
            (bytes == most && (words[BUFFER_FIRST] < buffer_words(best)[BUFFER_FIRST] ||
                               (words[BUFFER_FIRST] == buffer_words(best)[BUFFER_FIRST] &&
                                words[BUFFER_LAST] < buffer_words(best)[BUFFER_LAST])))) {
            best = k;
        }
    }
    return best;
}

/* Puts buffers into the bytes that are left; 0 where they do not fit. */
static int place_buffers(sgq_run *run, size_t left)
{
    uint32_t buffer;
    uint32_t bucket;

    for (buffer = 0U; buffer < SGQ_NUM_BUFFERS; buffer++) {
        run->places[buffer * SGQ_NUM_BUCKETS] = NOWHERE;
    }
    while ((buffer = next_buffer(run)) != NOWHERE) {
        const uint64_t bytes = buffer_bytes(run, buffer);
        const uint64_t place = free_place(run, buffer, bytes);

        if (place + bytes > left || place + bytes > MOST_CODE_BYTES) {
            return 0;
        }
        run->places[buffer * SGQ_NUM_BUCKETS] = (uint32_t)place;
    }
    for (buffer = 0U; buffer < SGQ_NUM_BUFFERS; buffer++) {
        const uint32_t *words = WORDS + buffer_words(buffer)[BUFFER_MATRIX];
        uint32_t *places = run->places + buffer * SGQ_NUM_BUCKETS;

        for (bucket = 1U; bucket < SGQ_NUM_BUCKETS; bucket++) {
            places[bucket] = places[bucket - 1U];
            if (words[MATRIX_PLACE] == IN_ARENA) {
                places[bucket] += (uint32_t)bucket_bytes(run, buffer, bucket - 1U);
            }
        }
    }
    return 1;
}

#else
static int place_buffers(const sgq_run *run, size_t left)
{
    (void)run;
    (void)left;
    return 1;
}
#endif

/* Bytes up to the next number of four. */
static uint64_t whole_words(uint64_t bytes)
{
    return (bytes + 3U) & ~(uint64_t)3U;
}

/* Bytes of the arena before the edges of a graph: what is kept of each node. */
static uint64_t node_bytes(uint32_t nodes)
{
    const uint64_t indices = SGQ_NUM_BUCKETS > 1U ? 2U : 1U;

    return ARENA_NUMBERS + PLACE_BYTES + (uint64_t)nodes * NODE_ROOT_BYTES +
           ((uint64_t)nodes * indices + 1U) * sizeof(sgq_index);
}

/* Bytes of the arena before buffers, with so many edges. */
static uint64_t graph_bytes(uint32_t nodes, uint32_t edges)
{
    const uint64_t bytes = node_bytes(nodes) + (uint64_t)edges * sizeof(sgq_index);

    return SGQ_GIVEN_WEIGHTS ? whole_words(bytes) + (uint64_t)edges * sizeof(float) : bytes;
}

/* Puts a graph into the arena, which has room for all edges that are listed. */
static int take_graph(sgq_run *run, uint8_t *bytes, const sgq_graph *graph)
{
    const size_t start = ARENA_NUMBERS + PLACE_BYTES + graph->num_nodes * NODE_ROOT_BYTES;
    sgq_index *rows = NULL;

    run->num_nodes = graph->num_nodes;
    run->given = graph->features;
    run->places = (void *)(bytes + ARENA_NUMBERS);
    run->starts = (void *)(bytes + start);
    run->sources = (void *)(bytes + node_bytes(graph->num_nodes));
    if (SGQ_NUM_BUCKETS > 1U) {
        rows = run->starts + graph->num_nodes + 1U;
    }
#if SGQ_GIVEN_WEIGHTS
    run->roots = (void *)(bytes + ARENA_NUMBERS + PLACE_BYTES);
    run->weights = (void *)(bytes + graph_bytes(graph->num_nodes, graph->num_edges));
    run->weights -= graph->num_edges;
#endif
    list_edges(run, graph);
    if (!drop_repeats(run)) {
        return SGQ_GRAPH_TOO_LARGE;
    }
    find_rows(run, rows);
#if SGQ_GIVEN_WEIGHTS
    {
        const uint32_t edges = run->starts[graph->num_nodes];
        float *weights = (void *)(bytes + graph_bytes(graph->num_nodes, edges));

        if (!keep_weights(run, weights - edges)) {
            return SGQ_WEIGHT_NOT_FINITE;
        }
    }
#endif
    return SGQ_OK;
}

int sgq_predict_graph(void *arena, size_t arena_bytes, const sgq_graph *graph, sgq_take take,
                      void *context)
{
    sgq_run run;
    size_t used;
    int fault = start(&run, arena, arena_bytes, ARENA_NUMBERS + PLACE_BYTES, take, context);

    if (fault == SGQ_OK) {
        fault = graph_fault(graph);
    }
    /* Repeated edges are listed too, for a moment, where buffers will be. */
    if (fault == SGQ_OK && graph_bytes(graph->num_nodes, graph->num_edges) > arena_bytes) {
        fault = SGQ_ARENA_TOO_SMALL;
    }
    if (fault == SGQ_OK) {
        fault = take_graph(&run, arena, graph);
    }
    if (fault != SGQ_OK) {
        return fault;
    }
    used = (size_t)graph_bytes(graph->num_nodes, run.starts[graph->num_nodes]);
    run.codes = (uint8_t *)arena + used;
    if (!place_buffers(&run, arena_bytes - used)) {
        return SGQ_ARENA_TOO_SMALL;
    }
    return do_passes(&run);
}
#elif SGQ_GIVEN_FEATURES
int sgq_predict_features(void *arena, size_t arena_bytes, const float *features, sgq_take take,
                         void *context)
{
    sgq_run run;
    int fault = start(&run, arena, arena_bytes, SGQ_ARENA_BYTES, take, context);

    if (fault == SGQ_OK) {
        fault = features_fault(features, SGQ_NUM_NODES);
    }
    if (fault != SGQ_OK) {
        return fault;
    }
    run.given = features;
    return do_passes(&run);
}
#else
int sgq_predict(void *arena, size_t arena_bytes, sgq_take take, void *context)
{
    sgq_run run;
    const int fault = start(&run, arena, arena_bytes, SGQ_ARENA_BYTES, take, context);

    return fault != SGQ_OK ? fault : do_passes(&run);
}
#endif

#if !SGQ_GIVEN_FEATURES && !SGQ_PREDICTS_GRAPHS
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
    uint32_t row = WORDS[SGQ_BUCKET_ROWS + bucket];
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
        for (; run->row < bucket_row(run, run->bucket + 1U); run->row++) {
            if (is_skipped(run, mask)) {
                continue;
            }
            want_row(earlier, run->row);
#if HAS_SOURCES
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
    memset(run.masks, 0, MASK_BYTES * SGQ_NUM_PASSES);
    for (k = 0U; k < count; k++) {
        want_row(run.masks + MASK_BYTES * (SGQ_NUM_PASSES - 1U), row_of(nodes[k]));
    }
    for (pass = SGQ_NUM_PASSES - 1U; pass > 0U; pass--) {
        for (k = WORDS[SGQ_READS + pass]; k < WORDS[SGQ_READS + pass + 1U]; k++) {
            const uint32_t read = WORDS[SGQ_READ_PASSES + k];

            want_read_rows(&run, run.masks + MASK_BYTES * pass, run.masks + MASK_BYTES * (read >> 1),
                           read & 1U);
        }
    }
    return do_passes(&run);
}
#endif
