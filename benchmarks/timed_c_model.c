/* Predicts all nodes, or node 0 where there is an argument, twice, and prints seconds of the processor
 * that the second time took; with the argument "logits", prints the logits of all nodes instead. */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sgq_runtime.h"

static uint64_t arena[(SGQ_NODES_ARENA_BYTES + 7U) / 8U];
static uint32_t counts[SGQ_NUM_OUTPUTS];

static int count(void *context, uint32_t node, const sgq_real *outputs)
{
    (void)context;
    (void)node;
    counts[sgq_largest(outputs)]++;
    return 0;
}

static int show(void *context, uint32_t node, const sgq_real *outputs)
{
    uint32_t k;

    (void)context;
    printf("%lu", (unsigned long)node);
    for (k = 0; k < SGQ_NUM_OUTPUTS; k++) {
        printf(" %.9g", (double)outputs[k]);
    }
    printf("\n");
    return 0;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    const uint32_t node = 0U;
    double start = 0.0;
    int turn;

    if (argc > 1 && strcmp(argv[1], "logits") == 0) {
        return sgq_predict(arena, sizeof arena, show, NULL);
    }
    for (turn = 0; turn < 2; turn++) {
        start = seconds();
        if (argc > 1) {
            (void)sgq_predict_nodes(arena, sizeof arena, &node, 1U, count, NULL);
        } else {
            (void)sgq_predict(arena, sizeof arena, count, NULL);
        }
    }
    printf("%.9f\n", seconds() - start);
    return 0;
}
