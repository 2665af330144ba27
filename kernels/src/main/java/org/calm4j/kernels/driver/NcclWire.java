package org.calm4j.kernels.driver;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import jcuda.CudaException;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.ranks.DeviceLinks;
import org.calm4j.engine.ranks.Ranks;
import org.calm4j.engine.ranks.Wire;
import org.calm4j.engine.tensor.Tensor;

/**
 * Passes tensors between GPUs by NCCL, on the stream of all work: what was queued before has written what is sent, and what is queued after
 * reads what has come. The host only waits so that a peer that hangs is noticed, and so that not too much is queued behind it.
 */
public final class NcclWire implements Wire, AutoCloseable {
    /** Exchanges that may be queued before the host waits for the first of them. */
    private static final int UNDER_WAY = 4;
    /** Looks before the first nap. */
    private static final int LOOKS = 100;

    private static final long SHORTEST_NAP = 20_000;
    private static final long LONGEST_NAP = 1_000_000;
    private static final long MILLIS_TO_ABORT = 2000;

    private final Nccl nccl;
    private final Device device;
    private final Ranks ranks;
    private final MemorySegment communicator;
    /** Calls of NCCL may wait for a peer, and then another thread gives up. */
    private final ExecutorService thread;

    private final Owners owners = new Owners();
    private final CudaEvent[] passed = new CudaEvent[UNDER_WAY];
    private final int[] peers = new int[UNDER_WAY];
    private int next;
    private boolean aborted;

    private NcclWire(Nccl nccl, Device device, Ranks ranks, byte[] id) {
        this.nccl = nccl;
        this.device = device;
        this.ranks = ranks;
        thread = Executors.newSingleThreadExecutor(
                Thread.ofPlatform().daemon().name("nccl").factory());
        owners.add(thread::shutdownNow);
        try {
            communicator = limited("the other ranks", () -> nccl.join(ranks.size(), id, ranks.rank()));
            device.enter();
            for (int i = 0; i < UNDER_WAY; i++) {
                passed[i] = new CudaEvent();
                owners.add(passed[i]::close);
            }
        } catch (RuntimeException | Error e) {
            owners.closeAfter(e);
            throw e;
        }
    }

    /**
     * Between all ranks, or none, with the reason, where some rank has no NCCL.
     *
     * @throws CalmException failed: the ranks have different versions
     */
    public static DeviceLinks.Link link(Ranks ranks, Device device) {
        Nccl nccl = Nccl.load();
        String whyNot = whyNot(ranks.gather(
                nccl == null
                        ? "\n" + ranks.name() + " " + Nccl.absence()
                        : nccl.version() + "\n" + ranks.name() + " (from " + nccl.from() + ")"));
        if (whyNot != null) {
            return new DeviceLinks.Link(null, "the host's memory: " + whyNot);
        }
        byte[] id = ranks.broadcast(ranks.isFirst() ? nccl.uniqueId() : null);
        return new DeviceLinks.Link(new NcclWire(nccl, device, ranks, id), "NCCL " + nccl.version());
    }

    /**
     * Who has no NCCL, and what to do; null where all have the same version.
     *
     * @param said by each rank in two lines: its version, or nothing, and its name with what there is to say
     */
    static String whyNot(List<String> said) {
        Map<String, String> who = new TreeMap<>();
        for (String each : said) {
            String[] lines = each.split("\n", 2);
            who.putIfAbsent(lines[0], lines[1]);
        }
        if (who.size() > 1 && !who.containsKey("")) {
            List<String> all = new ArrayList<>();
            who.forEach((version, rank) -> all.add(rank + " has " + version));
            throw CalmException.failed(
                    "the ranks have different versions of NCCL: " + String.join(", ", all) + "; install one on all",
                    null);
        }
        return who.get("");
    }

    @Override
    public void exchange(Tensor give, Tensor take, int peer) {
        await(next);
        long from = give.bytes() == 0 ? 0 : CudaBuffer.address(give);
        long to = take.bytes() == 0 ? 0 : CudaBuffer.address(take);
        limited("rank " + peer, () -> {
            nccl.exchange(
                    from,
                    give.bytes(),
                    to,
                    take.bytes(),
                    peer,
                    communicator,
                    device.stream().address());
            return null;
        });
        if (take.bytes() > 0) {
            ((CudaBuffer) take.buffer()).changed();
        }
        device.call("passing tensors", () -> passed[next].record(device.stream()));
        peers[next] = peer;
        next = (next + 1) % UNDER_WAY;
    }

    @Override
    public void finish() {
        await((next + UNDER_WAY - 1) % UNDER_WAY);
    }

    private void await(int which) {
        long start = System.nanoTime();
        long nap = SHORTEST_NAP;
        device.enter();
        for (int looks = 0; !isDone(which); looks++) {
            String error = nccl.asyncError(communicator);
            if (error != null) {
                throw failed("NCCL lost rank " + peers[which] + ": " + error, null);
            }
            if (System.nanoTime() - start > TimeUnit.SECONDS.toNanos(ranks.limit())) {
                throw waited("rank " + peers[which], null);
            }
            if (looks < LOOKS) {
                Thread.onSpinWait();
            } else {
                LockSupport.parkNanos(nap);
                nap = Math.min(2 * nap, LONGEST_NAP);
            }
        }
    }

    private boolean isDone(int which) {
        try {
            return passed[which].isDone();
        } catch (CudaException e) {
            throw device.fault("found while waiting for rank " + peers[which], e);
        }
    }

    private <T> T limited(String whom, Callable<T> call) {
        if (aborted) {
            throw CalmException.failed("the links of the GPUs were given up", null);
        }
        try {
            return thread.submit(() -> {
                        device.enter();
                        return call.call();
                    })
                    .get(ranks.limit(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof CalmException known
                    ? failed(known.getMessage(), known)
                    : new IllegalStateException(e.getCause());
        } catch (TimeoutException e) {
            throw waited(whom, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failed("interrupted while waiting for " + whom, e);
        }
    }

    private CalmException waited(String whom, Exception e) {
        return failed(
                ranks.name() + " has waited " + ranks.limit() + " s for " + whom
                        + "; look whether it hangs, or set CALM_RANK_TIMEOUT to more seconds",
                e);
    }

    /** What is queued would wait for ever, and with it whoever frees memory. */
    private CalmException failed(String message, Exception e) {
        if (communicator != null && !aborted) {
            aborted = true;
            CompletableFuture<Void> done = new CompletableFuture<>();
            Thread.ofPlatform().daemon().start(() -> {
                nccl.abort(communicator);
                done.complete(null);
            });
            done.completeOnTimeout(null, MILLIS_TO_ABORT, TimeUnit.MILLISECONDS).join();
        }
        return CalmException.failed(message, e);
    }

    /**
     * Leaves the communicator to the end of the process: all ranks would have to come to its own end, and one that fails does not; ranks that
     * do not fail end together.
     */
    @Override
    public void close() {
        owners.close();
    }
}
