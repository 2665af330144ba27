package org.calm4j.engine.train.division;

import org.calm4j.engine.op.Backend;
import org.calm4j.engine.ranks.Wire;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/** Passes tensors of a device by way of the host's memory, a chunk at a time. */
final class StagedWire implements Wire, AutoCloseable {
    private final Wire wire;
    private final Backend backend;
    private final long chunk;
    private final HostBuffer outgoing;
    private final HostBuffer incoming;

    /** @param chunk bytes */
    StagedWire(Wire wire, Backend backend, long chunk) {
        this.wire = wire;
        this.backend = backend;
        this.chunk = chunk;
        outgoing = new HostBuffer(chunk);
        incoming = new HostBuffer(chunk);
    }

    @Override
    public void exchange(Tensor give, Tensor take, int peer) {
        long most = chunk / give.type().bytes();
        Tensor from = give.view(give.size());
        Tensor to = take.view(take.size());
        for (long first = 0; first < Math.max(from.size(), to.size()); first += most) {
            Tensor out = Collectives.slice(from, first, most);
            Tensor in = Collectives.slice(to, first, most);
            Tensor staged = new Tensor("outgoing", outgoing, 0, out.type(), out.size());
            Tensor come = new Tensor("incoming", incoming, 0, in.type(), in.size());
            copy(staged, out);
            wire.exchange(staged, come, peer);
            copy(in, come);
        }
    }

    /** One side may be at its end. */
    private void copy(Tensor to, Tensor from) {
        if (to.size() > 0) {
            backend.copy(to, from);
        }
    }

    @Override
    public void close() {
        outgoing.close();
        incoming.close();
    }
}
