package org.calm4j.calm.bench;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.HandOut;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.division.Collectives;

/**
 * The speed of what ranks do with each other, beside a copy in memory and, where it sums in the same memory, the MPI library's own sum. All ranks
 * run it.
 */
public final class RanksBench {
    private static final int ROUNDS = 5;
    private static final int SHORT_ROUNDS = 200;
    private static final int PARTS = 2000;
    private static final int PART_BYTES = 1024;

    /**
     * @param milliseconds the median of some
     * @param gigabytesPerSecond bytes of the tensor by that time; null where nothing is passed
     */
    public record Figure(
            String name,
            double milliseconds,
            @JsonProperty("gigabytes_per_second") Double gigabytesPerSecond) {}

    private final Ranks ranks;
    private final Backend backend;
    private final long bytes;
    private final Consumer<Figure> found;
    private final List<Figure> figures = new ArrayList<>();

    /**
     * @param backend whose memory is passed; a GPU's goes by its own links, where ranks have them
     * @param bytes of the tensor that is summed
     * @param found receives each figure
     */
    public RanksBench(Ranks ranks, Backend backend, long bytes, Consumer<Figure> found) {
        this.ranks = ranks;
        this.backend = backend;
        this.bytes = bytes;
        this.found = found;
    }

    /** Figures as rank 0 sees them. */
    public List<Figure> run() {
        try (Buffer memory = backend.allocate(2 * bytes);
                Collectives tree = new Collectives(ranks, backend, ranks.size())) {
            Tensor one = new Tensor("one", memory, 0, DType.F32, bytes / Float.BYTES);
            Tensor other = new Tensor("other", memory, bytes, DType.F32, bytes / Float.BYTES);
            measure(
                    "copy in memory",
                    ROUNDS,
                    bytes,
                    backend.onHost()
                            ? () -> MemorySegment.copy(one.segment(), 0, other.segment(), 0, bytes)
                            : () -> finished(() -> backend.copy(other, one), other));
            if (ranks.size() > 1 && backend.onHost()) {
                measure("all-reduce of the MPI library", ROUNDS, bytes, () -> ranks.sumInAnyOrder(one));
            }
            // Halving and doubling pair all ranks in each round.
            if (Integer.bitCount(ranks.size()) == 1 && ranks.size() > 1) {
                BitSet all = new BitSet();
                all.set(0, ranks.size());
                measure("tree: reduce-scatter", ROUNDS, bytes, () -> finished(() -> tree.reduceScatter(one, all), one));
                measure("tree: all-gather", ROUNDS, bytes, () -> finished(() -> tree.allGather(one), one));
            }
            measure("sum of one number", SHORT_ROUNDS, 0, () -> ranks.sum(new double[1]));
            measure("wait for all", SHORT_ROUNDS, 0, ranks::waitForAll);
            handOut();
        }
        return figures;
    }

    /** Waits for a device, which does what it is told later. */
    private void finished(Runnable work, Tensor result) {
        work.run();
        if (!backend.onHost()) {
            backend.read(new double[1], result, 1);
        }
    }

    private void measure(String name, int rounds, long passed, Runnable work) {
        List<Double> times = new ArrayList<>();
        for (int round = 0; round <= rounds; round++) {
            ranks.waitForAll();
            long start = System.nanoTime();
            work.run();
            if (round > 0) {
                times.add((System.nanoTime() - start) * 1e-6);
            }
        }
        Collections.sort(times);
        double median = times.get(rounds / 2);
        add(new Figure(name, median, passed == 0 ? null : passed * 1e-6 / median));
    }

    private void add(Figure figure) {
        figures.add(figure);
        if (ranks.isFirst()) {
            found.accept(figure);
        }
    }

    /** Parts that take no time to make, which shows what handing out costs. */
    private void handOut() {
        long start = System.nanoTime();
        HandOut.run(ranks, IntStream.range(0, PARTS).boxed().toList(), new HandOut.Work<byte[]>() {
            @Override
            public byte[] make(int part) {
                return new byte[PART_BYTES];
            }

            @Override
            public byte[] pack(byte[] made) {
                return made;
            }

            @Override
            public byte[] unpack(byte[] packed) {
                return packed;
            }

            @Override
            public void take(int part, byte[] made) {
                // Nobody wants it.
            }
        });
        add(new Figure("hand-out of an empty part", (System.nanoTime() - start) * 1e-6 / PARTS, null));
    }
}
