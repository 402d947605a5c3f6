/* Calls with arguments that must be refused: ends with the number of the first that was not. */
#include "count_calls.h"

static int stop(void *context, uint32_t node, const sgq_real *outputs)
{
    (void)context;
    (void)node;
    (void)outputs;
    calls++;
    return 123;
}

int main(void)
{
    static uint64_t room[(SGQ_NODES_ARENA_BYTES + 15U) / 8U];
    unsigned char *bytes = (unsigned char *)room;
    const uint32_t known[2] = {0U, SGQ_NUM_NODES - 1U};
    const uint32_t unknown[2] = {0U, SGQ_NUM_NODES};
    const uint32_t largest[1] = {0xFFFFFFFFU};

    if (sgq_predict(NULL, SGQ_ARENA_BYTES, count_calls, NULL) != SGQ_ARENA_MISSING) {
        return 1;
    }
    if (sgq_predict(room, SGQ_ARENA_BYTES - 1U, count_calls, NULL) != SGQ_ARENA_TOO_SMALL) {
        return 2;
    }
    if (sgq_predict(bytes + 1, SGQ_ARENA_BYTES, count_calls, NULL) != SGQ_ARENA_MISALIGNED) {
        return 3;
    }
    if (sgq_predict(room, SGQ_ARENA_BYTES, NULL, NULL) != SGQ_TAKE_MISSING) {
        return 4;
    }
    if (sgq_predict_nodes(room, SGQ_NODES_ARENA_BYTES - 1U, known, 2U, count_calls, NULL) !=
        SGQ_ARENA_TOO_SMALL) {
        return 5;
    }
    if (sgq_predict_nodes(room, SGQ_NODES_ARENA_BYTES, NULL, 2U, count_calls, NULL) !=
        SGQ_NODES_MISSING) {
        return 6;
    }
    if (sgq_predict_nodes(room, SGQ_NODES_ARENA_BYTES, unknown, 2U, count_calls, NULL) !=
        SGQ_NODE_UNKNOWN) {
        return 7;
    }
    if (sgq_predict_nodes(room, SGQ_NODES_ARENA_BYTES, largest, 1U, count_calls, NULL) !=
        SGQ_NODE_UNKNOWN) {
        return 8;
    }
    if (calls != 0) {
        return 9;
    }
    if (sgq_predict_nodes(room, SGQ_NODES_ARENA_BYTES, NULL, 0U, count_calls, NULL) != SGQ_OK ||
        calls != 0) {
        return 10;
    }
    if (sgq_predict(room, SGQ_ARENA_BYTES, stop, NULL) != 123 || calls != 1) {
        return 11;
    }
    return 0;
}
