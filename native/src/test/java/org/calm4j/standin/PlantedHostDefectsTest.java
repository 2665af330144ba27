package org.calm4j.standin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasOperation;
import org.calm4j.standin.StandIn.Order;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a program does wrong on the host's side is refused, reported, or gives what a slow GPU would give: the value from before. */
class PlantedHostDefectsTest {
    private static final int N = 8;
    private static final float[] ONES = {1, 1, 1, 1, 1, 1, 1, 1};
    private static final float[] TWOS = {2, 2, 2, 2, 2, 2, 2, 2};

    private final Pointer pinned = new Pointer();
    private Order before;
    private Device device;

    @BeforeEach
    void open() {
        assumeTrue(StandIn.isPresent(), "no stand-in driver was built");
        before = StandIn.order();
        device = new Device();
    }

    @AfterEach
    void close() {
        if (device != null) {
            device.close();
            StandIn.order(before, 1);
            StandIn.memory(4L << 30);
            StandIn.device(9, 0, 12060);
            StandIn.resetAll();
        }
    }

    @Test
    void useAfterFree() {
        CUdeviceptr x = Device.copy(ONES);
        JCudaDriver.cuMemFree(x);
        scale(x, null);
        assertThatThrownBy(JCudaDriver::cuCtxSynchronize).hasMessageContaining("CUDA_ERROR_ILLEGAL_ADDRESS");
        assertThat(StandIn.report()).containsPattern("use after free: byte \\d+ of a freed allocation of 32 bytes");
        // As on a card, after that nothing works.
        assertThatThrownBy(() -> Device.allocate(4)).hasMessageContaining("CUDA_ERROR_ILLEGAL_ADDRESS");
    }

    @Test
    void doubleFree() {
        CUdeviceptr x = Device.copy(ONES);
        JCudaDriver.cuMemFree(x);
        assertThatThrownBy(() -> JCudaDriver.cuMemFree(x)).hasMessageContaining("CUDA_ERROR_INVALID_VALUE");
        assertThat(StandIn.report()).contains("double free of an allocation of 32 bytes");
    }

    @Test
    void copyBehindTheEnd() {
        CUdeviceptr x = Device.copy(ONES);
        assertThatThrownBy(() -> Device.read(x, N + 1)).hasMessageContaining("CUDA_ERROR_INVALID_VALUE");
        assertThat(StandIn.report()).contains("out of bounds: 36 bytes at byte 0 of the allocation of 32 bytes");
    }

    @Test
    void anAddressThatIsNotOfTheDevice() {
        CUdeviceptr x = Device.copy(ONES);
        assertThatThrownBy(() -> JCudaDriver.cuMemcpyDtoD(new CUdeviceptr(), x, 4L * N))
                .hasMessageContaining("CUDA_ERROR_INVALID_VALUE");
        assertThat(StandIn.report()).contains("not device memory: 32 bytes at a null pointer");
        assertThatThrownBy(() -> JCudaDriver.cuMemcpyDtoD(new CUdeviceptr().withByteOffset(1 << 20), x, 4L * N))
                .hasMessageContaining("CUDA_ERROR_INVALID_VALUE");
        assertThat(StandIn.report()).contains("0x100000, which is not device memory");
    }

    @Test
    void tooManyThreads() {
        CUdeviceptr x = Device.copy(ONES);
        assertThatThrownBy(() -> device.launch("planted_scale", 1, 2048, 0, null, scaling(x)))
                .hasMessageContaining("CUDA_ERROR_INVALID_VALUE");
        assertThat(StandIn.report()).contains("2048 threads in a block");
    }

    @Test
    void moreThreadsThanLaunchBoundsSay() {
        String ptx = """
                .version 7.0
                .target sm_80
                .address_size 64
                .visible .entry planted_scale(
                	.param .u64 planted_scale_param_0,
                	.param .f32 planted_scale_param_1,
                	.param .u64 planted_scale_param_2
                )
                .maxntid 64, 1, 1
                {
                	ret;
                }
                """;
        CUfunction scale = function(ptx, "planted_scale");
        CUdeviceptr x = Device.copy(ONES);
        Pointer parameters = Pointer.to(scaling(x));
        JCudaDriver.cuLaunchKernel(scale, 1, 1, 1, 64, 1, 1, 0, null, parameters, null);
        assertThatThrownBy(() -> JCudaDriver.cuLaunchKernel(scale, 1, 1, 1, 128, 1, 1, 0, null, parameters, null))
                .hasMessageContaining("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES");
        // PTX that is older than the sources, or for a newer device or driver.
        assertThatThrownBy(() -> function(ptx.replace(".f32", ".u64"), "planted_scale"))
                .hasMessageContaining("CUDA_ERROR_NOT_FOUND");
        assertThat(StandIn.report()).contains("its parameters in the PTX are others");
        assertThatThrownBy(() -> function(ptx.replace("sm_80", "sm_100"), "planted_scale"))
                .hasMessageContaining("NO_BINARY_FOR_GPU");
        assertThatThrownBy(() -> function(ptx.replace("7.0", "9.0"), "planted_scale"))
                .hasMessageContaining("UNSUPPORTED_PTX_VERSION");
        assertThatThrownBy(() -> function("not PTX", "planted_scale")).hasMessageContaining("CUDA_ERROR_INVALID_IMAGE");
    }

    @Test
    void sharedMemoryWithoutOptIn() {
        CUdeviceptr x = Device.copy(ONES);
        assertThatThrownBy(() -> device.launch("planted_scale", 1, N, 64 << 10, null, scaling(x)))
                .hasMessageContaining("CUDA_ERROR_INVALID_VALUE");
        assertThat(StandIn.report()).contains("bytes of shared memory without opting in");
        CUfunction scale = device.function("planted_scale");
        JCudaDriver.cuFuncSetAttribute(
                scale, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 64 << 10);
        device.launch("planted_scale", 1, N, 64 << 10, null, scaling(x));
        assertThatThrownBy(() -> JCudaDriver.cuFuncSetAttribute(
                        scale, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 228 << 10))
                .hasMessageContaining("CUDA_ERROR_INVALID_VALUE");
    }

    @Test
    void parametersAreTakenAtTheCall() {
        CUdeviceptr x = Device.copy(ONES);
        float[] factor = {3};
        long[] count = {N};
        Pointer[] parameters = {Pointer.to(x), Pointer.to(factor), Pointer.to(count)};
        device.launch("planted_scale", 1, N, 0, null, parameters);
        factor[0] = 100;
        count[0] = 0;
        assertThat(Device.read(x, N)).containsOnly(3);
    }

    @ParameterizedTest
    @EnumSource(Order.class)
    void aStreamThatDoesNotWaitForAnother(Order order) {
        StandIn.order(order, 7);
        CUdeviceptr x = Device.copy(ONES);
        CUstream first = stream();
        CUstream second = stream();
        FloatBuffer result = pinned();
        scale(x, first);
        JCudaDriver.cuMemcpyDtoHAsync(pinned, x, 4L * N, second);
        JCudaDriver.cuStreamSynchronize(second);
        assertThat(result.get(0)).isEqualTo(1);
        // With an event between them it is right.
        CUevent event = new CUevent();
        JCudaDriver.cuEventCreate(event, 0);
        JCudaDriver.cuEventRecord(event, first);
        JCudaDriver.cuStreamWaitEvent(second, event, 0);
        JCudaDriver.cuMemcpyDtoHAsync(pinned, x, 4L * N, second);
        JCudaDriver.cuStreamSynchronize(second);
        assertThat(result.get(0)).isEqualTo(2);
    }

    @Test
    void nothingRunsBeforeItIsWaitedFor() {
        CUdeviceptr x = Device.copy(ONES);
        CUstream stream = stream();
        scale(x, stream);
        FloatBuffer result = pinned();
        JCudaDriver.cuMemcpyDtoHAsync(pinned, x, 4L * N, stream);
        assertThat(result.get(0)).isNaN();
        JCudaDriver.cuStreamSynchronize(stream);
        assertThat(result.get(0)).isEqualTo(2);
        // The default stream waits for a stream that was created without CU_STREAM_NON_BLOCKING.
        CUstream blocking = new CUstream();
        JCudaDriver.cuStreamCreate(blocking, CUstream_flags.CU_STREAM_DEFAULT);
        scale(x, blocking);
        assertThat(Device.read(x, N)).containsOnly(4);
    }

    @Test
    void pinnedMemoryIsReadWhenTheCopyRuns() {
        CUdeviceptr x = Device.copy(ONES);
        CUstream stream = stream();
        FloatBuffer values = pinned().put(0, ONES);
        JCudaDriver.cuMemcpyHtoDAsync(x, pinned, 4L * N, stream);
        values.put(0, TWOS);
        JCudaDriver.cuStreamSynchronize(stream);
        assertThat(Device.read(x, N)).containsOnly(2);

        FloatBuffer pageable = direct(4 * N).asFloatBuffer().put(0, ONES);
        JCudaDriver.cuMemcpyHtoDAsync(x, Pointer.to(pageable), 4L * N, stream);
        pageable.put(0, TWOS);
        JCudaDriver.cuStreamSynchronize(stream);
        assertThat(Device.read(x, N)).containsOnly(1);
        JCudaDriver.cuMemFreeHost(pinned);
        assertThatThrownBy(() -> JCudaDriver.cuMemFreeHost(pinned)).hasMessageContaining("CUDA_ERROR_INVALID_VALUE");
    }

    @Test
    void anAsynchronousCopyIntoAnArray() {
        CUdeviceptr x = Device.copy(ONES);
        CUstream stream = stream();
        assertThatThrownBy(() -> JCudaDriver.cuMemcpyDtoHAsync(Pointer.to(new float[N]), x, 4L * N, stream))
                .hasMessageContaining("CUDA_ERROR_INVALID_VALUE");
        assertThat(StandIn.report()).contains("not pinned");
    }

    @Test
    void memoryIsExhausted() {
        StandIn.memory(1000);
        CUdeviceptr x = Device.allocate(600);
        long[] free = new long[1];
        long[] total = new long[1];
        JCudaDriver.cuMemGetInfo(free, total);
        assertThat(free[0]).isEqualTo(400);
        assertThat(total[0]).isEqualTo(1000);
        assertThatThrownBy(() -> Device.allocate(500)).hasMessageContaining("CUDA_ERROR_OUT_OF_MEMORY");
        JCudaDriver.cuMemFree(x);
        Device.allocate(500);
    }

    @Test
    void leaks() {
        Device.allocate(100);
        Device.allocate(28);
        stream();
        assertThat(StandIn.live()).isEqualTo("2 device allocations (128 bytes), 1 modules, 1 streams");
        device.close();
        assertThat(StandIn.report()).contains("cuCtxDestroy: leaked: 2 device allocations (128 bytes), 1 streams");
        assertThat(StandIn.live()).isEqualTo("2 device allocations (128 bytes), 1 streams when a context ended");
    }

    /** Each hold of the primary context is to be given back; with the last one it ends, and nobody may use it then. */
    @Test
    void thePrimaryContext() {
        device.close();
        CUcontext first = new CUcontext();
        CUcontext second = new CUcontext();
        JCudaDriver.cuDevicePrimaryCtxRetain(first, new CUdevice());
        JCudaDriver.cuDevicePrimaryCtxRetain(second, new CUdevice());
        JCudaDriver.cuCtxSetCurrent(first);
        Device.allocate(100);
        assertThat(StandIn.live()).isEqualTo("1 device allocations (100 bytes), 2 holds of the primary context");
        JCudaDriver.cuDevicePrimaryCtxRelease(new CUdevice());
        JCudaDriver.cuCtxSynchronize();
        assertThat(StandIn.report()).isEmpty();
        JCudaDriver.cuDevicePrimaryCtxRelease(new CUdevice());
        assertThat(StandIn.report()).contains("cuDevicePrimaryCtxRelease: leaked: 1 device allocations (100 bytes)");
        assertThatThrownBy(() -> Device.allocate(1)).hasMessageContaining("CUDA_ERROR_INVALID_CONTEXT");
        assertThatThrownBy(() -> JCudaDriver.cuDevicePrimaryCtxRelease(new CUdevice()))
                .hasMessageContaining("CUDA_ERROR_INVALID_CONTEXT");
        StandIn.resetAll();
        assertThat(StandIn.live()).isEmpty();
    }

    @Test
    void newMemoryIsNotANumber() {
        assertThat(Device.read(Device.allocate(4 * N), N)).containsOnly(Float.NaN);
    }

    @Test
    void whatIsNotInTheStandInSaysSo() {
        assertThatThrownBy(() -> JCudaDriver.cuMemAllocManaged(new CUdeviceptr(), 100, 1))
                .hasMessageContaining("CUDA_ERROR_NOT_SUPPORTED");
        assertThat(StandIn.report()).contains("cuMemAllocManaged is not in the stand-in");
    }

    @Test
    void anotherThreadNeedsTheContextToo() throws InterruptedException {
        Throwable[] thrown = new Throwable[1];
        Thread other = new Thread(() -> {
            try {
                Device.allocate(4);
            } catch (RuntimeException e) {
                thrown[0] = e;
            }
        });
        other.start();
        other.join();
        assertThat(thrown[0]).hasMessageContaining("CUDA_ERROR_INVALID_CONTEXT");
    }

    @Test
    void aCapturedGraphRunsWhenItIsLaunched() {
        CUdeviceptr x = Device.copy(ONES);
        CUstream stream = stream();
        JCudaDriver.cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL);
        scale(x, stream);
        scale(x, stream);
        CUgraph graph = new CUgraph();
        JCudaDriver.cuStreamEndCapture(stream, graph);
        assertThat(Device.read(x, N)).containsOnly(1);
        CUgraphExec executable = new CUgraphExec();
        JCudaDriver.cuGraphInstantiate(executable, graph, 0);
        for (int i = 0; i < 3; i++) {
            JCudaDriver.cuGraphLaunch(executable, stream);
        }
        JCudaDriver.cuStreamSynchronize(stream);
        assertThat(Device.read(x, N)).containsOnly(64);
        JCudaDriver.cuGraphExecDestroy(executable);
        JCudaDriver.cuGraphDestroy(graph);
    }

    @Test
    void aGraphWithoutAnEdge() {
        CUdeviceptr x = Device.allocate(4 * N);
        CUdeviceptr y = Device.copy(ONES);
        CUstream stream = stream();
        CUstream side = stream();
        for (boolean edge : new boolean[] {false, true}) {
            StandIn.order(Order.REVERSE, 0);
            JCudaDriver.cuMemsetD32(x, 0, N);
            JCudaDriver.cuCtxSynchronize();
            JCudaDriver.cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL);
            link(stream, side);
            JCudaDriver.cuMemcpyDtoDAsync(x, y, 4L * N, side);
            if (edge) {
                link(side, stream);
            }
            scale(x, stream);
            link(side, stream);
            CUgraph graph = new CUgraph();
            JCudaDriver.cuStreamEndCapture(stream, graph);
            CUgraphExec executable = new CUgraphExec();
            JCudaDriver.cuGraphInstantiate(executable, graph, 0);
            JCudaDriver.cuGraphLaunch(executable, stream);
            JCudaDriver.cuStreamSynchronize(stream);
            assertThat(Device.read(x, N)).containsOnly(edge ? 2 : 1);
        }
    }

    @Test
    void whatACaptureForbids() {
        CUstream stream = stream();
        CUstream side = stream();
        JCudaDriver.cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL);
        assertThatThrownBy(() -> Device.allocate(4)).hasMessageContaining("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED");
        assertThatThrownBy(() -> JCudaDriver.cuStreamEndCapture(stream, new CUgraph()))
                .hasMessageContaining("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED");

        CUdeviceptr x = Device.copy(ONES);
        JCudaDriver.cuStreamBeginCapture(stream, CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL);
        link(stream, side);
        scale(x, side);
        assertThatThrownBy(() -> JCudaDriver.cuStreamEndCapture(stream, new CUgraph()))
                .hasMessageContaining("CUDA_ERROR_STREAM_CAPTURE_UNJOINED");
    }

    @Test
    void aProductOutOfBoundsOrOfWhatNobodyWrote() {
        JCublas2.setExceptionsEnabled(true);
        cublasHandle handle = new cublasHandle();
        JCublas2.cublasCreate(handle);
        CUdeviceptr a = Device.copy(ONES);
        CUdeviceptr c = Device.allocate(4 * 4);
        Pointer one = Pointer.to(new float[] {1});
        Pointer zero = Pointer.to(new float[] {0});
        int n = cublasOperation.CUBLAS_OP_N;
        JCublas2.cublasSgemm(handle, n, n, 2, 2, 2, one, a, 2, a, 2, zero, c, 2);
        assertThat(Device.read(c, 4)).containsOnly(2);
        if (StandIn.isCheck()) {
            CUdeviceptr unwritten = Device.allocate(4 * 4);
            JCublas2.cublasSgemm(handle, n, n, 2, 2, 2, one, unwritten, 2, a, 2, zero, c, 2);
            assertThatThrownBy(JCudaDriver::cuCtxSynchronize).hasMessageContaining("CUDA_ERROR_LAUNCH_FAILED");
            assertThat(StandIn.report())
                    .contains("cublasSgemm: reads what nobody wrote: byte 0 of the allocation of 16 bytes");
            StandIn.reset();
        }
        JCublas2.cublasSgemm(handle, n, n, 2, 3, 2, one, a, 2, a, 2, zero, c, 2);
        assertThatThrownBy(JCudaDriver::cuCtxSynchronize).hasMessageContaining("CUDA_ERROR_ILLEGAL_ADDRESS");
        assertThat(StandIn.report())
                .contains("cublasSgemm: out of bounds: 8 bytes at byte 16 of the allocation of 16 bytes");
        JCublas2.cublasDestroy(handle);
    }

    private void scale(CUdeviceptr x, CUstream stream) {
        device.launch("planted_scale", 1, N, 0, stream, scaling(x));
    }

    private static Pointer[] scaling(CUdeviceptr x) {
        return new Pointer[] {Pointer.to(x), Pointer.to(new float[] {2}), Pointer.to(new long[] {N})};
    }

    private static CUstream stream() {
        CUstream stream = new CUstream();
        JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING);
        return stream;
    }

    private static void link(CUstream from, CUstream to) {
        CUevent event = new CUevent();
        JCudaDriver.cuEventCreate(event, 0);
        JCudaDriver.cuEventRecord(event, from);
        JCudaDriver.cuStreamWaitEvent(to, event, 0);
    }

    private FloatBuffer pinned() {
        JCudaDriver.cuMemAllocHost(pinned, 4L * N);
        return pinned.getByteBuffer(0, 4L * N).order(ByteOrder.nativeOrder()).asFloatBuffer();
    }

    private static ByteBuffer direct(int bytes) {
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    }

    private static CUfunction function(String ptx, String name) {
        CUmodule module = new CUmodule();
        JCudaDriver.cuModuleLoadData(module, (ptx + "\0").getBytes(StandardCharsets.US_ASCII));
        CUfunction function = new CUfunction();
        JCudaDriver.cuModuleGetFunction(function, module, name);
        return function;
    }
}
