#!/usr/bin/env python3
"""Decoding with llama2.c's run.c, F32: the peer of `calm bench decode --model llama-110m`.

Usage: benchmarks/peers/run_c.py CHECKOUT [threads] [tokens], with a checkout of github.com/karpathy/llama2.c. Prints tokens a second.
Compiled as its Makefile's `runomp` is; the weights are random, of the shape of stories110M.
"""
import os
import struct
import subprocess
import sys
import tempfile

import numpy

if len(sys.argv) < 2:
    sys.exit(__doc__)
checkout = os.path.abspath(sys.argv[1])
threads = sys.argv[2] if len(sys.argv) > 2 else "1"
tokens = sys.argv[3] if len(sys.argv) > 3 else "256"
DIM, HIDDEN, LAYERS, HEADS, VOCABULARY, LENGTH = 768, 2048, 12, 12, 32000, 1024

with tempfile.TemporaryDirectory() as folder:
    program = os.path.join(folder, "run")
    subprocess.run(["gcc", "-Ofast", "-fopenmp", "-march=native", "-w", os.path.join(checkout, "run.c"), "-lm", "-o", program], check=True)
    model = os.path.join(folder, "model.bin")
    with open(model, "wb") as out:
        out.write(struct.pack("7i", DIM, HIDDEN, LAYERS, HEADS, HEADS, VOCABULARY, LENGTH))
        count = VOCABULARY * DIM + LAYERS * (4 * DIM * DIM + 3 * DIM * HIDDEN + 2 * DIM) + DIM + LENGTH * DIM // HEADS
        random = numpy.random.default_rng(1)
        for first in range(0, count, 1 << 22):
            random.standard_normal(min(1 << 22, count - first), dtype=numpy.float32).__imul__(0.02).tofile(out)
    # run.c ends a text at the token 1, which random weights hardly draw; it counts from the second token on.
    done = subprocess.run([program, model, "-z", os.path.join(checkout, "tokenizer.bin"), "-n", tokens, "-t", "1", "-s", "1"], check=True,
                          capture_output=True, env={**os.environ, "OMP_NUM_THREADS": threads})
    print("run.c threads=" + threads, done.stderr.decode(errors="replace").strip().splitlines()[-1])
