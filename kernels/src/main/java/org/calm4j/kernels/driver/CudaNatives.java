package org.calm4j.kernels.driver;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.nvptxcompiler.JNvPTXCompiler;

/**
 * Loads JCuda's native libraries. By itself JCuda unpacks them under fixed names into the temp folder, which all users of a machine share;
 * here they go into a private folder of this process, which is gone as soon as they are loaded.
 */
public final class CudaNatives {
    private static final String TEMP_FOLDER = "java.io.tmpdir";
    private static boolean driver;
    private static boolean cublas;
    private static boolean compiler;

    private CudaNatives() {}

    /** @throws LinkageError when the CUDA driver's library is not there */
    public static synchronized void loadDriver() {
        if (!driver) {
            privately(() -> JCudaDriver.setExceptionsEnabled(true));
            driver = true;
        }
    }

    /** @throws LinkageError when cuBLAS is not there; {@link CublasLibrary} finds it first */
    public static synchronized void loadCublas() {
        if (!cublas) {
            privately(() -> JCublas2.setExceptionsEnabled(true));
            cublas = true;
        }
    }

    public static synchronized void loadCompiler() {
        if (!compiler) {
            privately(() -> JNvPTXCompiler.setExceptionsEnabled(true));
            compiler = true;
        }
    }

    private static void privately(Runnable load) {
        String before = System.getProperty(TEMP_FOLDER);
        try {
            Path folder = Files.createTempDirectory("calm4j-natives");
            System.setProperty(TEMP_FOLDER, folder.toString());
            try {
                load.run();
            } finally {
                System.setProperty(TEMP_FOLDER, before);
                delete(folder);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot unpack JCuda's libraries into " + before + ": " + e.getMessage(), e);
        }
    }

    // What is loaded stays loaded when its file is gone; where a system forbids that, it stays.
    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                file.toFile().delete();
            }
        }
        folder.toFile().delete();
    }
}
