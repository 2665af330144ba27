package org.calm4j.engine.op.simd;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.cases.OpCase;
import org.calm4j.engine.op.cases.OpCases;
import org.calm4j.engine.op.cases.Trial;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * That the compiler turns every call of the Vector API in a kernel into an instruction. Where it does not, vectors become objects and the kernel
 * five to forty times slower, with right results; so no other test would notice.
 */
@Tag("slow")
class InliningTest {
    /** Of each operation, whether it has few cases or many. */
    private static final int RUNS = 2000;
    /**
     * A method that the second compiler begins: time, number, flags, level 4, name. One that is entered in the middle of a loop (%) has its vectors from
     * the interpreter, as objects of unknown kind, and is for once.
     */
    private static final Pattern COMPILED = Pattern.compile("^ *\\d+ +\\d+ +([%sb!n ]*) +([0-4]) +(\\S+::\\S+) ");

    private static final Pattern VECTOR_CALL =
            Pattern.compile("@ (\\d+) +(jdk\\.(?:incubator|internal\\.vm)\\.vector\\S+) .*");

    /** The work of the other process: all operations until they are compiled. */
    static final class Kernels {
        public static void main(String[] args) {
            try (Backend backend = new SimdBackend(1)) {
                OpCases.all().stream()
                        .collect(Collectors.groupingBy(OpCase::op))
                        .values()
                        .forEach(cases -> {
                            for (int i = 0; i < RUNS; i++) {
                                run(backend, cases.get(i % cases.size()));
                            }
                        });
            }
        }

        private static void run(Backend backend, OpCase of) {
            try (Trial trial = Trial.of(of, backend)) {
                of.run(trial);
            }
        }
    }

    @Test
    void everyVectorOperationIsAnInstruction() throws Exception {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xbatch",
                        "-XX:+UnlockDiagnosticVMOptions",
                        "-XX:+PrintCompilation",
                        "-XX:+PrintInlining",
                        "--add-modules",
                        "jdk.incubator.vector",
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dcalm4j.coldStart=false",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        Kernels.class.getName())
                .redirectErrorStream(true)
                .start();
        String log = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isZero();

        Map<String, Integer> failures = new TreeMap<>();
        Map<String, Integer> compiled = new HashMap<>();
        String kernel = null;
        for (String line : log.split("\n")) {
            // The end of another compilation's life comes between a compilation and what it inlined.
            Matcher begin = COMPILED.matcher(line.contains("made not entrant") ? "" : line);
            if (begin.find()) {
                boolean ours = begin.group(2).equals("4")
                        && !begin.group(1).contains("%")
                        && begin.group(3).startsWith("org.calm4j.engine.op.simd.");
                kernel = ours ? begin.group(3).replaceFirst(".*\\.(?=\\w+::)", "") : null;
                if (ours) {
                    compiled.merge(kernel, 1, Integer::sum);
                }
            }
            Matcher call = VECTOR_CALL.matcher(line);
            if (kernel != null && call.find()) {
                String site = kernel + " @ " + call.group(1) + " " + call.group(2);
                if (line.contains("late inline succeeded")) {
                    failures.remove(site);
                } else if (line.contains("failed to inline")) {
                    failures.merge(site, 1, Integer::sum);
                }
            }
        }
        assertThat(compiled.keySet())
                .contains(
                        "Dot::four",
                        "Exp::vectors",
                        "RmsNorm::scale",
                        "GradNorm::sum",
                        "AdamWStep::chunk",
                        "Transpose::blocks")
                // How many vectors a row has depends on their width.
                .anyMatch(name -> name.matches("Mix::(fourVectors|oneVector|rows)"))
                .anyMatch(name -> name.matches("Tile[68]::add"));
        assertThat(failures).isEmpty();
    }
}
