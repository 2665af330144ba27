package org.calm4j.kernels;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds cuBLAS, also where the system's loader does not look by itself. JCuda's library asks for version 12 by name; where there is only
 * version 13, a small library of that name passes the calls on (native/src/main/c).
 */
final class CublasLibrary {
    private static final String SHIM = "libcublas.so.12";
    private static boolean shimLoaded;

    private CublasLibrary() {
    }

    /** Loads it and says in a few words what was found where; null when it is nowhere. */
    static synchronized String load() {
        String found = load(12);
        if (found != null && !shimLoaded) {
            return found;
        }
        found = load(13);
        return found != null && loadShim() ? found : null;
    }

    @SuppressWarnings("restricted")
    private static String load(int version) {
        String name = "libcublas.so." + version;
        if (opens(name)) {
            return "version " + version + ", from the library path";
        }
        for (Path folder : folders()) {
            if (Files.exists(folder.resolve(name))) {
                try {
                    Path light = folder.resolve("libcublasLt.so." + version);
                    if (Files.exists(light)) {
                        System.load(light.toString());
                    }
                    System.load(folder.resolve(name).toString());
                    return "version " + version + ", from " + folder;
                } catch (UnsatisfiedLinkError e) {
                    continue;
                }
            }
        }
        return null;
    }

    @SuppressWarnings("restricted")
    private static boolean loadShim() {
        if (shimLoaded) {
            return true;
        }
        try (InputStream in = CublasLibrary.class.getResourceAsStream(SHIM)) {
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

    /** Where the toolkit and Python's packages put it. */
    private static List<Path> folders() {
        List<Path> folders = new ArrayList<>();
        for (String variable : new String[] {"CUDA_HOME", "CUDA_PATH"}) {
            if (System.getenv(variable) != null) {
                folders.add(Path.of(System.getenv(variable), "lib64"));
            }
        }
        below(folders, Path.of("/usr/local"), "cuda*", "lib64");
        folders.add(Path.of("/opt/cuda/lib64"));
        for (String libraries : new String[] {"/usr/lib", "/usr/local/lib", System.getProperty("user.home") + "/.local/lib"}) {
            for (String packages : new String[] {"site-packages/nvidia", "dist-packages/nvidia"}) {
                below(folders, Path.of(libraries), "python3*", packages + "/cublas/lib");
                below(folders, Path.of(libraries), "python3*", packages + "/cu13/lib");
            }
        }
        return folders;
    }

    private static void below(List<Path> to, Path parent, String glob, String child) {
        try (DirectoryStream<Path> found = Files.newDirectoryStream(parent, glob)) {
            found.forEach(folder -> to.add(folder.resolve(child)));
        } catch (IOException e) {
            // No such folder: nothing is there.
            return;
        }
    }
}
