#!/usr/bin/env python3
"""One training step of GPT-2 124M (B=4, T=64, F32, AdamW) in llm.c: the peer of `calm bench train-step --model gpt2-124m`.

Usage: benchmarks/peers/llm_c.py CHECKOUT [threads] [steps], with a checkout of github.com/karpathy/llm.c. Prints milliseconds a step.
Compiled as its Makefile does; the weights and tokens are random, so no file is needed.
"""
import os
import subprocess
import sys
import tempfile

if len(sys.argv) < 2:
    sys.exit(__doc__)
checkout = os.path.abspath(sys.argv[1])
threads = sys.argv[2] if len(sys.argv) > 2 else "1"
steps = sys.argv[3] if len(sys.argv) > 3 else "8"

MAIN = r"""
#define TESTING
#include "train_gpt2.c"
static int faster(const void *a, const void *b) { return (*(double *) a > *(double *) b) - (*(double *) a < *(double *) b); }
int main(int argc, char **argv) {
    enum { B = 4, T = 64 };
    int steps = atoi(argv[1]), tokens[B * T + 1];
    double times[1000];
    GPT2 model = {0};
    model.config = (GPT2Config) {.max_seq_len = 1024, .vocab_size = 50257, .padded_vocab_size = 50304, .num_layers = 12, .num_heads = 12, .channels = 768};
    fill_in_parameter_sizes(model.param_sizes, model.config);
    for (int i = 0; i < NUM_PARAMETER_TENSORS; i++) { model.num_parameters += model.param_sizes[i]; }
    model.params_memory = malloc_and_point_parameters(&model.params, model.param_sizes);
    for (size_t i = 0; i < model.num_parameters; i++) { model.params_memory[i] = 0.04f * rand() / RAND_MAX - 0.02f; }
    model.mean_loss = -1;
    for (int step = 0; step < steps; step++) {
        struct timespec start, end;
        for (int i = 0; i <= B * T; i++) { tokens[i] = rand() % 50257; }
        clock_gettime(CLOCK_MONOTONIC, &start);
        gpt2_forward(&model, tokens, tokens + 1, B, T);
        gpt2_zero_grad(&model);
        gpt2_backward(&model);
        gpt2_update(&model, 1e-4f, 0.9f, 0.999f, 1e-8f, 0.0f, step + 1);
        clock_gettime(CLOCK_MONOTONIC, &end);
        times[step] = (end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) / 1e6;
    }
    // The first step takes the memory.
    qsort(times + 1, steps - 1, sizeof(double), faster);
    printf("llm.c threads=%s median %.0f ms, best %.0f ms\n", getenv("OMP_NUM_THREADS"), times[1 + (steps - 1) / 2], times[1]);
    return 0;
}
"""

with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "main.c"), "w") as out:
        out.write(MAIN)
    program = os.path.join(folder, "step")
    subprocess.run(["gcc", "-Ofast", "-march=native", "-fopenmp", "-DOMP", "-w", "-I", checkout, out.name, "-lm", "-o", program], check=True)
    subprocess.run([program, steps], check=True, env={**os.environ, "OMP_NUM_THREADS": threads})
