package org.calm4j.kernels;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Finds cuBLAS 12, which JCuda's library needs under that name, where the system's loader does not look by itself. */
final class CublasLibrary {
    static final String NAME = "libcublas.so.12";
    private static final String LIGHT = "libcublasLt.so.12";

    private CublasLibrary() {
    }

    /** Loads it and says where it was found; null when it is nowhere. */
    @SuppressWarnings("restricted")
    static String load() {
        if (opens(NAME)) {
            return "library path";
        }
        for (Path folder : folders()) {
            if (Files.exists(folder.resolve(NAME))) {
                try {
                    if (Files.exists(folder.resolve(LIGHT))) {
                        System.load(folder.resolve(LIGHT).toString());
                    }
                    System.load(folder.resolve(NAME).toString());
                    return folder.toString();
                } catch (UnsatisfiedLinkError e) {
                    continue;
                }
            }
        }
        return null;
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
            below(folders, Path.of(libraries), "python3*", "site-packages/nvidia/cublas/lib");
            below(folders, Path.of(libraries), "python3*", "dist-packages/nvidia/cublas/lib");
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
