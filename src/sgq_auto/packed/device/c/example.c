/* Example of a program with a packed model (sgq-auto): the classes of all nodes, or of those that
 * the command line names. On a microcontroller, give results to something else than printf. */
#include <stdio.h>
#include <stdlib.h>

#include "sgq_runtime.h"

#define MOST_NODES 64

/* The arena as an array of the largest type in it, so that it is aligned. */
static uint64_t arena[(SGQ_NODES_ARENA_BYTES + 7U) / 8U];

static const char *const class_names[SGQ_NUM_OUTPUTS] = SGQ_CLASS_NAMES;

static int show(void *context, uint32_t node, const sgq_real *outputs)
{
    (void)context;
    printf("%lu,%s\n", (unsigned long)node, class_names[sgq_largest(outputs)]);
    return 0;
}

int main(int argc, char **argv)
{
    uint32_t nodes[MOST_NODES];
    uint32_t count = 0U;
    int fault;

    while ((int)count + 1 < argc && count < MOST_NODES) {
        nodes[count] = (uint32_t)strtoul(argv[count + 1U], NULL, 10);
        count++;
    }
    if (count == 0U) {
        fault = sgq_predict(arena, sizeof arena, show, NULL);
    } else {
        fault = sgq_predict_nodes(arena, sizeof arena, nodes, count, show, NULL);
    }
    if (fault != SGQ_OK) {
        fprintf(stderr, "error %d: sgq_runtime.h says what it means\n", fault);
    }
    return fault;
}
