package org.calm4j.kernels.driver;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Set;
import jcuda.CudaException;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUresult;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.AtomicFile;

/**
 * The kernels in loadable form: PTX, which the driver compiles for its device, or, if the driver cannot, the output of JCuda's own compiler
 * for it, kept under its hash for the next start. A build may also have them compiled for one architecture; that is preferred there.
 */
public final class KernelImage {
    /** The place of the kernels in a build. */
    private static final String FOLDER = "/org/calm4j/kernels/";

    private static final String RESOURCE = "kernels.ptx";
    /** A property: the driver compiles the PTX even where there are kernels for its architecture. */
    private static final String JIT = "calm4j.jit";
    /** The start of the PTX, before the hash of its sources. */
    private static final String SOURCES = "// sources: ";

    private static final int HASH_DIGITS = 16;
    /** The results of a driver without a compiler, or with an old one. */
    private static final Set<Integer> CANNOT_COMPILE = Set.of(
            CUresult.CUDA_ERROR_JIT_COMPILER_NOT_FOUND,
            CUresult.CUDA_ERROR_INVALID_PTX,
            CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
            CUresult.CUDA_ERROR_JIT_COMPILATION_DISABLED,
            CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU);

    private final CudaModule module;
    private final String how;

    private KernelImage(CudaModule module, String how) {
        this.module = module;
        this.how = how;
    }

    static KernelImage load(CudaContext context) {
        byte[] ptx = ptx();
        String architecture = "sm_" + context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
                + context.attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
        byte[] compiled = Boolean.getBoolean(JIT) ? null : resource(compiledFor(architecture, ptx));
        if (compiled != null) {
            try {
                return new KernelImage(new CudaModule(compiled), "kernels compiled for " + architecture + "a");
            } catch (CudaException e) {
                // A driver older than the compiler can still load the PTX.
            }
        }
        try {
            return new KernelImage(new CudaModule(ptx), "kernels compiled by the driver");
        } catch (CudaException e) {
            if (CANNOT_COMPILE.stream()
                    .noneMatch(code -> String.valueOf(e.getMessage()).contains(CUresult.stringFor(code)))) {
                throw CalmException.failed("the GPU refuses the kernels: " + e.getMessage(), e);
            }
            return new KernelImage(new CudaModule(cached(ptx, architecture)), "kernels compiled by JCuda's compiler");
        }
    }

    /** What this build has, in words. */
    static String describeForm() {
        return KernelImage.class.getResource(FOLDER + RESOURCE) == null
                ? "none in this build"
                : "PTX, compiled by the driver, or by JCuda's compiler where the driver has none";
    }

    /** With a zero at the end, as the driver and the compiler need it. */
    public static byte[] ptx() {
        byte[] text = resource(RESOURCE);
        if (text == null) {
            throw CalmException.failed(
                    "this build has no CUDA kernels (" + RESOURCE + "); ",
                    Setting.of("device").at("cpu"),
                    " runs without");
        }
        return Arrays.copyOf(text, text.length + 1);
    }

    /** The name of the kernels compiled for one architecture, from the same sources: the PTX begins with their hash. */
    public static String compiledFor(String architecture, byte[] ptx) {
        String first =
                new String(ptx, 0, Math.min(ptx.length, SOURCES.length() + HASH_DIGITS), StandardCharsets.US_ASCII);
        return "kernels-" + first.substring(Math.min(first.length(), SOURCES.length())) + "." + architecture
                + "a.fatbin";
    }

    /** Null if the build has none of that name. */
    private static byte[] resource(String name) {
        try (InputStream in = KernelImage.class.getResourceAsStream(FOLDER + name)) {
            return in == null ? null : in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    CudaModule module() {
        return module;
    }

    String describe() {
        return how;
    }

    private static byte[] cached(byte[] ptx, String architecture) {
        String cache = System.getenv("XDG_CACHE_HOME");
        Path folder =
                (cache == null ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(cache)).resolve("calm4j");
        Path file = folder.resolve(hash(ptx) + "-" + architecture + ".cubin");
        try {
            if (Files.exists(file)) {
                return Files.readAllBytes(file);
            }
        } catch (IOException e) {
            // Treated as missing.
        }
        byte[] cubin = compile(ptx, architecture);
        try {
            Files.createDirectories(folder);
            AtomicFile.write(file, out -> out.write(cubin));
        } catch (IOException | CalmException e) {
            // If nothing can be kept, each start compiles.
        }
        return cubin;
    }

    private static String hash(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * @param ptx with a zero at the end
     * @param architecture such as {@code sm_80}
     * @throws CalmException failed: the compiler refuses it, with its message
     */
    public static byte[] compile(byte[] ptx, String architecture, String... options) {
        CudaNatives.loadCompiler();
        String[] all = Arrays.copyOf(options, options.length + 1);
        all[options.length] = "--gpu-name=" + architecture;
        nvPTXCompilerHandle handle = new nvPTXCompilerHandle();
        JNvPTXCompiler.nvPTXCompilerCreate(handle, ptx.length, ptx);
        try {
            JNvPTXCompiler.nvPTXCompilerCompile(handle, all.length, all);
            long[] size = new long[1];
            JNvPTXCompiler.nvPTXCompilerGetCompiledProgramSize(handle, size);
            byte[] cubin = new byte[Math.toIntExact(size[0])];
            JNvPTXCompiler.nvPTXCompilerGetCompiledProgram(handle, cubin);
            return cubin;
        } catch (CudaException e) {
            throw CalmException.failed(
                    "the kernels do not compile for " + architecture + ": "
                            + errors(handle).strip(),
                    e);
        } finally {
            JNvPTXCompiler.nvPTXCompilerDestroy(handle);
        }
    }

    private static String errors(nvPTXCompilerHandle handle) {
        long[] size = new long[1];
        JNvPTXCompiler.nvPTXCompilerGetErrorLogSize(handle, size);
        byte[] log = new byte[Math.toIntExact(size[0]) + 1];
        JNvPTXCompiler.nvPTXCompilerGetErrorLog(handle, log);
        return CudaContext.text(log);
    }
}
