package org.calm4j.engine.ranks;

import org.calm4j.engine.tensor.Tensor;

/** A single process: all sums are its own. */
final class Alone implements Ranks, Wire {
    static final Alone ALONE = new Alone();

    private Alone() {}

    @Override
    public int rank() {
        return 0;
    }

    @Override
    public int size() {
        return 1;
    }

    @Override
    public int localRank() {
        return 0;
    }

    @Override
    public int localSize() {
        return 1;
    }

    @Override
    public int sharers() {
        return 1;
    }

    @Override
    public long limit() {
        return Long.MAX_VALUE / 1_000_000_000;
    }

    @Override
    public String name() {
        return "rank 0";
    }

    @Override
    public void sum(double[] values) {
        // They are the sum.
    }

    @Override
    public void sumInAnyOrder(Tensor floats) {
        // It is the sum.
    }

    @Override
    public byte[] broadcast(byte[] bytes) {
        return bytes;
    }

    @Override
    public void waitForAll() {
        // All are here.
    }

    @Override
    public void send(int to, byte[] message) {
        throw new IllegalStateException("there is no other rank");
    }

    @Override
    public Message receive() {
        throw new IllegalStateException("there is no other rank");
    }

    @Override
    public Wire wire() {
        return this;
    }

    @Override
    public void exchange(Tensor give, Tensor take, int peer) {
        throw new IllegalStateException("there is no other rank");
    }

    @Override
    public void abort(int code) {
        Runtime.getRuntime().halt(code);
    }

    @Override
    public void close() {
        // Nothing was begun.
    }
}
