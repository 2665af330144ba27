package org.calm4j.calm.bench;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.calm4j.engine.op.Backend;

/** Passes every call on to a backend and adds up the time of each operation. Meaningless on a GPU, which runs asynchronously. */
final class OperationTimes implements InvocationHandler {
    /** It only calls others. */
    private static final String REPEAT = "repeat";

    private static final class Sum {
        private long nanos;
        private long calls;
    }

    private final Backend backend;
    private final Map<String, Sum> sums = new TreeMap<>();

    private OperationTimes(Backend backend) {
        this.backend = backend;
    }

    /** A backend that counts; what it counted is found by {@link #of}. */
    static Backend counting(Backend backend) {
        return (Backend) Proxy.newProxyInstance(
                Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, new OperationTimes(backend));
    }

    static OperationTimes of(Backend counting) {
        return (OperationTimes) Proxy.getInvocationHandler(counting);
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
        long start = System.nanoTime();
        try {
            return method.invoke(backend, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        } finally {
            if (!method.getName().equals(REPEAT)) {
                Sum sum = sums.computeIfAbsent(method.getName(), name -> new Sum());
                sum.nanos += System.nanoTime() - start;
                sum.calls++;
            }
        }
    }

    void clear() {
        sums.clear();
    }

    /** The times since it was cleared, divided by the number of runs, the longest first. */
    List<Measurement.Operation> perRun(long runs) {
        return sums.entrySet().stream()
                .map(sum -> new Measurement.Operation(
                        sum.getKey(), sum.getValue().nanos * 1e-6 / runs, sum.getValue().calls / runs))
                .sorted(Comparator.comparingDouble(Measurement.Operation::milliseconds)
                        .reversed())
                .toList();
    }
}
