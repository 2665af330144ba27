package org.calm4j.kernels.driver;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * The folders that may have cuBLAS although the system's loader does not look there: those of a CUDA toolkit, and those of Python environments, into
 * which PyTorch installs it.
 */
final class CublasFolders {
    /** The usual name of a Python environment. */
    private static final List<String> ENVIRONMENTS = List.of(".venv", "venv");
    /** The number of links that a system follows before it assumes a cycle. */
    private static final int MOST_LINKS = 40;

    private final UnaryOperator<String> environment;
    private final Path root;
    private final Set<Path> folders = new LinkedHashSet<>();

    private CublasFolders(UnaryOperator<String> environment, Path root) {
        this.environment = environment;
        this.root = root;
    }

    /**
     * The folders that exist, the most deliberately chosen first: a named toolkit, the active environment, that of the {@code python3}
     * on the path, then the usual places.
     *
     * @param environment variables by name, null if not set
     * @param root of the file system
     */
    static List<Path> of(UnaryOperator<String> environment, Path root) {
        CublasFolders found = new CublasFolders(environment, root);
        found.toolkit(found.variable("CUDA_HOME"));
        found.toolkit(found.variable("CUDA_PATH"));
        found.prefix(found.variable("VIRTUAL_ENV"));
        found.prefix(found.variable("CONDA_PREFIX"));
        found.paths("PYTHONPATH").forEach(found::packages);
        found.pythonOnThePath();
        found.usualPlaces();
        return List.copyOf(found.folders);
    }

    private void usualPlaces() {
        below(root.resolve("usr/local"), "cuda*").forEach(this::toolkit);
        for (String prefix : new String[] {"usr", "usr/local"}) {
            prefix(root.resolve(prefix));
        }
        Path home = variable("HOME");
        if (home != null) {
            prefix(home.resolve(".local"));
            ENVIRONMENTS.forEach(name -> prefix(home.resolve(name)));
            below(home.resolve(".pyenv/versions"), "*").forEach(this::prefix);
        }
        for (Path optional : below(root.resolve("opt"), "*")) {
            toolkit(optional);
            prefix(optional);
            ENVIRONMENTS.forEach(name -> prefix(optional.resolve(name)));
        }
    }

    /** A toolkit has its libraries in {@code lib64}, or, if it is for several systems, in a folder for this one. */
    private void toolkit(Path toolkit) {
        if (toolkit != null) {
            add(toolkit.resolve("lib64"));
            add(toolkit.resolve("targets/x86_64-linux/lib"));
        }
    }

    /** The installation folder of Python or conda: libraries in {@code lib}, packages below it. */
    private void prefix(Path prefix) {
        if (prefix == null) {
            return;
        }
        for (String lib : new String[] {"lib", "lib64"}) {
            for (Path python : below(prefix.resolve(lib), "python3*")) {
                packages(python.resolve("site-packages"));
                packages(python.resolve("dist-packages"));
            }
            // Debian's own packages are shared by all its versions of Python.
            packages(prefix.resolve(lib).resolve("python3/dist-packages"));
        }
        add(prefix.resolve("lib"));
        add(prefix.resolve("targets/x86_64-linux/lib"));
    }

    /** NVIDIA's packages: {@code nvidia/cublas} of CUDA 12, {@code nvidia/cu13} of 13; and what PyTorch may bring itself. */
    private void packages(Path packages) {
        below(packages.resolve("nvidia"), "*").forEach(of -> add(of.resolve("lib")));
        add(packages.resolve("torch/lib"));
    }

    /**
     * The first {@code python3}, or else {@code python}, on the path. A virtual environment's is a link, or a link to a link, and the
     * environment is around it, not around what it leads to; that one comes after.
     */
    private void pythonOnThePath() {
        for (String name : new String[] {"python3", "python"}) {
            for (Path folder : paths("PATH")) {
                Path python = folder.resolve(name);
                if (Files.isExecutable(python) && !Files.isDirectory(python)) {
                    around(python);
                    return;
                }
            }
        }
    }

    private void around(Path python) {
        Path link = python.toAbsolutePath().normalize();
        for (int links = 0; links < MOST_LINKS; links++) {
            Path prefix = parent(parent(link));
            prefix(prefix);
            prefix(prefix == null ? null : madeOf(prefix.resolve("pyvenv.cfg")));
            try {
                if (!Files.isSymbolicLink(link)) {
                    return;
                }
                link = parent(link).resolve(Files.readSymbolicLink(link)).normalize();
            } catch (IOException e) {
                return;
            }
        }
    }

    /** The prefix of the Python that an environment was made from; null if the file does not name it. */
    private static Path madeOf(Path configuration) {
        try {
            for (String line : Files.readAllLines(configuration)) {
                String[] setting = line.split("=", 2);
                if (setting.length == 2 && setting[0].strip().equals("home")) {
                    return parent(path(setting[1].strip()));
                }
            }
        } catch (IOException e) {
            return null;
        }
        return null;
    }

    private Path variable(String name) {
        String value = environment.apply(name);
        return value == null || value.isBlank() ? null : path(value);
    }

    private List<Path> paths(String variable) {
        List<Path> paths = new ArrayList<>();
        String value = environment.apply(variable);
        for (String part : value == null ? new String[0] : value.split(":")) {
            Path path = part.isBlank() ? null : path(part);
            if (path != null) {
                paths.add(path);
            }
        }
        return paths;
    }

    private void add(Path folder) {
        if (Files.isDirectory(folder)) {
            folders.add(folder);
        }
    }

    /** Later names first, so that a newer version comes before an older one. */
    private static List<Path> below(Path parent, String glob) {
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> children = Files.newDirectoryStream(parent, glob)) {
            children.forEach(found::add);
        } catch (IOException e) {
            // No such folder: nothing is there.
            return List.of();
        }
        found.sort(Comparator.reverseOrder());
        return found;
    }

    private static Path parent(Path path) {
        return path == null ? null : path.getParent();
    }

    private static Path path(String text) {
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            return null;
        }
    }
}
