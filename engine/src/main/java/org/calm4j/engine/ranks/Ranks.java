package org.calm4j.engine.ranks;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.Tensor;

/**
 * The processes that a launcher started together, as one of them sees them. All of them make the same calls in the same order, but for
 * {@link #send}, {@link #receive} and {@link #abort}. Calls come from any thread; collective ones from one at a time.
 */
public interface Ranks extends AutoCloseable {
    /** A message of {@link #send}. */
    record Message(int from, byte[] bytes) {}

    /** A single process. */
    static Ranks alone() {
        return Alone.ALONE;
    }

    /**
     * The ranks that this process was started with; a single process where no launcher is. The first call loads the launcher's MPI.
     *
     * @throws CalmException failed: there is no MPI library, or it is another one than the launcher's
     */
    static Ranks here() {
        return Started.ranks();
    }

    /** From 0. */
    int rank();

    int size();

    /** From 0, among the ranks of the same machine. */
    int localRank();

    /** How many ranks this machine has. */
    int localSize();

    /** How many ranks, with this one, the system lets run on the same processors as this one. */
    int sharers();

    /** How many seconds one rank waits for others that have nothing long to do. */
    long limit();

    /** Of a rank for messages, such as {@code rank 3 on node7}. */
    String name();

    /** Whether this is the one that speaks and writes. */
    default boolean isFirst() {
        return rank() == 0;
    }

    /**
     * Replaces each value by its sum over all ranks. Where at most one rank has something else than zero, it is exact; otherwise its last
     * bits depend on the number of ranks.
     */
    void sum(double[] values);

    /** Replaces each float by its sum over all ranks, as the library adds them: for a comparison of speed, because its bits are anyone's. */
    void sumInAnyOrder(Tensor floats);

    /**
     * The bytes of rank 0.
     *
     * @param bytes null on other ranks
     */
    byte[] broadcast(byte[] bytes);

    /** What each rank says, by rank. */
    default List<String> gather(String own) {
        byte[] bytes = own.getBytes(StandardCharsets.UTF_8);
        double[] lengths = new double[size()];
        lengths[rank()] = bytes.length;
        sum(lengths);
        int longest = (int) Arrays.stream(lengths).max().orElseThrow();
        double[] all = new double[size() * longest];
        for (int i = 0; i < bytes.length; i++) {
            all[rank() * longest + i] = bytes[i];
        }
        sum(all);
        List<String> said = new ArrayList<>();
        for (int rank = 0; rank < size(); rank++) {
            byte[] theirs = new byte[(int) lengths[rank]];
            for (int i = 0; i < theirs.length; i++) {
                theirs[i] = (byte) all[rank * longest + i];
            }
            said.add(new String(theirs, StandardCharsets.UTF_8));
        }
        return said;
    }

    /** Returns when all ranks have come here, without a limit: one of them may have long work. */
    void waitForAll();

    /** Sends a message to a rank; returns when the message has left. */
    void send(int to, byte[] message);

    /** The next message from any rank, without a limit. */
    Message receive();

    /** Passes tensors in host memory. */
    Wire wire();

    /** Ends all ranks with an exit code, at once. */
    void abort(int code);

    /** Ends what {@link #here} began; the others must come here too. */
    @Override
    void close();

    /**
     * Refuses ranks that would not compute the same: all of them call this with what decides their bits, by name.
     *
     * @throws CalmException failed: some rank has another value than rank 0; names both
     */
    default void agree(Map<String, String> facts) {
        Map<String, String> first = Facts.read(broadcast(isFirst() ? Facts.bytes(facts) : null));
        Map<String, String> other = new LinkedHashMap<>(facts);
        other.entrySet().removeIf(fact -> fact.getValue().equals(first.get(fact.getKey())));
        double[] differs = new double[size()];
        differs[rank()] = other.isEmpty() ? 0 : 1;
        sum(differs);
        int who = 0;
        while (who < differs.length && differs[who] == 0) {
            who++;
        }
        if (who == differs.length) {
            return;
        }
        if (rank() == who) {
            Map.Entry<String, String> fact = other.entrySet().iterator().next();
            String what = "the ranks differ in " + fact.getKey() + ": rank 0 has "
                    + first.get(fact.getKey()) + ", " + name() + " has " + fact.getValue()
                    + "; start all with the same files, settings and kind of machine";
            send(0, Facts.bytes(Map.of("what", what)));
            throw CalmException.failed(what, null);
        }
        throw CalmException.failed(
                isFirst() ? Facts.read(receive().bytes()).get("what") : "other ranks differ from rank 0", null);
    }
}
