/* Writes a result as "node logit logit ...", unless a context is given. */
#include <stdio.h>

#include "sgq_runtime.h"

static int show(void *context, uint32_t node, const sgq_real *outputs)
{
    uint32_t k;

    if (context != NULL) {
        return 0;
    }
    printf("%lu", (unsigned long)node);
    for (k = 0; k < SGQ_NUM_OUTPUTS; k++) {
        printf(" %.17g", (double)outputs[k]);
    }
    printf("\n");
    return 0;
}
