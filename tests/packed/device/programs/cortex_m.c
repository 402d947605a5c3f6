/* Predicts all nodes, or a graph of given_graph.h, on an emulated Cortex-M, whose debugger's console gets a line for each: the
 * node and the bits of its outputs. Then how much stack was used, and ticks of the clock. */
#include <string.h>

#include "sgq_runtime.h"

#if SGQ_GIVEN_GRAPH
#include "given_graph.h"
#endif

#define CONSOLE_WRITE 4U
#define EXIT 24U
#define EXIT_OK 0x20026U
#define UNUSED_STACK 0xA5A5A5A5U
#define TICK_CONTROL (*(volatile uint32_t *)0xE000E010U)
#define TICK_RELOAD (*(volatile uint32_t *)0xE000E014U)
#define TICK_VALUE (*(volatile uint32_t *)0xE000E018U)
#define COPROCESSORS (*(volatile uint32_t *)0xE000ED88U)
#define MOST_TICKS 0xFFFFFFU

extern uint32_t end_of_bss;
extern uint32_t top_of_ram;
void reset(void);

#if SGQ_GIVEN_GRAPH || SGQ_PREDICTS_GRAPHS
static uint64_t arena[(SGQ_ARENA_BYTES + 7U) / 8U];
#else
static uint64_t arena[(SGQ_NODES_ARENA_BYTES + 7U) / 8U];
#endif
static uint32_t turns;

static void ask_host(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static char *put_hex(char *out, uint32_t value)
{
    int k;

    for (k = 28; k >= 0; k -= 4) {
        *out++ = "0123456789abcdef"[value >> k & 15U];
    }
    *out++ = ' ';
    return out;
}

static void say(const char *what, uint32_t value)
{
    char line[32];
    char *out = line + strlen(what);

    memcpy(line, what, strlen(what));
    out = put_hex(out, value);
    *out++ = '\n';
    *out = '\0';
    ask_host(CONSOLE_WRITE, line);
}

static int show(void *context, uint32_t node, const sgq_real *outputs)
{
    static char line[16 + 9 * SGQ_NUM_OUTPUTS];
    char *out = put_hex(line, node);
    uint32_t k;

    (void)context;
    for (k = 0; k < SGQ_NUM_OUTPUTS; k++) {
        uint32_t bits;

        memcpy(&bits, &outputs[k], sizeof bits);
        out = put_hex(out, bits);
    }
    *out++ = '\n';
    *out = '\0';
    ask_host(CONSOLE_WRITE, line);
    return 0;
}

static int ignore(void *context, uint32_t node, const sgq_real *outputs)
{
    (void)context;
    (void)node;
    (void)outputs;
    return 0;
}

static void tick(void)
{
    turns++;
}

/* All nodes, or the graph. */
static int predict_all(sgq_take take)
{
#if SGQ_GIVEN_GRAPH
    return sgq_predict_graph(arena, SGQ_ARENA_BYTES, &given_graph, take, NULL);
#else
    return sgq_predict(arena, SGQ_ARENA_BYTES, take, NULL);
#endif
}

/* Node 0, where some nodes can be predicted. */
static int predict_one(sgq_take take)
{
#if SGQ_GIVEN_GRAPH || SGQ_PREDICTS_GRAPHS
    (void)take;
    return SGQ_OK;
#else
    const uint32_t node = 0U;

    return sgq_predict_nodes(arena, SGQ_NODES_ARENA_BYTES, &node, 1U, take, NULL);
#endif
}

/* Ticks that a prediction takes. */
static uint32_t ticks_of(int all)
{
    uint32_t left;

    turns = 0U;
    TICK_RELOAD = MOST_TICKS;
    TICK_VALUE = 0U;
    TICK_CONTROL = 7U;
    (void)(all ? predict_all(ignore) : predict_one(ignore));
    left = TICK_VALUE;
    TICK_CONTROL = 0U;
    return turns * (MOST_TICKS + 1U) + (MOST_TICKS - left);
}

static void run(void)
{
    const uint32_t *lowest = &end_of_bss;
    const int fault = predict_all(show);

    while (*lowest == UNUSED_STACK) {
        lowest++;
    }
    say("stack ", (uint32_t)((const char *)&top_of_ram - (const char *)lowest));
    say("arena ", (uint32_t)SGQ_ARENA_BYTES);
    say("ticks_all ", ticks_of(1));
    say("ticks_one ", ticks_of(0));
    say("fault ", (uint32_t)fault);
    ask_host(EXIT, (const void *)EXIT_OK);
}

void reset(void)
{
    uint32_t *unused = &end_of_bss;
    uint32_t *stop = (uint32_t *)__builtin_frame_address(0) - 16;

    while (unused < stop) {
        *unused++ = UNUSED_STACK;
    }
#if defined(__ARM_FP)
    COPROCESSORS |= 0xFU << 20;
    __asm__ volatile("dsb\n\tisb");
#endif
    run();
    for (;;) {
    }
}

static void stay(void)
{
    say("crash ", 1U);
    ask_host(EXIT, (const void *)EXIT_OK);
}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))&top_of_ram, reset, stay, stay, stay, stay, stay, stay,
    stay, stay, stay, stay, stay, stay, stay, tick};
