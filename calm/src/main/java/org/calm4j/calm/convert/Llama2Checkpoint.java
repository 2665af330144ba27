package org.calm4j.calm.convert;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.tensor.DType;
import org.calm4j.engine.tensor.HostBuffer;
import org.calm4j.engine.tensor.Tensor;

/**
 * A model of karpathy's llama2.c, the {@code .bin} that its {@code run.c} reads (legacy export, version 0): seven little-endian integers
 * (dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len; a negative vocab_size says that the head has its own weights), then
 * F32 weights kind by kind: embedding, attention norms, wq, wk, wv, wo, feed-forward norms, w1, w2, w3, last norm, two tables of the rotary
 * embedding, head.
 *
 * <p>There, element 2i of a head turns with 2i + 1; in the Hugging Face layout i turns with i + D/2. So rows of wq and wk are reordered.
 */
public final class Llama2Checkpoint implements AutoCloseable {
    private static final int HEADER = 7 * 4;
    private static final int MAGIC = 0x616b3432;
    private static final int MAX_EXTENT = 1 << 24;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path file;
    private final HostBuffer buffer;
    private final List<HostBuffer> reordered = new ArrayList<>();
    private final List<Tensor> tensors = new ArrayList<>();
    private final int dim;
    private final int hiddenDim;
    private final int layers;
    private final int heads;
    private final int keyValueHeads;
    private final int vocabulary;
    private final int positions;
    private final boolean tied;
    private long at = HEADER;

    private Llama2Checkpoint(Path file, HostBuffer buffer) {
        this.file = file;
        this.buffer = buffer;
        int[] header = new int[7];
        for (int i = 0; i < header.length; i++) {
            header[i] = buffer.segment().get(INT, 4L * i);
        }
        if (header[0] == MAGIC) {
            throw CalmException.badInput(
                    file, "version " + header[1] + " of llama2.c's format; export it again with version 0");
        }
        tied = header[5] > 0;
        dim = extent("dim", header[0]);
        hiddenDim = extent("hidden_dim", header[1]);
        layers = extent("n_layers", header[2]);
        heads = extent("n_heads", header[3]);
        keyValueHeads = extent("n_kv_heads", header[4]);
        vocabulary = extent("vocab_size", tied ? header[5] : -header[5]);
        positions = extent("seq_len", header[6]);
        if (dim % heads != 0 || dim / heads % 2 != 0 || heads % keyValueHeads != 0) {
            throw CalmException.badInput(
                    file, "not a llama2.c model: " + dim + " dimensions in " + heads + " heads over " + keyValueHeads);
        }
        long width = (long) dim / heads * keyValueHeads;
        double perLayer = 2.0 * dim + 2.0 * dim * dim + 2.0 * dim * width + 3.0 * dim * hiddenDim;
        double expected = HEADER
                + 4
                        * ((tied ? 1.0 : 2.0) * vocabulary * dim
                                + layers * perLayer
                                + dim
                                + (double) positions * dim / heads);
        if (expected != buffer.bytes()) {
            throw CalmException.badInput(
                    file,
                    "not a llama2.c model, or only a part of one: its header asks for " + (long) expected
                            + " bytes, it has "
                            + buffer.bytes());
        }
    }

    private int extent(String name, int value) {
        if (value < 1 || value > MAX_EXTENT) {
            throw CalmException.badInput(file, "not a llama2.c model: " + name + " would be " + value);
        }
        return value;
    }

    /** @throws CalmException bad input: not such a model */
    public static Llama2Checkpoint open(Path file) {
        HostBuffer buffer = map(file);
        try {
            Llama2Checkpoint opened = new Llama2Checkpoint(file, buffer);
            opened.read();
            return opened;
        } catch (RuntimeException e) {
            buffer.close();
            throw e;
        }
    }

    private static HostBuffer map(Path file) {
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            if (channel.size() < HEADER) {
                throw CalmException.badInput(file, "no llama2.c model: shorter than its header");
            }
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            return new HostBuffer(mapped, arena);
        } catch (IOException e) {
            arena.close();
            throw CalmException.unreadable(file, e);
        } catch (CalmException e) {
            arena.close();
            throw e;
        }
    }

    private void read() {
        int width = dim / heads * keyValueHeads;
        take("model.embed_tokens.weight", vocabulary, dim);
        perLayer("input_layernorm", dim);
        perLayer("self_attn.q_proj", dim, dim);
        perLayer("self_attn.k_proj", width, dim);
        perLayer("self_attn.v_proj", width, dim);
        perLayer("self_attn.o_proj", dim, dim);
        perLayer("post_attention_layernorm", dim);
        perLayer("mlp.gate_proj", hiddenDim, dim);
        perLayer("mlp.down_proj", dim, hiddenDim);
        perLayer("mlp.up_proj", hiddenDim, dim);
        take("model.norm.weight", dim);
        // Cosines and sines follow from the positions.
        at += 4L * positions * (dim / heads);
        if (!tied) {
            take("lm_head.weight", vocabulary, dim);
        }
        tensors.replaceAll(tensor ->
                tensor.name().contains("q_proj") || tensor.name().contains("k_proj") ? halves(tensor) : tensor);
        tensors.sort(Comparator.comparing(Tensor::name));
    }

    private void perLayer(String name, long... shape) {
        for (int l = 0; l < layers; l++) {
            take("model.layers." + l + "." + name + ".weight", shape);
        }
    }

    private void take(String name, long... shape) {
        tensors.add(new Tensor(name, buffer, at, DType.F32, shape));
        at += tensors.getLast().bytes();
    }

    /** Rows (2i, 2i + 1) of a head become rows (i, i + D/2). */
    private Tensor halves(Tensor pairs) {
        HostBuffer memory = new HostBuffer(pairs.bytes());
        reordered.add(memory);
        Tensor halves = new Tensor(pairs.name(), memory, 0, DType.F32, pairs.shape());
        int headDim = dim / heads;
        for (long row = 0; row < pairs.dim(0); row++) {
            long inHead = row % headDim;
            long to = row - inHead + inHead / 2 + inHead % 2 * (headDim / 2);
            halves.rows(to, 1).segment().copyFrom(pairs.rows(row, 1).segment());
        }
        return halves;
    }

    /** Under their Hugging Face names, F32; valid until closed. */
    public List<Tensor> tensors() {
        return List.copyOf(tensors);
    }

    public int vocabulary() {
        return vocabulary;
    }

    /** The {@code config.json} of the same model. */
    public ObjectNode config() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.putArray("architectures").add("LlamaForCausalLM");
        json.put("model_type", "llama");
        json.put("vocab_size", vocabulary);
        json.put("hidden_size", dim);
        json.put("intermediate_size", hiddenDim);
        json.put("num_hidden_layers", layers);
        json.put("num_attention_heads", heads);
        json.put("num_key_value_heads", keyValueHeads);
        json.put("hidden_act", "silu");
        json.put("max_position_embeddings", positions);
        json.put("rms_norm_eps", 1e-5);
        json.put("rope_theta", 10000.0);
        json.put("tie_word_embeddings", tied);
        json.put("bos_token_id", Llama2Tokenizer.BOS);
        json.put("eos_token_id", Llama2Tokenizer.EOS);
        json.put("torch_dtype", "float32");
        return json;
    }

    /** The {@code generation_config.json}: where run.c ends a text, the beginning of the next one, is an end as well. */
    public ObjectNode generationConfig() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("bos_token_id", Llama2Tokenizer.BOS);
        json.putArray("eos_token_id").add(Llama2Tokenizer.BOS).add(Llama2Tokenizer.EOS);
        return json;
    }

    @Override
    public void close() {
        reordered.forEach(HostBuffer::close);
        buffer.close();
    }
}
