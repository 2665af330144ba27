package org.calm4j.kernels;

import java.util.Arrays;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Precision;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.kernels.driver.CudaProbe;
import org.calm4j.standin.StandIn;

/** What {@link CudaFailuresTest} runs in a process of its own, with other libraries and variables: one line says how it went. */
final class CudaChild {
    private CudaChild() {}

    public static void main(String[] arguments) {
        try {
            System.out.println(
                    switch (arguments[0]) {
                        case "product" -> product();
                        case "cubin" -> {
                            StandIn.device(9, 0, Integer.parseInt(arguments[1]));
                            yield product();
                        }
                        case "fault" -> fault();
                        case "upload" -> upload();
                        case "close" -> close();
                        default -> throw new IllegalArgumentException(arguments[0]);
                    });
        } catch (CalmException e) {
            System.out.println(e.getMessage());
        }
        // What is broken on purpose is not put in order.
        Runtime.getRuntime().halt(0);
    }

    private static String product() {
        Backend backend = new CudaBackendProvider().open(0, Precision.F32);
        Slab slab = new Slab.Plan()
                .add("x", DType.F32, 1, 2)
                .add("w", DType.F32, 2, 2)
                .add("out", DType.F32, 1, 2)
                .allocate(backend::allocate);
        backend.write(slab.get("x"), new double[] {2, 3}, 2);
        backend.write(slab.get("w"), new double[] {1, 10, 100, 1000}, 4);
        backend.linearForward(slab.get("out"), slab.get("x"), slab.get("w"), 1, false);
        double[] out = new double[2];
        backend.read(out, slab.get("out"), 2);
        return "cuBLAS " + CudaProbe.run().cublas() + ": " + Arrays.toString(out);
    }

    private static String fault() {
        Backend backend = new CudaBackendProvider().open(0, Precision.F32);
        backend.read(new double[1], faulty(backend).get("rows"), 1);
        return "no fault";
    }

    /** Launches a kernel that reads a row far behind the table. */
    private static Slab faulty(Backend backend) {
        Slab slab = new Slab.Plan()
                .add("table", DType.F32, 3, 8)
                .add("rows", DType.F32, 2, 8)
                .add("index", DType.I32, 2)
                .allocate(backend::allocate);
        backend.write(slab.get("index"), new int[] {1, 1 << 20}, 2);
        backend.embeddingForward(slab.get("rows"), slab.get("table"), slab.get("index"), false);
        return slab;
    }

    /** Found when pinned memory is to be filled again. */
    private static String upload() {
        Backend backend = new CudaBackendProvider().open(0, Precision.F32);
        Slab slab = faulty(backend);
        for (int i = 0; i < 9; i++) {
            backend.write(slab.get("index"), new int[2], 2);
        }
        return "no fault";
    }

    /** What is left when all is closed after a fault. */
    private static String close() {
        Backend backend = new CudaBackendProvider().open(0, Precision.F32);
        Slab slab = faulty(backend);
        String said = "";
        for (AutoCloseable owner : new AutoCloseable[] {slab, backend, backend}) {
            try {
                owner.close();
            } catch (CalmException e) {
                said += e.getMessage() + "; ";
            } catch (Exception e) {
                return "not for people: " + e;
            }
        }
        return said + "left: " + StandIn.live();
    }
}
