package org.calm4j.kernels.driver;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where cuBLAS is looked for, in trees of folders as machines have them. */
final class CublasFoldersTest {
    @TempDir
    private Path root;

    /** Each in a file system that has only this: the folder of the library is among those that are looked into. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            nullValues = "-",
            value = {
                // A toolkit.
                "CUDA_HOME=/opt/tools/cuda-12.4               | opt/tools/cuda-12.4/lib64",
                "CUDA_PATH=/sw/cuda                           | sw/cuda/targets/x86_64-linux/lib",
                "-                                            | usr/local/cuda/lib64",
                "-                                            | usr/local/cuda-13.0/lib64",
                "-                                            | usr/local/cuda-13.0/targets/x86_64-linux/lib",
                "-                                            | opt/cuda/lib64",
                // Environments that are active.
                "VIRTUAL_ENV=/srv/env                        | srv/env/lib/python3.12/site-packages/nvidia/cublas/lib",
                "VIRTUAL_ENV=/srv/env                        | srv/env/lib/python3.13/site-packages/nvidia/cu13/lib",
                "VIRTUAL_ENV=/srv/env                        | srv/env/lib64/python3.11/site-packages/nvidia/cu13/lib",
                "VIRTUAL_ENV=/srv/env                        | srv/env/lib/python3.10/site-packages/torch/lib",
                "CONDA_PREFIX=/sw/conda/envs/torch            | sw/conda/envs/torch/lib",
                "CONDA_PREFIX=/sw/conda/envs/torch            | sw/conda/envs/torch/targets/x86_64-linux/lib",
                "CONDA_PREFIX=/sw/conda/envs/torch            | sw/conda/envs/torch/lib/python3.12/site-packages/nvidia/cublas/lib",
                "PYTHONPATH=/nowhere:/srv/packages            | srv/packages/nvidia/cu13/lib",
                // What is installed for all, or for one user.
                "-                                            | usr/local/lib/python3.12/dist-packages/nvidia/cu13/lib",
                "-                                            | usr/lib/python3/dist-packages/nvidia/cublas/lib",
                "HOME=/home/me                                | home/me/.local/lib/python3.12/site-packages/nvidia/cublas/lib",
                "HOME=/home/me                                | home/me/.venv/lib/python3.12/site-packages/nvidia/cu13/lib",
                "HOME=/home/me                                | home/me/.pyenv/versions/3.12.1/lib/python3.12/site-packages/nvidia/cu13/lib",
                "-                                            | opt/conda/lib",
                "-                                            | opt/conda/lib/python3.11/site-packages/nvidia/cublas/lib",
                "-                                            | opt/server/.venv/lib/python3.12/site-packages/nvidia/cu13/lib",
                "-                                            | opt/server/venv/lib/python3.12/site-packages/nvidia/cublas/lib",
            })
    void looksInto(String variable, String library) throws IOException {
        Path folder = Files.createDirectories(root.resolve(library));
        assertThat(folders(variable == null ? new String[0] : new String[] {variable}))
                .contains(folder);
    }

    /** The python3 on the path: a link out of an environment leads away from its packages. */
    @Test
    void theEnvironmentOfThePythonOnThePath() throws IOException {
        Path system = python("usr/bin/python3");
        Files.createDirectories(root.resolve("venv/bin"));
        Files.createSymbolicLink(root.resolve("venv/bin/python3"), system);
        Path environment = Files.createDirectories(root.resolve("venv/lib/python3.12/site-packages/nvidia/cu13/lib"));
        Path under = Files.createDirectories(root.resolve("usr/lib/python3.12/site-packages/nvidia/cublas/lib"));
        assertThat(folders("PATH=/empty:/venv/bin:/usr/bin")).containsSubsequence(environment, under);
        // A link to it from elsewhere, as a user's own folder of programs has.
        Files.createDirectories(root.resolve("me/bin"));
        Files.createSymbolicLink(root.resolve("me/bin/python3"), Path.of("../../venv/bin/python3"));
        assertThat(folders("PATH=/me/bin")).contains(environment);
    }

    /** An environment whose python3 is a copy says in a file where it comes from; that one may have the packages. */
    @Test
    void theFileOfAnEnvironment() throws IOException {
        python("venv/bin/python3");
        Files.writeString(
                root.resolve("venv/pyvenv.cfg"),
                "include-system-site-packages = true\nhome = " + root.resolve("opt-python/bin") + "\n");
        Path folder = Files.createDirectories(root.resolve("opt-python/lib/python3.12/site-packages/nvidia/cu13/lib"));
        assertThat(folders("PATH=/venv/bin")).contains(folder);
    }

    /** Named before found, an environment before the system's, newer before older. */
    @Test
    void theMostDeliberateFirst() throws IOException {
        python("bin/python3");
        List<Path> all = List.of(
                root.resolve("tools/lib64"),
                root.resolve("env/lib/python3.12/site-packages/nvidia/cublas/lib"),
                root.resolve("lib/python3.12/site-packages/nvidia/cublas/lib"),
                root.resolve("usr/local/cuda-13.0/lib64"),
                root.resolve("usr/local/cuda-12.4/lib64"),
                root.resolve("opt/x/lib"));
        for (Path folder : all) {
            Files.createDirectories(folder);
        }
        assertThat(folders("CUDA_HOME=/tools", "VIRTUAL_ENV=/env", "PATH=/bin")).containsSubsequence(all);
    }

    /** Links in a circle, folders in place of programs, names that are none. */
    @Test
    void whatIsOutOfOrderIsPassedOver() throws IOException {
        Files.createDirectories(root.resolve("circle"));
        Files.createSymbolicLink(root.resolve("circle/python3"), Path.of("python3"));
        Files.createDirectories(root.resolve("folder/python3"));
        assertThat(folders("PATH=/circle:/folder:", "VIRTUAL_ENV=", "CUDA_HOME=/none", "CONDA_PREFIX=a\0b"))
                .isEmpty();
    }

    private Path python(String path) throws IOException {
        Path python = root.resolve(path);
        Files.createDirectories(python.getParent());
        Files.writeString(python, "");
        assertThat(python.toFile().setExecutable(true)).isTrue();
        return python;
    }

    /** @param variables such as {@code HOME=/home}, their paths below the root */
    private List<Path> folders(String... variables) {
        Map<String, String> environment = new HashMap<>();
        for (String variable : variables) {
            String[] parts = variable.split("=", 2);
            environment.put(
                    parts[0],
                    String.join(
                            ":",
                            Arrays.stream(parts[1].split(":"))
                                    .map(path -> path.isEmpty() ? "" : root + path)
                                    .toList()));
        }
        return CublasFolders.of(environment::get, root);
    }
}
