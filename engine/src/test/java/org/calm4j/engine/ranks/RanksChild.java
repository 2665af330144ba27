package org.calm4j.engine.ranks;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/** What {@link RanksTest} starts on some ranks: every rank checks what it gets, rank 0 says what it saw. */
final class RanksChild {
    private static final int ELEMENTS = 900_001;

    private RanksChild() {}

    /** @param arguments what to do */
    public static void main(String[] arguments) throws Exception {
        Ranks ranks;
        try {
            ranks = Ranks.here();
        } catch (CalmException e) {
            System.err.println("calm: " + e.getMessage());
            System.exit(1);
            return;
        }
        try {
            switch (arguments[0]) {
                case "all" -> all(ranks);
                case "agree" -> ranks.agree(Map.of("batch_size", ranks.rank() == 1 ? "16" : "8", "seed", "0"));
                case "hang" -> hang(ranks);
                case "nulls" -> nulls(ranks);
                default -> throw new IllegalArgumentException(arguments[0]);
            }
        } catch (CalmException e) {
            if (!ranks.isFirst()) {
                Thread.sleep(2000);
            }
            System.err.println("calm: " + e.getMessage());
            ranks.abort(e.kind().exitCode());
        }
        ranks.close();
        System.exit(0);
    }

    private static void hang(Ranks ranks) throws InterruptedException {
        if (ranks.rank() == 1) {
            Thread.sleep(60_000);
        }
        ranks.sum(new double[1]);
    }

    /** Often enough that it is compiled before the first null comes. */
    private static void nulls(Ranks ranks) {
        long sum = 0;
        int caught = 0;
        for (int i = 0; i < 200_000; i++) {
            try {
                sum += length(i < 199_000 ? new int[i % 3] : null);
            } catch (NullPointerException e) {
                caught++;
            }
        }
        check(caught == 1000 && sum > 0, "each null is caught");
        if (ranks.isFirst()) {
            System.out.println("nulls");
        }
    }

    private static int length(int[] array) {
        return array.length;
    }

    private static void all(Ranks ranks) {
        int rank = ranks.rank();
        int size = ranks.size();
        ranks.agree(Map.of("seed", "0"));
        check(ranks.localRank() == rank && ranks.localSize() == size, "all are on this machine");

        double[] values = new double[size + 1];
        values[rank] = 0.1 + rank;
        values[size] = 1;
        ranks.sum(values);
        for (int r = 0; r < size; r++) {
            check(values[r] == 0.1 + r, "a sum over zeros is exact");
        }
        check(values[size] == size, "sum");

        byte[] told = "from rank 0: \u00e4".getBytes(StandardCharsets.UTF_8);
        check(Arrays.equals(told, ranks.broadcast(rank == 0 ? told : null)), "broadcast of bytes");
        check(ranks.broadcast(rank == 0 ? new byte[0] : null).length == 0, "broadcast of nothing");

        List<String> said = ranks.gather("\u00e4".repeat(rank));
        check(said.size() == size && said.getFirst().isEmpty() && said.get(2).equals("\u00e4\u00e4"), "what each says");

        try (HostBuffer buffer = new HostBuffer(8L * ELEMENTS)) {
            Tensor give = new Tensor("give", buffer, 0, DType.F32, ELEMENTS);
            Tensor take = new Tensor("take", buffer, 4L * ELEMENTS, DType.F32, ELEMENTS);
            for (int peer = size - 1; peer >= 0; peer--) {
                // All pairs of a round-robin: each rank has at most one peer at a time.
                int other = (peer - rank + size) % size;
                if (other != rank) {
                    fill(give, rank);
                    ranks.wire().exchange(give, take, other);
                    checkFilled(take, other);
                }
            }
            fill(take, rank);
            ranks.sumInAnyOrder(take);
            check(take.get(7) == size * (size - 1) / 2 + 7 * size, "a sum of floats");
        }

        if (rank == 0) {
            int sum = 0;
            for (int r = 1; r < size; r++) {
                Ranks.Message message = ranks.receive();
                check(message.bytes().length == message.from(), "each rank sent as many bytes as its number");
                sum += message.from();
                ranks.send(message.from(), new byte[3_000_000]);
            }
            check(sum == size * (size - 1) / 2, "a message of each");
        } else {
            ranks.send(0, new byte[rank]);
            check(ranks.receive().bytes().length == 3_000_000, "the answer");
        }
        ranks.waitForAll();
        if (rank == 0) {
            System.out.println("all of " + size);
        }
    }

    private static void fill(Tensor tensor, int number) {
        for (int i = 0; i < ELEMENTS; i++) {
            tensor.set(i, number + i);
        }
    }

    private static void checkFilled(Tensor tensor, int number) {
        for (int i = 0; i < ELEMENTS; i++) {
            check(tensor.get(i) == number + i, tensor + " at " + i + " is of " + number);
        }
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw CalmException.failed("does not hold: " + what, null);
        }
    }
}
