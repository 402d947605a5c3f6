/* What the runtime (sgq-auto) takes of the standard library, for a web page: JavaScript has these
 * functions, but for the error function, which page.c has. */
#ifndef SGQ_WASM_MATH_H
#define SGQ_WASM_MATH_H

float erff(float x);
float expf(float x);
float expm1f(float x);
float log1pf(float x);
float sqrtf(float x);
float tanhf(float x);

#endif
