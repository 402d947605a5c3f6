/* Predicts with a graph, or with features, that a file has, and writes "node logit logit ..." lines;
 * then how far the arena was written, found by two fillings. Each array of the graph is memory of
 * its own, so that a sanitizer sees what is read beside it.
 *
 * The file: nodes, edges (uint32), sources, targets (uint32), features (fp32), and, where the model
 * reads them, weights of edges (fp32). The second argument is the size of the arena; without it, it is SGQ_ARENA_BYTES. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

static void *numbers(FILE *file, size_t count)
{
    void *read = malloc(4 * count + 1);

    if (read == NULL || fread(read, 4, count, file) != count) {
        exit(99);
    }
    return read;
}

int main(int argc, char **argv)
{
    const size_t size = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : SGQ_ARENA_BYTES;
    FILE *file = fopen(argv[1], "rb");
    uint32_t *counts = numbers(file, 2);
    uint32_t *sources = numbers(file, counts[1]);
    uint32_t *targets = numbers(file, counts[1]);
    float *features = numbers(file, (size_t)counts[0] * SGQ_NUM_FEATURES);
#if SGQ_GIVEN_WEIGHTS
    float *weights = numbers(file, counts[1]);
#endif
    unsigned char *arena = malloc(size);
    size_t mark = 0;
    size_t k;
    int filling;
    int fault = 0;

    fclose(file);
    for (filling = 0; filling < 2 && fault == 0; filling++) {
        void *context = filling == 0 ? NULL : arena;
#if SGQ_GIVEN_GRAPH
        sgq_graph graph;

        graph.num_nodes = counts[0];
        graph.num_edges = counts[1];
        graph.sources = sources;
        graph.targets = targets;
        graph.features = features;
#if SGQ_GIVEN_WEIGHTS
        graph.weights = weights;
#endif
        memset(arena, filling == 0 ? 0x5A : 0xA5, size);
        fault = sgq_predict_graph(arena, size, &graph, show, context);
#else
        memset(arena, filling == 0 ? 0x5A : 0xA5, size);
        fault = sgq_predict_features(arena, size, features, show, context);
#endif
        for (k = mark; k < size; k++) {
            if (arena[k] != (filling == 0 ? 0x5A : 0xA5)) {
                mark = k + 1;
            }
        }
    }
    free(arena);
    free(counts);
    free(sources);
    free(targets);
    free(features);
#if SGQ_GIVEN_WEIGHTS
    free(weights);
#endif
    printf("mark %lu\n", (unsigned long)mark);
    return fault;
}
