package org.calm4j.engine.op;

import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.calm4j.engine.op.cases.Calls;
import org.calm4j.engine.op.cases.OpCase;
import org.calm4j.engine.op.cases.OpCases;

/**
 * Lists the cases of all operations, and for each which suites run it on this machine: of the suites below, those on the class path. Emulated
 * backends run some of them.
 */
final class ListOperations {
    private static final List<String> SUITES = List.of(
            "org.calm4j.engine.op.simd.SimdBackendTest",
            "org.calm4j.kernels.CudaBackendConformanceTest",
            "org.calm4j.kernels.CudaBf16ConformanceTest");

    private ListOperations() {}

    public static void main(String[] args) throws ReflectiveOperationException {
        Map<String, Set<OpCase>> suites = new LinkedHashMap<>();
        for (String name : SUITES) {
            BackendConformance suite = suite(name);
            if (suite != null) {
                suites.put(
                        suite.getClass().getSimpleName().replaceFirst("(Conformance|Backend)*Test$", ""),
                        Set.copyOf(suite.cases()));
            }
        }
        Map<String, List<OpCase>> ops = OpCases.chosen(1).stream()
                .collect(Collectors.groupingBy(OpCase::op, LinkedHashMap::new, Collectors.toList()));
        ops.forEach((op, cases) -> {
            List<String> counts = new ArrayList<>();
            suites.forEach((suite, runs) -> counts.add(
                    suite + " " + cases.stream().filter(runs::contains).count()));
            System.out.println(op + ": " + cases.size() + " cases; " + String.join(", ", counts) + "; "
                    + String.join(
                            " ",
                            Calls.of(cases.getFirst()).stream()
                                    .map(Method::getName)
                                    .sorted()
                                    .distinct()
                                    .toList()));
            for (OpCase of : cases) {
                System.out.println("  " + of.name() + "  "
                        + suites.entrySet().stream()
                                .filter(suite -> suite.getValue().contains(of))
                                .map(Map.Entry::getKey)
                                .collect(Collectors.joining(" ")));
            }
        });
    }

    /** Null where it is not on the class path. */
    private static BackendConformance suite(String name) throws ReflectiveOperationException {
        try {
            Constructor<?> constructor = Class.forName(name).getDeclaredConstructor();
            constructor.setAccessible(true);
            return (BackendConformance) constructor.newInstance();
        } catch (ClassNotFoundException e) {
            return null;
        }
    }
}
