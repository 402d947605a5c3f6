/* A packed model (sgq-auto) in a web page: what JavaScript calls, and where it finds inputs and
 * results. Everything lies in static memory, of the sizes that the model was made for. */
#include "sgq_runtime.h"

#include <math.h>

#define CALLED(name) __attribute__((export_name(#name)))

#if SGQ_GIVEN_FEATURES || SGQ_GIVEN_GRAPH || SGQ_PREDICTS_GRAPHS
static uint64_t arena[(SGQ_ARENA_BYTES + 7U) / 8U];
#else
static uint64_t arena[(SGQ_NODES_ARENA_BYTES + 7U) / 8U];
#endif

#if SGQ_PREDICTS_GRAPHS
#define ROWS 1U
#else
#define ROWS SGQ_NUM_NODES
#endif

static sgq_real results[(size_t)ROWS * SGQ_NUM_OUTPUTS];

static int keep(void *context, uint32_t row, const sgq_real *outputs)
{
    uint32_t k;

    (void)context;
    for (k = 0U; k < SGQ_NUM_OUTPUTS; k++) {
        results[(size_t)row * SGQ_NUM_OUTPUTS + k] = outputs[k];
    }
    return 0;
}

CALLED(results) const sgq_real *page_results(void) { return results; }

#if SGQ_GIVEN_GRAPH || SGQ_GIVEN_FEATURES
static float features[(size_t)SGQ_NUM_NODES * SGQ_NUM_FEATURES];

CALLED(features) float *page_features(void) { return features; }
#endif

#if SGQ_GIVEN_GRAPH
static uint32_t sources[SGQ_NUM_EDGES + 1U], targets[SGQ_NUM_EDGES + 1U];

CALLED(sources) uint32_t *page_sources(void) { return sources; }
CALLED(targets) uint32_t *page_targets(void) { return targets; }

#if SGQ_GIVEN_WEIGHTS
static float weights[SGQ_NUM_EDGES + 1U];

CALLED(weights) float *page_weights(void) { return weights; }
#endif

CALLED(predict) int page_predict(uint32_t num_nodes, uint32_t num_edges)
{
    sgq_graph graph;

    if (num_nodes > SGQ_NUM_NODES || num_edges > SGQ_NUM_EDGES) {
        return SGQ_GRAPH_TOO_LARGE;
    }
    graph.num_nodes = num_nodes;
    graph.num_edges = num_edges;
    graph.sources = sources;
    graph.targets = targets;
    graph.features = features;
#if SGQ_GIVEN_WEIGHTS
    graph.weights = weights;
#endif
    return sgq_predict_graph(arena, sizeof arena, &graph, keep, NULL);
}
#elif SGQ_GIVEN_FEATURES
CALLED(predict) int page_predict(void)
{
    return sgq_predict_features(arena, sizeof arena, features, keep, NULL);
}
#else
CALLED(predict) int page_predict(void) { return sgq_predict(arena, sizeof arena, keep, NULL); }

#if !SGQ_PREDICTS_GRAPHS
CALLED(predict_node) int page_predict_node(uint32_t node)
{
    return sgq_predict_nodes(arena, sizeof arena, &node, 1U, keep, NULL);
}
#endif
#endif

/* JavaScript has no error function. Its Taylor series loses less than 1e-9 below 4 in double, and
 * above, 1 is the nearest float. */
float erff(float x)
{
    const double square = (double)x * (double)x;
    double term = (double)x, sum = (double)x;
    int n;

    if (!(square < 16.0)) {
        return x < 0.0F ? -1.0F : x > 0.0F ? 1.0F : x;
    }
    for (n = 1; n < 100; n++) {
        term *= -square / n;
        sum += term / (2 * n + 1);
    }
    return (float)(1.1283791670955126 * sum);
}
