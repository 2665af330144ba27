package org.calm4j.engine.ranks;

import org.calm4j.engine.tensor.Tensor;

/** Passes the bytes of tensors between ranks, and never adds: sums of a library depend on the number of ranks and on the machines. */
public interface Wire {
    /**
     * Sends a tensor to a rank and receives another from it, at the same time; the peer calls this with its own two.
     *
     * @param give must not change meanwhile; as many bytes as the peer takes
     * @param take receives as many bytes as the peer gives; must not overlap {@code give}
     * @throws org.calm4j.engine.CalmException failed: the peer is gone, or has not answered within the limit
     */
    void exchange(Tensor give, Tensor take, int peer);

    /**
     * Returns when everything has arrived. Between devices exchanges are queued like operations, which follow them there.
     *
     * @throws org.calm4j.engine.CalmException failed: a peer is gone, or has not answered within the limit
     */
    default void finish() {}
}
