/* What the runtime (sgq-auto) takes of the standard library: WebAssembly has both as
 * instructions. */
#ifndef SGQ_WASM_STRING_H
#define SGQ_WASM_STRING_H

#include <stddef.h>

#define memcpy __builtin_memcpy
#define memset __builtin_memset

#endif
