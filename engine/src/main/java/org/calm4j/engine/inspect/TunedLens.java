package org.calm4j.engine.inspect;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.config.ModelConfig;
import org.calm4j.engine.io.AtomicFile;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/**
 * One affine map of the residual stream per layer, {@code x + W·x + b}, after which the last norm and the head read it (Belrose et al. 2023,
 * arXiv 2303.08112, eq. 3). With W and b of zeros, as it begins, it is the logit lens. The stream after the last block has no map.
 */
public final class TunedLens implements AutoCloseable {
    private static final String CONFIG = "config.json";
    private static final String PARAMETERS = "params.safetensors";
    private static final String TYPE = "linear_tuned_lens";

    /** The file's fields that are read, named as in the authors' package. */
    private record Config(
            @JsonProperty("lens_type") String lensType,
            @JsonProperty("d_model") int hiddenSize,
            @JsonProperty("num_hidden_layers") int layers) {}

    private final Backend backend;
    private final ModelConfig config;
    private final Slab slab;

    /** The logit lens. */
    public TunedLens(Backend backend, ModelConfig config) {
        this.backend = backend;
        this.config = config;
        slab = zeros(backend, config);
    }

    /** Tensors of the shapes of a lens. */
    static Slab zeros(Backend backend, ModelConfig config) {
        Slab.Plan plan = new Slab.Plan();
        for (int layer = 0; layer < config.layers(); layer++) {
            plan.add(layer + ".weight", backend.computeType(), config.hiddenSize(), config.hiddenSize());
            plan.add(layer + ".bias", backend.computeType(), config.hiddenSize());
        }
        return plan.allocate(backend::allocate);
    }

    /**
     * A folder with {@code config.json} and {@code params.safetensors}.
     *
     * @throws CalmException bad input: of another kind or of a model of another shape, or not finite
     */
    public static TunedLens read(Path folder, Backend backend, ModelConfig config) {
        Path file = folder.resolve(CONFIG);
        Config found = Json.read(file, Config.class);
        if (!TYPE.equals(found.lensType)) {
            throw CalmException.badInput(file, "lens_type is " + found.lensType + " and not " + TYPE);
        }
        if (found.hiddenSize != config.hiddenSize() || found.layers != config.layers()) {
            throw CalmException.badInput(
                    file,
                    "is for a model of " + found.layers + " layers of width " + found.hiddenSize + "; this one has "
                            + config.layers() + " of width " + config.hiddenSize());
        }
        TunedLens lens = new TunedLens(backend, config);
        try (Safetensors tensors = Safetensors.open(folder.resolve(PARAMETERS))) {
            for (Tensor to : lens.slab.tensors()) {
                Tensor from = tensors.tensors().get(to.name());
                if (from == null || from.size() != to.size()) {
                    throw CalmException.badInput(
                            folder.resolve(PARAMETERS), "tensor " + to.name() + " is missing or has another size");
                }
                for (long i = 0; i < from.size(); i++) {
                    if (!Double.isFinite(from.get(i))) {
                        throw CalmException.badInput(
                                folder.resolve(PARAMETERS), "tensor " + to.name() + " is not finite");
                    }
                }
                backend.copy(to, from);
            }
            return lens;
        } catch (RuntimeException e) {
            lens.close();
            throw e;
        }
    }

    /**
     * Writes it as {@link #read} wants it.
     *
     * @param more about the lens, for people
     */
    public void write(Path folder, Map<String, ?> more) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("lens_type", TYPE);
        fields.put("d_model", config.hiddenSize());
        fields.put("num_hidden_layers", config.layers());
        fields.put("bias", true);
        fields.putAll(more);
        AtomicFile.folder(folder, to -> {
            Json.write(to.resolve(CONFIG), fields);
            Safetensors.write(to.resolve(PARAMETERS), slab.tensors(), Map.of("format", "pt"));
        });
    }

    /**
     * Maps a residual stream.
     *
     * @param to (T,C), set
     * @param stream (T,C)
     * @param layer 0 before the first block, l after block l − 1
     */
    void map(Tensor to, Tensor stream, int layer) {
        backend.copy(to, stream);
        if (layer < config.layers()) {
            backend.linearForward(to, stream, slab.get(layer + ".weight"), 1, true);
            backend.biasForward(to, slab.get(layer + ".bias"));
        }
    }

    List<Tensor> tensors() {
        return List.copyOf(slab.tensors());
    }

    @Override
    public void close() {
        slab.close();
    }
}
