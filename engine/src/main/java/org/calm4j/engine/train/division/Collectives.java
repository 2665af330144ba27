package org.calm4j.engine.train.division;

import java.util.BitSet;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.DeviceLinks;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.ranks.Wire;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * Reduce-scatter by recursive halving and all-gather by recursive doubling (Rabenseifner 2004; Thakur et al. 2005, sections 3.3 and 4.3)
 * over a tensor in fixed pieces. Neighbours come first, so that each round is the next level of a {@link SumTree}, and most bytes stay near.
 */
public final class Collectives implements AutoCloseable {
    /** Bytes that wait to be added. */
    private static final long CHUNK = 1 << 24;
    /** Pieces begin at multiples of so many bytes. */
    private static final int UNIT = 64;

    private final Ranks ranks;
    private final Wire wire;
    private final Backend backend;
    private final int pieces;
    private final Buffer inbox;

    /** @param pieces as many for each rank */
    public Collectives(Ranks ranks, Backend backend, int pieces) {
        this.ranks = ranks;
        this.backend = backend;
        this.pieces = pieces;
        wire = wire(ranks, backend);
        inbox = ranks.size() == 1 ? null : backend.allocate(bytes(ranks));
    }

    private static Wire wire(Ranks ranks, Backend backend) {
        if (ranks.size() == 1 || backend.onHost()) {
            return ranks.wire();
        }
        Wire own = backend instanceof DeviceLinks links ? links.link(ranks).wire() : null;
        return own != null ? own : new StagedWire(ranks.wire(), backend, CHUNK);
    }

    /** A stretch of pieces that are next to each other. */
    public record Range(int first, int end) {
        Range half(int upper) {
            int middle = (first + end) / 2;
            return upper == 0 ? new Range(first, middle) : new Range(middle, end);
        }
    }

    /** The pieces whose sums this rank has after {@link #reduceScatter}. */
    public Range own() {
        return own(ranks.rank());
    }

    public Range own(int rank) {
        Range own = new Range(0, pieces);
        for (int distance = 1; distance < ranks.size(); distance *= 2) {
            own = own.half(rank & distance);
        }
        return own;
    }

    /** These pieces of a tensor. */
    public Tensor of(Tensor whole, Range range) {
        long first = start(whole, range.first());
        return whole.rows(first, start(whole, range.end()) - first);
    }

    private long start(Tensor whole, int piece) {
        int unit = UNIT / whole.type().bytes();
        long units = Math.ceilDiv(whole.size(), unit);
        return Math.min(whole.size(), units * piece / pieces * unit);
    }

    /**
     * Sums over ranks: afterwards the own pieces are those of the sum, and the others are used up.
     *
     * @param whole one row
     * @param present leaves of the tree that have something; as many leaves for each rank as pieces
     */
    public void reduceScatter(Tensor whole, BitSet present) {
        int leaves = pieces / ranks.size();
        Range range = new Range(0, pieces);
        for (int distance = 1; distance < ranks.size(); distance *= 2) {
            int upper = ranks.rank() & distance;
            int peer = ranks.rank() ^ distance;
            Tensor kept = of(whole, range.half(upper));
            Tensor given = of(whole, range.half(upper ^ distance));
            boolean here = isAny(present, ranks.rank(), distance, leaves);
            boolean there = isAny(present, peer, distance, leaves);
            if (here || there) {
                exchange(given, kept, peer, here, there);
            }
            range = range.half(upper);
        }
        wire.finish();
    }

    /** Whether the subtree of a rank has something, after rounds up to this distance. */
    private static boolean isAny(BitSet present, int rank, int distance, int leaves) {
        int first = rank / distance * distance * leaves;
        int next = present.nextSetBit(first);
        return next >= 0 && next < first + distance * leaves;
    }

    /** Adds what comes to what is kept; of a side that has nothing, what comes is ignored. */
    private void exchange(Tensor given, Tensor kept, int peer, boolean here, boolean there) {
        long chunk = CHUNK / kept.type().bytes();
        for (long from = 0; from < Math.max(given.size(), kept.size()); from += chunk) {
            Tensor to = slice(kept, from, chunk);
            Tensor come = new Tensor("inbox", inbox, 0, to.type(), to.size());
            wire.exchange(slice(given, from, chunk), come, peer);
            if (to.size() == 0) {
                continue;
            }
            if (here && there) {
                backend.add(to, come);
            } else if (there) {
                backend.copy(to, come);
            }
        }
    }

    /** At most so many elements of a row from one on; none behind its end. */
    public static Tensor slice(Tensor row, long from, long most) {
        long first = Math.min(from, row.size());
        return row.rows(first, Math.min(most, row.size() - first));
    }

    /** Passes the own pieces of each rank to all. */
    public void allGather(Tensor whole) {
        gather(whole, new Range(0, pieces), 1);
        wire.finish();
    }

    private void gather(Tensor whole, Range range, int distance) {
        if (distance == ranks.size()) {
            return;
        }
        int upper = ranks.rank() & distance;
        Range own = range.half(upper);
        gather(whole, own, 2 * distance);
        wire.exchange(of(whole, own), of(whole, range.half(upper ^ distance)), ranks.rank() ^ distance);
    }

    /** Bytes that it takes. */
    public static long bytes(Ranks ranks) {
        return ranks.size() == 1 ? 0 : CHUNK;
    }

    @Override
    public void close() {
        if (inbox != null) {
            inbox.close();
        }
        if (wire instanceof StagedWire staged) {
            staged.close();
        }
    }
}
