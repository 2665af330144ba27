package org.calm4j.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What makes the PTX anew: the kernels' code, and not what is said about it. */
final class KernelHashTest {
    private static final String CODE = """
            // Twice x.
            #define TWO 2
            __global__ void twice(float *x, int n) {
                if (threadIdx.x < n) x[threadIdx.x] *= TWO;
            }
            """;

    @TempDir
    private Path folder;

    @Test
    void commentsAndBlanksDoNotMatter() throws Exception {
        String hash = hash(CODE);
        assertThat(hash).matches("[0-9a-f]{64}");
        assertThat(hash(CODE.replace("Twice x", "Every element of x, doubled"))).isEqualTo(hash);
        assertThat(hash(CODE.replace("// Twice x.\n", "/* Twice\n   \"x\". */\n\n")))
                .isEqualTo(hash);
        assertThat(hash(CODE.replace("    if", "\t  if").replace(";\n", ";  // in place\n\n")))
                .isEqualTo(hash);
    }

    @Test
    void codeDoes() throws Exception {
        String hash = hash(CODE);
        assertThat(hash(CODE.replace("TWO 2", "TWO 3"))).isNotEqualTo(hash);
        assertThat(hash(CODE.replace("2\n", "2 "))).isNotEqualTo(hash);
        assertThat(hash(CODE.replace("#define", "// #define"))).isNotEqualTo(hash);
    }

    @Test
    void quotesHoldWhatIsNoComment() throws Exception {
        String text = "const char *address = \"http://a\", quote = '\"'; // ";
        assertThat(hash(text + "here")).isEqualTo(hash(text + "there"));
        assertThat(hash(text.replace("//a", "//b"))).isNotEqualTo(hash(text));
        assertThat(hash(text.replace("http://", "http:/ /"))).isNotEqualTo(hash(text));
    }

    private String hash(String code) throws IOException, InterruptedException {
        Files.writeString(folder.resolve("twice.cuh"), "");
        Files.writeString(folder.resolve("twice.cu"), code);
        Process process = new ProcessBuilder("sh", "../native/hash", folder.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String hash = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertThat(process.waitFor()).isZero();
        return hash;
    }
}
