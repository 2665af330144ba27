package org.calm4j.kernels;

import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.calm4j.engine.op.BackendConformance;
import org.calm4j.engine.op.cases.Calls;
import org.calm4j.engine.op.cases.OpCase;
import org.calm4j.engine.op.cases.OpCases;
import org.junit.jupiter.api.Test;

/** Not a test: {@code ./dev test op --list} prints the cases of all operations, and which suites run each on this machine. */
final class ListOperations {
    private static final List<String> SUITES = List.of(
            "org.calm4j.engine.op.simd.SimdBackendTest",
            "org.calm4j.kernels.CudaBackendConformanceTest",
            "org.calm4j.kernels.CudaBf16ConformanceTest");

    @Test
    void list() throws ReflectiveOperationException {
        Map<String, Set<OpCase>> suites = new LinkedHashMap<>();
        for (String name : SUITES) {
            Constructor<?> constructor = Class.forName(name).getDeclaredConstructor();
            constructor.setAccessible(true);
            suites.put(
                    name.replaceFirst(".*\\.", ""),
                    Set.copyOf(((BackendConformance) constructor.newInstance()).cases()));
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
}
