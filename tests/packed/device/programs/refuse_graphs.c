/* Graphs that must be refused: ends with the number of the first that was not. */
#include <math.h>

#include "count_calls.h"

/* What comes of a graph of two nodes. */
#define RESULTS (SGQ_PREDICTS_GRAPHS ? 1 : 2)

static uint64_t room[(SGQ_ARENA_BYTES + 15U) / 8U];
static float features[2U * SGQ_NUM_FEATURES];

static int answer(const sgq_graph *graph)
{
    return sgq_predict_graph(room, SGQ_ARENA_BYTES, graph, count_calls, NULL);
}

#if SGQ_GIVEN_WEIGHTS
static float weights[3] = {1.0F, 0.5F, 2.0F};

/* What is answered when the weight of an edge is another one. */
static int answer_with(const sgq_graph *graph, uint32_t edge, float weight)
{
    const float own = weights[edge];
    int code;

    weights[edge] = weight;
    code = answer(graph);
    weights[edge] = own;
    return code;
}

/* Weights that must be refused; 0 if all were. */
static int refuse_weights(const sgq_graph *good)
{
    static const uint32_t loops[3] = {1U, 0U, 1U};
    sgq_graph bad = *good;

    bad.weights = NULL;
    if (answer(&bad) != SGQ_WEIGHTS_MISSING) {
        return 20;
    }
    if (answer_with(good, 2U, NAN) != SGQ_WEIGHT_NOT_FINITE ||
        answer_with(good, 1U, INFINITY) != SGQ_WEIGHT_NOT_FINITE) {
        return 21;
    }
    bad = *good;
    bad.sources = loops; /* the first and the last edge lead from node 1 to itself */
    if (answer(&bad) != SGQ_WEIGHT_UNFIT) {
        return 22;
    }
    if (SGQ_WEIGHTS_FROM_ZERO && answer_with(good, 1U, -0.5F) != SGQ_WEIGHT_UNFIT) {
        return 23;
    }
    weights[0] = 3e38F;
    if (answer_with(good, 2U, 3e38F) != SGQ_WEIGHT_NOT_FINITE) {
        return 24;
    }
    weights[0] = 1.0F;
    return 0;
}
#endif

int main(void)
{
    const uint32_t sources[3] = {0U, 1U, 0U};
    const uint32_t unknown[3] = {0U, 1U, 2U};
    const uint32_t targets[3] = {1U, 0U, 1U};
    sgq_graph good;
    sgq_graph bad;

    good.num_nodes = 2U;
    good.num_edges = 3U;
    good.sources = sources;
    good.targets = targets;
    good.features = features;
#if SGQ_GIVEN_WEIGHTS
    good.weights = weights;
    if (refuse_weights(&good) != 0) {
        return refuse_weights(&good);
    }
#endif
    if (answer(NULL) != SGQ_GRAPH_MISSING) {
        return 1;
    }
    bad = good;
    bad.num_nodes = 0U;
    if (answer(&bad) != SGQ_GRAPH_MISSING) {
        return 2;
    }
    bad = good;
    bad.sources = NULL;
    if (answer(&bad) != SGQ_GRAPH_MISSING) {
        return 3;
    }
    bad = good;
    bad.targets = unknown;
    if (answer(&bad) != SGQ_NODE_UNKNOWN) {
        return 4;
    }
    bad = good;
    bad.features = NULL;
    if (answer(&bad) != SGQ_FEATURES_MISSING) {
        return 5;
    }
    features[SGQ_NUM_FEATURES] = INFINITY;
    if (answer(&good) != SGQ_FEATURE_NOT_FINITE) {
        return 6;
    }
    features[SGQ_NUM_FEATURES] = 0.0F;
    bad = good;
    bad.num_nodes = 0xFFFFFFFFU;
    if (answer(&bad) != SGQ_GRAPH_TOO_LARGE) {
        return 7;
    }
    bad = good;
    bad.num_edges = 0xFFFFFFFFU;
    if (answer(&bad) != SGQ_GRAPH_TOO_LARGE) {
        return 8;
    }
    if (sgq_predict_graph(NULL, SGQ_ARENA_BYTES, &good, count_calls, NULL) != SGQ_ARENA_MISSING ||
        sgq_predict_graph(room, 8U, &good, count_calls, NULL) != SGQ_ARENA_TOO_SMALL ||
        sgq_predict_graph(room, SGQ_ARENA_BYTES, &good, NULL, NULL) != SGQ_TAKE_MISSING) {
        return 9;
    }
    if (calls != 0) {
        return 10;
    }
    if (answer(&good) != SGQ_OK || calls != RESULTS) {
        return 11;
    }
    good.num_edges = 0U;
    good.sources = NULL;
    good.targets = NULL;
    if (answer(&good) != SGQ_OK || calls != 2 * RESULTS) {
        return 12;
    }
    return 0;
}
