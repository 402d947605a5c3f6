/* Predicts with a packed graph neural network (sgq-auto) on a small device. C99; no allocation, no
 * recursion, no input or output, no global that changes. The model's tables are constant (sgq_model.c), and
 * everything that changes lies in an arena of SGQ_ARENA_BYTES bytes that the caller gives. */
#ifndef SGQ_RUNTIME_H
#define SGQ_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

/* The type of numbers between codes: float, or double where SGQ_DOUBLE is defined. */
#ifdef SGQ_DOUBLE
typedef double sgq_real;
#else
typedef float sgq_real;
#endif

#include "sgq_model.h"

/* What the functions return. */
enum {
    SGQ_OK = 0,
    SGQ_ARENA_MISSING = 1,    /* no arena was given */
    SGQ_ARENA_TOO_SMALL = 2,  /* fewer bytes than SGQ_ARENA_BYTES, or SGQ_NODES_ARENA_BYTES */
    SGQ_ARENA_MISALIGNED = 3, /* it is not aligned as an array of uint64_t is */
    SGQ_TAKE_MISSING = 4,     /* no function was given that takes the results */
    SGQ_NODES_MISSING = 5,    /* no nodes were given, but a count above 0 */
    SGQ_NODE_UNKNOWN = 6,     /* a node is not below SGQ_NUM_NODES, or those of the graph */
    SGQ_GRAPH_MISSING = 7,    /* no graph was given, or one without nodes, or without its edges */
    SGQ_GRAPH_TOO_LARGE = 8,  /* more nodes, edges, or edges into a node than integers count */
    SGQ_FEATURES_MISSING = 9, /* no features were given */
    SGQ_FEATURE_NOT_FINITE = 10, /* one of them is infinite, or no number */
    SGQ_WEIGHTS_MISSING = 11,  /* no weights of edges were given, which the model reads */
    SGQ_WEIGHT_NOT_FINITE = 12, /* one of them, or a sum of them, is infinite, or no number */
    SGQ_WEIGHT_UNFIT = 13      /* one is not 1 from a node to itself, or below 0 where none may be */
};

/* Bytes of the arena: for all nodes, and for some of them. Of a model that is given a graph: for
 * the largest one that it was made for, of SGQ_NUM_NODES nodes and SGQ_NUM_EDGES edges. */
#define SGQ_ARENA_BYTES                                                              \
    (SGQ_ARENA_SUMS * sizeof(sgq_sum) + SGQ_ARENA_LANES * sizeof(uint32_t) +       \
     SGQ_ARENA_REALS * sizeof(sgq_real) + SGQ_ARENA_GRAPH + SGQ_ARENA_CODES)
#define SGQ_NODES_ARENA_BYTES \
    (SGQ_ARENA_BYTES + (size_t)SGQ_NUM_PASSES * ((SGQ_NUM_NODES + 7U) / 8U))

/* Called with each node that is predicted, or with 0 for a whole graph, and its SGQ_NUM_OUTPUTS
 * outputs (logits of a classifier), which are gone when it returns. A result other than 0 ends the
 * prediction, which then returns it: take positive numbers from 100 on to tell them from those
 * above. */
typedef int (*sgq_take)(void *context, uint32_t node, const sgq_real *outputs);

#if SGQ_GIVEN_GRAPH
/* A graph, in memory of the caller that is only read.
 *
 * num_nodes, num_edges: at least one node; edges may be none.
 * sources, targets: the two nodes of each edge, in any order of edges. An edge that is listed again
 *     and one from a node to itself change nothing.
 * features: SGQ_NUM_FEATURES finite numbers of each node, node by node.
 * weights: of a model that reads weights of edges, a finite number of each edge. Those of an edge
 *     that is listed again are added up, and that of an edge from a node to itself is 1. None is
 *     below 0 where SGQ_WEIGHTS_FROM_ZERO is 1. */
typedef struct {
    uint32_t num_nodes;
    uint32_t num_edges;
    const uint32_t *sources;
    const uint32_t *targets;
    const float *features;
#if SGQ_GIVEN_WEIGHTS
    const float *weights;
#endif
} sgq_graph;

/* Predict a graph: all its nodes, each once, in the order of their degree buckets; or the whole.
 *
 * arena: memory for what is made on the way; its contents before do not matter.
 * arena_bytes: its size. SGQ_ARENA_BYTES are enough for the largest graph that the model was made
 *     for; for a graph that needs more, SGQ_ARENA_TOO_SMALL is returned, and with a larger arena
 *     it is predicted.
 * take, context: what is called with each result, and what it is given first. */
int sgq_predict_graph(void *arena, size_t arena_bytes, const sgq_graph *graph, sgq_take take,
                      void *context);
#elif SGQ_GIVEN_FEATURES
/* Predict all nodes of the model's graph, or the whole, from other features.
 *
 * arena, arena_bytes, take, context: as below; arena_bytes is at least SGQ_ARENA_BYTES.
 * features: SGQ_NUM_FEATURES finite numbers of each of the SGQ_NUM_NODES nodes, node by node. */
int sgq_predict_features(void *arena, size_t arena_bytes, const float *features, sgq_take take,
                         void *context);
#else
/* Predict all nodes, each once, in the order of their degree buckets; or the whole graph.
 *
 * arena: memory for what is made on the way; its contents before do not matter.
 * arena_bytes: its size, at least SGQ_ARENA_BYTES.
 * take, context: what is called with each result, and what it is given first. */
int sgq_predict(void *arena, size_t arena_bytes, sgq_take take, void *context);

#if !SGQ_PREDICTS_GRAPHS
/* Predict some nodes: only what they depend on is computed.
 *
 * arena_bytes: at least SGQ_NODES_ARENA_BYTES.
 * nodes, count: their numbers, each below SGQ_NUM_NODES. Results come in the order of the degree
 *     buckets, not in this one, and a node that is named twice comes once. */
int sgq_predict_nodes(void *arena, size_t arena_bytes, const uint32_t *nodes, uint32_t count,
                      sgq_take take, void *context);
#endif
#endif

/* Which output is the largest: the class of a classifier. The first of equal ones. */
uint32_t sgq_largest(const sgq_real *outputs);

#endif
