package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;
import org.calm4j.kernels.driver.CudaContext;
import org.calm4j.kernels.driver.CudaNatives;
import org.calm4j.kernels.driver.KernelImage;
import org.calm4j.standin.StandIn;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The kernels' PTX through a real assembler, the one in JCuda's own library, for every GPU that it knows: nothing may spill, and registers
 * and shared memory are those of a table, so that a change is seen.
 */
final class PtxTest {
    private static final List<String> ARCHITECTURES = List.of("sm_80", "sm_86", "sm_89", "sm_90");
    private static final String TABLE = "registers.txt";
    private static final Pattern ENTRY = Pattern.compile("Compiling entry function '(\\w+)'");
    private static final Pattern PROPERTIES = Pattern.compile("(\\d+) bytes stack frame, (\\d+) bytes spill stores");
    private static final Pattern USED = Pattern.compile("Used (\\d+) registers(?:.*?, (\\d+) bytes smem)?");

    @Tag("slow")
    @Test
    void assemblesWithoutSpills() throws IOException {
        assumeFalse(StandIn.isPresent() && StandIn.isCheck(), "once is enough");
        Map<String, List<String>> rows = new TreeMap<>();
        for (String architecture : ARCHITECTURES) {
            read(compile(architecture), architecture, rows);
        }
        StringBuilder table =
                new StringBuilder("kernel " + String.join(" ", ARCHITECTURES) + " (registers/shared bytes)\n");
        rows.forEach((kernel, cells) ->
                table.append(kernel).append(' ').append(String.join(" ", cells)).append('\n'));
        Path made = Files.createDirectories(Path.of("target")).resolve(TABLE);
        Files.writeString(made, table);
        try (InputStream in = PtxTest.class.getResourceAsStream(TABLE)) {
            String recorded = in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8);
            assertThat(table.toString())
                    .as("what the kernels take; where a change is meant, %s replaces the recorded table", made)
                    .isEqualTo(recorded);
        }
    }

    private static void read(String log, String architecture, Map<String, List<String>> rows) {
        String kernel = null;
        for (String line : log.split("\n")) {
            Matcher entry = ENTRY.matcher(line);
            Matcher properties = PROPERTIES.matcher(line);
            Matcher used = USED.matcher(line);
            if (entry.find()) {
                kernel = entry.group(1);
            } else if (properties.find()) {
                assertThat(properties.group(1) + " bytes of stack, " + properties.group(2) + " spilled")
                        .as("%s for %s", kernel, architecture)
                        .isEqualTo("0 bytes of stack, 0 spilled");
            } else if (used.find()) {
                rows.computeIfAbsent(kernel, name -> new ArrayList<>())
                        .add(used.group(1) + "/" + (used.group(2) == null ? "0" : used.group(2)));
            }
        }
    }

    /** The assembler's report. */
    private static String compile(String architecture) {
        CudaNatives.loadCompiler();
        byte[] ptx = KernelImage.ptx();
        nvPTXCompilerHandle handle = new nvPTXCompilerHandle();
        JNvPTXCompiler.nvPTXCompilerCreate(handle, ptx.length, ptx);
        String[] options = {"--gpu-name=" + architecture, "--verbose"};
        JNvPTXCompiler.nvPTXCompilerCompile(handle, options.length, options);
        long[] size = new long[1];
        JNvPTXCompiler.nvPTXCompilerGetInfoLogSize(handle, size);
        byte[] log = new byte[Math.toIntExact(size[0]) + 1];
        JNvPTXCompiler.nvPTXCompilerGetInfoLog(handle, log);
        JNvPTXCompiler.nvPTXCompilerDestroy(handle);
        return CudaContext.text(log);
    }

    /** What a machine whose driver has no compiler gets. */
    @Test
    void compilesToACubin() {
        assumeFalse(StandIn.isPresent() && StandIn.isCheck(), "once is enough");
        assertThat(new String(KernelImage.compile(KernelImage.ptx(), "sm_80"), 0, 4, StandardCharsets.ISO_8859_1))
                .isEqualTo("\u007fELF");
    }
}
