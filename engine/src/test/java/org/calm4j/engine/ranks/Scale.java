package org.calm4j.engine.ranks;

import java.util.Arrays;
import java.util.Locale;
import java.util.PriorityQueue;
import java.util.Random;

/**
 * Many ranks on paper: the tree of a training step and the hand-out of sampling, played through event by event with stragglers, slow links and
 * failures. It knows the times of its parts from data sheets, and nothing was measured on such machines.
 */
final class Scale {
    /** H100: 989 TFLOP/s in BF16, of which 40 % are reached. */
    private static final double FLOPS = 0.4 * 989e12;

    private static final int GPUS_OF_A_NODE = 8;
    /** Of 450 and 50 GB/s a direction, so much arrives. */
    private static final double NVLINK = 0.80 * 450e9;

    private static final double INFINIBAND = 0.85 * 50e9;
    private static final double NEAR_LATENCY = 20e-6;
    private static final double FAR_LATENCY = 40e-6;
    private static final double MEMORY = 3.35e12;
    private static final double WEIGHTS = 8.03e9;
    /** Weights of adapters on all projections of Llama 8B, for each rank of LoRA. */
    private static final double LORA_WEIGHTS = 2.62e6;

    private Scale() {}

    /**
     * A training step as the tree sees it.
     *
     * @param seconds that each rank computes, on average
     * @param sigma of these times, as a share
     * @param down bytes of the gradients, which are summed
     * @param up bytes of what comes back
     * @param update seconds after the sum on each rank
     * @param slow factor on the time of one node's links to others
     */
    record Step(double seconds, double sigma, double down, double up, double update, double slow) {
        /** DPO of the 8B model with adapters: forward, again in the backward pass, and gradients of activations. */
        static Step lora(int rank, int tokens, double sigma) {
            double bytes = 4 * rank * LORA_WEIGHTS;
            return new Step(6 * WEIGHTS * tokens / FLOPS, sigma, bytes, bytes, 0, 1);
        }

        /** DPO of all weights; with {@code zero} a rank updates its share, and weights come back in BF16. */
        static Step full(int tokens, int ranks, boolean zero, double sigma) {
            double share = zero ? 1.0 / ranks : 1;
            return new Step(
                    8 * WEIGHTS * tokens / FLOPS,
                    sigma,
                    4 * WEIGHTS,
                    (zero ? 2 : 4) * WEIGHTS,
                    28 * WEIGHTS * share / MEMORY,
                    1);
        }

        Step withSlowNode(double factor) {
            return new Step(seconds, sigma, down, up, update, factor);
        }
    }

    /** The time of computing by the time of the whole step, a mean over steps: weak efficiency. */
    static double efficiency(Step step, int ranks, int steps, long seed) {
        Random random = new Random(seed);
        double all = 0;
        for (int s = 0; s < steps; s++) {
            double[] ready = new double[ranks];
            Arrays.setAll(ready, r -> step.seconds * (1 + step.sigma * random.nextGaussian()));
            double bytes = step.down;
            for (int distance = 1; distance < ranks; distance *= 2) {
                bytes /= 2;
                meet(step, ready, distance, bytes, 3 * bytes / MEMORY);
            }
            for (int r = 0; r < ranks; r++) {
                ready[r] += step.update;
            }
            bytes = step.up / ranks;
            for (int distance = ranks / 2; distance > 0; distance /= 2) {
                meet(step, ready, distance, bytes, 0);
                bytes *= 2;
            }
            all += Arrays.stream(ready).max().orElseThrow();
        }
        return step.seconds * steps / all;
    }

    /** A round: pairs of ranks wait for each other, and pass as many bytes both ways. */
    private static void meet(Step step, double[] ready, int distance, double bytes, double after) {
        boolean near = distance < GPUS_OF_A_NODE;
        for (int r = 0; r < ready.length; r++) {
            int peer = r ^ distance;
            if (r < peer) {
                boolean slow = !near && (r < GPUS_OF_A_NODE || peer < GPUS_OF_A_NODE);
                double passing = near
                        ? NEAR_LATENCY + bytes / NVLINK
                        : FAR_LATENCY + bytes / INFINIBAND * (slow ? step.slow : 1);
                ready[r] = Math.max(ready[r], ready[peer]) + passing + after;
                ready[peer] = ready[r];
            }
        }
    }

    /**
     * Sampling in parts.
     *
     * @param parts of equal size
     * @param seconds a part, on average
     * @param sigma of these times, as a share
     * @param slowest speed of one rank, as a share of the others'
     * @param service seconds in which rank 0 takes a part and hands out the next
     * @param failures after which all begin again with what is missing
     * @param restart seconds until they do
     */
    record Parts(
            int parts, double seconds, double sigma, double slowest, double service, int failures, double restart) {}

    /** The time that the ranks would need if nobody waited, by the time that they need. */
    static double efficiency(Parts work, int ranks, boolean handedOut, long seed) {
        Random random = new Random(seed);
        double[] times = new double[work.parts];
        Arrays.setAll(times, p -> work.seconds * Math.max(0.1, 1 + work.sigma * random.nextGaussian()));
        double speed = ranks - 1 + work.slowest;
        double ideal = Arrays.stream(times).sum() / speed;
        return ideal / (handedOut ? handOut(work, ranks, times) : shares(work, ranks, times));
    }

    /** Each rank has its share from the start. */
    private static double shares(Parts work, int ranks, double... times) {
        double[] own = new double[ranks];
        for (int p = 0; p < times.length; p++) {
            int r = (int) ((long) p * ranks / times.length);
            own[r] += times[p] / (r == ranks - 1 ? work.slowest : 1);
        }
        return Arrays.stream(own).max().orElseThrow();
    }

    private static double handOut(Parts work, int ranks, double... times) {
        double now = 0;
        int next = 0;
        for (int attempt = 0; attempt <= work.failures; attempt++) {
            // All end with the first that fails: what is under way is lost.
            int until = (int) ((long) times.length * (attempt + 1) / (work.failures + 1));
            PriorityQueue<double[]> free = new PriorityQueue<>((a, b) -> Double.compare(a[0], b[0]));
            for (int r = 0; r < ranks; r++) {
                free.add(new double[] {now, r});
            }
            double server = now;
            double end = now;
            while (next < until) {
                double[] rank = free.remove();
                server = Math.max(server, rank[0]) + work.service;
                double done = server + times[next++] / (rank[1] == ranks - 1 ? work.slowest : 1);
                end = Math.max(end, done);
                free.add(new double[] {done, rank[1]});
            }
            boolean last = attempt == work.failures;
            if (!last) {
                end = free.peek()[0];
                next = Math.max(0, next - (ranks - 1));
            }
            now = end + (last ? 0 : work.restart);
        }
        return now;
    }

    /** What docs/cluster.md shows. */
    static String table() {
        int[] sizes = {8, 64, 256, 1024};
        StringBuilder table = new StringBuilder();
        table.append(
                "| 8B model, share of the time that computes | 8 GPUs | 64 | 256 | 1024 |\n|---|---|---|---|---|\n");
        row(table, "LoRA-DPO, rank 16, 8k tokens a GPU", sizes, r -> step(Step.lora(16, 8192, 0.02), r));
        row(table, "… without stragglers", sizes, r -> step(Step.lora(16, 8192, 0), r));
        row(table, "… rank 64", sizes, r -> step(Step.lora(64, 8192, 0.02), r));
        row(
                table,
                "… one node's links ten times as slow",
                sizes,
                r -> step(Step.lora(64, 8192, 0.02).withSlowNode(10), r));
        row(table, "full DPO with ZeRO-1, 32k tokens a GPU", sizes, r -> step(Step.full(32768, r, true, 0.005), r));
        row(
                table,
                "… everything on every GPU instead (145 GB)",
                sizes,
                r -> step(Step.full(32768, r, false, 0.005), r));
        row(table, "full DPO with ZeRO-1, 8k tokens a GPU", sizes, r -> step(Step.full(8192, r, true, 0.005), r));
        Parts million = new Parts(15_625, 1, 0.1, 0.7, 0.0005, 0, 0);
        row(
                table,
                "a million responses in parts of 64, one GPU at 70 % speed",
                sizes,
                r -> efficiency(million, r, true, 1));
        row(table, "… in equal shares instead", sizes, r -> efficiency(million, r, false, 1));
        Parts failing = new Parts(15_625, 1, 0.1, 0.7, 0.0005, 3, 0);
        row(table, "… three failures, without the time to start again", sizes, r -> efficiency(failing, r, true, 1));
        return table.toString();
    }

    private static double step(Step step, int ranks) {
        return efficiency(step, ranks, 200, 1);
    }

    private interface OfRanks {
        double of(int ranks);
    }

    private static void row(StringBuilder table, String name, int[] sizes, OfRanks share) {
        table.append("| ").append(name);
        for (int size : sizes) {
            table.append(String.format(Locale.ROOT, " | %.1f %%", 100 * share.of(size)));
        }
        table.append(" |\n");
    }
}
