/* Predicts all nodes, or those of the command line, and writes "node logit logit ..." lines; then
 * how far the arena was written, found by two fillings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

static int predict(void *arena, int count, char **nodes, void *context)
{
#if SGQ_PREDICTS_GRAPHS
    (void)count;
    (void)nodes;
    return sgq_predict(arena, SGQ_ARENA_BYTES, show, context);
#else
    uint32_t wanted[64];
    int k;

    if (count == 0) {
        return sgq_predict(arena, SGQ_ARENA_BYTES, show, context);
    }
    for (k = 0; k < count && k < 64; k++) {
        wanted[k] = (uint32_t)strtoul(nodes[k], NULL, 10);
    }
    return sgq_predict_nodes(arena, SGQ_NODES_ARENA_BYTES, wanted, (uint32_t)count, show, context);
#endif
}

int main(int argc, char **argv)
{
    const size_t size = argc > 1 ? SGQ_NODES_ARENA_BYTES : SGQ_ARENA_BYTES;
    const size_t room = size + 64;
    unsigned char *arena = malloc(room);
    size_t mark = 0;
    size_t k;
    int filling;
    int fault = 0;

    for (filling = 0; filling < 2 && fault == 0; filling++) {
        const unsigned char pattern = filling == 0 ? 0x5A : 0xA5;

        memset(arena, pattern, room);
        fault = predict(arena, argc - 1, argv + 1, filling == 0 ? NULL : arena);
        for (k = mark; k < room; k++) {
            if (arena[k] != pattern) {
                mark = k + 1;
            }
        }
    }
    free(arena);
    printf("mark %lu\n", (unsigned long)mark);
    return fault;
}
