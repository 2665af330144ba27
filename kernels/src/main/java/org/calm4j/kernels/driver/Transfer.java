package org.calm4j.kernels.driver;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.LongConsumer;
import jcuda.driver.JCudaDriver;

/**
 * Copies between host and device through pinned memory. Uploads do not wait: a piece of pinned memory is filled while the one before it is
 * still being copied, and is filled again only when its own copy is done.
 */
public final class Transfer implements AutoCloseable {
    private static final int PIECES = 4;

    private final Device device;
    private final long pieceBytes;
    private final Owners owners = new Owners();
    private final PinnedBuffer[] pieces = new PinnedBuffer[PIECES];
    private final CudaEvent[] copied = new CudaEvent[PIECES];
    private int next;

    Transfer(Device device, long pieceBytes) {
        this.device = device;
        this.pieceBytes = pieceBytes;
        try {
            for (int i = 0; i < PIECES; i++) {
                pieces[i] = new PinnedBuffer(pieceBytes);
                owners.add(pieces[i]::close);
                copied[i] = new CudaEvent();
                owners.add(copied[i]::close);
            }
        } catch (RuntimeException | Error e) {
            owners.closeAfter(e);
            throw e;
        }
    }

    /** Fills a piece: {@code length} elements from {@code first} on. */
    interface Fill {
        void fill(MemorySegment piece, long first, int length);
    }

    /** Takes a piece: {@code length} elements from {@code first} on. */
    interface Take {
        void take(MemorySegment piece, long first, int length);
    }

    public void upload(DevicePointer to, MemorySegment from) {
        upload(to, from.byteSize(), 1, (piece, first, length) -> MemorySegment.copy(from, first, piece, 0, length));
    }

    public void upload(DevicePointer to, int[] from, int count) {
        upload(
                to,
                count,
                Integer.BYTES,
                (piece, first, length) ->
                        MemorySegment.copy(from, (int) first, piece, ValueLayout.JAVA_INT, 0, length));
    }

    public void upload(DevicePointer to, long[] from) {
        upload(
                to,
                from.length,
                Long.BYTES,
                (piece, first, length) ->
                        MemorySegment.copy(from, (int) first, piece, ValueLayout.JAVA_LONG, 0, length));
    }

    /** Rounded to F32. */
    public void upload(DevicePointer to, double[] from, int count) {
        upload(to, count, Float.BYTES, (piece, first, length) -> {
            for (int i = 0; i < length; i++) {
                piece.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) from[(int) first + i]);
            }
        });
    }

    private void upload(DevicePointer to, long count, int size, Fill fill) {
        device.call(
                "sending data",
                () -> pieces(count, size, first -> {
                    int length = (int) Math.min(pieceBytes / size, count - first);
                    copied[next].synchronize();
                    fill.fill(pieces[next].segment(), first, length);
                    JCudaDriver.cuMemcpyHtoDAsync(
                            to.plus(first * size),
                            pieces[next].pointer(),
                            (long) length * size,
                            device.stream().handle());
                    copied[next].record(device.stream());
                    next = (next + 1) % PIECES;
                }));
    }

    public void download(MemorySegment to, DevicePointer from) {
        download(to.byteSize(), 1, from, (piece, first, length) -> MemorySegment.copy(piece, 0, to, first, length));
    }

    /** Widens F32. */
    public void download(double[] to, DevicePointer from, int count) {
        download(count, Float.BYTES, from, (piece, first, length) -> {
            for (int i = 0; i < length; i++) {
                to[(int) first + i] = piece.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            }
        });
    }

    private void download(long count, int size, DevicePointer from, Take take) {
        device.call(
                "fetching data",
                () -> pieces(count, size, first -> {
                    int length = (int) Math.min(pieceBytes / size, count - first);
                    copied[next].synchronize();
                    JCudaDriver.cuMemcpyDtoHAsync(
                            pieces[next].pointer(),
                            from.plus(first * size),
                            (long) length * size,
                            device.stream().handle());
                    device.synchronize();
                    take.take(pieces[next].segment(), first, length);
                }));
    }

    private void pieces(long count, int size, LongConsumer firsts) {
        for (long first = 0; first < count; first += pieceBytes / size) {
            firsts.accept(first);
        }
    }

    @Override
    public void close() {
        owners.close();
    }
}
