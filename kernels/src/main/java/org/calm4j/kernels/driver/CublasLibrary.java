package org.calm4j.kernels.driver;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Finds cuBLAS, also where the system's loader does not look by itself. JCuda's library asks for version 12 by name; if there is only
 * version 13, a small library of that name passes the calls on (native/src/main/c).
 */
final class CublasLibrary {
    private static final String SHIM = "libcublas.so.12";
    private static final Path MAPPED = Path.of("/proc/self/maps");
    private static boolean shimLoaded;
    /** Libraries that were found and do not load, with the loader's message. */
    private static final Set<String> REFUSED = new LinkedHashSet<>();

    private CublasLibrary() {}

    /** Loads it and returns in a few words what was found where; null if it is not found. */
    static synchronized String load() {
        String found = load(12);
        if (found != null && !shimLoaded) {
            return found;
        }
        found = load(13);
        return found != null && loadShim() ? found : null;
    }

    /** The message if there is none: what was looked for, what was found and does not load, and what would work. */
    static synchronized String missing() {
        return "no cuBLAS (libcublas.so.12 or libcublas.so.13) on the library path, in CUDA_HOME, in an active Python environment or that of"
                + " the python3 on the PATH, in /usr/local/cuda* or /opt"
                + (REFUSED.isEmpty() ? "" : ", that loads (" + String.join("; ", REFUSED) + ")")
                + "; any of these will do: pip install nvidia-cublas-cu12, for a driver of CUDA 13 also pip install nvidia-cublas;"
                + " apt install libcublas12, or from NVIDIA's repository libcublas-12-8 or libcublas-13-0; LD_LIBRARY_PATH with its folder";
    }

    private static String load(int version) {
        String name = "libcublas.so." + version;
        if (opens(name)) {
            return "version " + version + ", from the library path" + mapped(name);
        }
        for (Path folder : CublasFolders.of(CublasLibrary::variable, Path.of("/"))) {
            Path library = folder.resolve(name);
            if (Files.exists(library) && loads(folder.resolve("libcublasLt.so." + version)) && loads(library)) {
                return "version " + version + ", from " + folder;
            }
        }
        return null;
    }

    static String variable(String name) {
        String value = System.getenv(name);
        return value == null && name.equals("HOME") ? System.getProperty("user.home") : value;
    }

    /** Loads an existing library; a missing one may be found by the other's own list of places. */
    @SuppressWarnings("restricted")
    private static boolean loads(Path library) {
        try {
            if (Files.exists(library)) {
                System.load(library.toAbsolutePath().toString());
            }
            return true;
        } catch (UnsatisfiedLinkError e) {
            REFUSED.add(String.valueOf(e.getMessage()).lines().findFirst().orElse(library.toString()));
            return false;
        }
    }

    /** The file that the loader used, in brackets, if the system reports it. */
    private static String mapped(String name) {
        try (Stream<String> lines = Files.lines(MAPPED)) {
            return lines.filter(line -> line.contains("/" + name))
                    .findFirst()
                    .map(line -> " (" + line.substring(line.indexOf('/')) + ")")
                    .orElse("");
        } catch (IOException | UncheckedIOException e) {
            return "";
        }
    }

    @SuppressWarnings("restricted")
    private static boolean loadShim() {
        if (shimLoaded) {
            return true;
        }
        try (InputStream in = CublasLibrary.class.getResourceAsStream("/org/calm4j/kernels/" + SHIM)) {
            if (in == null) {
                return false;
            }
            Path folder = Files.createTempDirectory("calm4j-natives");
            Path file = folder.resolve(SHIM);
            try {
                Files.copy(in, file);
                System.load(file.toString());
                shimLoaded = true;
            } finally {
                Files.deleteIfExists(file);
                Files.delete(folder);
            }
            return true;
        } catch (UnsatisfiedLinkError e) {
            return false;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @SuppressWarnings("restricted")
    static boolean opens(String library) {
        try {
            SymbolLookup.libraryLookup(library, Arena.global());
            return true;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }
}
