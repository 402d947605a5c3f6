/* Example of a program with a packed model (sgq-auto). On a microcontroller, give results to
 * something else than printf.
 *
 * Of a model with a graph and features: the classes of all nodes, or of those that the command
 * line names. Of one for other graphs: those of a path of three nodes whose features are 1; put
 * your own graph there. Of one with a graph and without features: with features that are 1. */
#include <stdio.h>
#include <stdlib.h>

#include "sgq_runtime.h"

#define MOST_NODES 64

/* The arena as an array of the largest type in it, so that it is aligned. */
#if SGQ_GIVEN_FEATURES || SGQ_PREDICTS_GRAPHS
static uint64_t arena[(SGQ_ARENA_BYTES + 7U) / 8U];
#else
static uint64_t arena[(SGQ_NODES_ARENA_BYTES + 7U) / 8U];
#endif

static const char *const class_names[SGQ_NUM_OUTPUTS] = SGQ_CLASS_NAMES;

static int show(void *context, uint32_t node, const sgq_real *outputs)
{
    (void)context;
    printf("%lu,%s\n", (unsigned long)node, class_names[sgq_largest(outputs)]);
    return 0;
}

#if SGQ_GIVEN_GRAPH
static int predict(int count, char **names)
{
    static const uint32_t sources[4] = {0U, 1U, 1U, 2U};
    static const uint32_t targets[4] = {1U, 0U, 2U, 1U};
    static float features[3U * SGQ_NUM_FEATURES];
#if SGQ_GIVEN_WEIGHTS
    static const float weights[4] = {1.0F, 1.0F, 1.0F, 1.0F};
#endif
    sgq_graph graph;
    size_t k;

    (void)count;
    (void)names;
    for (k = 0U; k < 3U * SGQ_NUM_FEATURES; k++) {
        features[k] = 1.0F;
    }
    graph.num_nodes = 3U;
    graph.num_edges = 4U;
    graph.sources = sources;
    graph.targets = targets;
    graph.features = features;
#if SGQ_GIVEN_WEIGHTS
    graph.weights = weights;
#endif
    return sgq_predict_graph(arena, sizeof arena, &graph, show, NULL);
}
#elif SGQ_GIVEN_FEATURES
static int predict(int count, char **names)
{
    static float features[(size_t)SGQ_NUM_NODES * SGQ_NUM_FEATURES];
    size_t k;

    (void)count;
    (void)names;
    for (k = 0U; k < (size_t)SGQ_NUM_NODES * SGQ_NUM_FEATURES; k++) {
        features[k] = 1.0F;
    }
    return sgq_predict_features(arena, sizeof arena, features, show, NULL);
}
#elif SGQ_PREDICTS_GRAPHS
static int predict(int count, char **names)
{
    (void)count;
    (void)names;
    return sgq_predict(arena, sizeof arena, show, NULL);
}
#else
/* The number of a node; one that no graph has for a word that is no number. */
static uint32_t node_of(const char *word)
{
    char *end;
    const unsigned long node = strtoul(word, &end, 10);
    const int is_number = word[0] >= '0' && word[0] <= '9' && *end == '\0';

    return is_number && node < UINT32_MAX ? (uint32_t)node : UINT32_MAX;
}

static int predict(int count, char **names)
{
    uint32_t nodes[MOST_NODES];
    int k;

    if (count == 0) {
        return sgq_predict(arena, sizeof arena, show, NULL);
    }
    if (count > MOST_NODES) {
        fprintf(stderr, "this example takes at most %d nodes\n", MOST_NODES);
        exit(EXIT_FAILURE);
    }
    for (k = 0; k < count; k++) {
        nodes[k] = node_of(names[k]);
    }
    return sgq_predict_nodes(arena, sizeof arena, nodes, (uint32_t)k, show, NULL);
}
#endif

int main(int argc, char **argv)
{
    const int fault = predict(argc - 1, argv + 1);

    if (fault != SGQ_OK) {
        fprintf(stderr, "error %d: sgq_runtime.h says what it means\n", fault);
    }
    return fault;
}
