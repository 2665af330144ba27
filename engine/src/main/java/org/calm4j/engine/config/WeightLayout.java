package org.calm4j.engine.config;

import java.util.Collection;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;

/**
 * The names of a model's tensors in a family's files, and the orientation of linear weights.
 *
 * @param prefix the prefix of all names but the head's; some files leave it out
 * @param embedding the tensor (V,C)
 * @param positions the tensor of learned positions (P,C); null without
 * @param layers the name before the number of a block, such as {@code model.layers.}
 * @param norm the norm after the last block, without {@code .weight}
 * @param buffers tensors that old files have although they are not weights, such as causal masks; without the prefix
 * @param transposed linear weights are (I,O), as in the Conv1D of transformers, instead of (O,I)
 */
public record WeightLayout(
        String prefix,
        String embedding,
        String positions,
        String layers,
        Block block,
        String norm,
        Pattern buffers,
        boolean transposed) {
    /** The head, if it is not tied; it never has the prefix. */
    public static final String HEAD = "lm_head.weight";

    /**
     * Names inside a block, without {@code .weight}.
     *
     * @param norm1 before attention
     * @param norm2 before the feed-forward layers
     * @param queryNorm of the queries' heads; null if the family has none
     * @param keyNorm of the keys' heads; null if the family has none
     */
    public record Block(String norm1, String norm2, String queryNorm, String keyNorm, Map<Projection, String> linears) {
        public Block {
            linears = Collections.unmodifiableMap(new TreeMap<>(linears));
        }
    }

    /** Before attention; without {@code .weight}. */
    public String norm1(int layer) {
        return layers + layer + "." + block.norm1;
    }

    /** Before the feed-forward layers. */
    public String norm2(int layer) {
        return layers + layer + "." + block.norm2;
    }

    /** Of the queries' heads. */
    public String queryNorm(int layer) {
        return layers + layer + "." + block.queryNorm;
    }

    /** Of the keys' heads. */
    public String keyNorm(int layer) {
        return layers + layer + "." + block.keyNorm;
    }

    /** Such as {@code model.layers.3.self_attn.q_proj}, without {@code .weight}. */
    public String path(int layer, Projection projection) {
        return layers + layer + "." + block.linears.get(projection);
    }

    /** The last part of the name, such as {@code q_proj}: what PEFT calls a target module. */
    public String module(Projection projection) {
        String path = block.linears.get(projection);
        return path.substring(path.lastIndexOf('.') + 1);
    }

    /** The linear layers of a block, in the order of {@link Projection.Role}. */
    public Set<Projection> projections() {
        return block.linears.keySet();
    }

    /**
     * The linear layers selected by names, as in PEFT: {@code all-linear}, or the end of a layer's name, such as {@code q_proj} or
     * {@code self_attn.q_proj}.
     *
     * @throws CalmException wrong usage: a name that is not a linear layer of a block
     */
    public Set<Projection> projections(Collection<String> names) {
        Set<Projection> chosen = new TreeSet<>();
        for (String name : names) {
            Set<Projection> found = projections().stream()
                    .filter(each -> name.equals("all-linear") || ("." + path(0, each)).endsWith("." + name))
                    .collect(Collectors.toSet());
            if (found.isEmpty()) {
                throw CalmException.usage(
                        Setting.of("lora_targets"),
                        " has \"" + name + "\", which is no linear layer; known: all-linear, "
                                + projections().stream()
                                        .map(this::module)
                                        .distinct()
                                        .sorted()
                                        .collect(Collectors.joining(", ")));
            }
            chosen.addAll(found);
        }
        return chosen;
    }

    /** Whether it is a tensor that old files have although it is not a weight. */
    public boolean isBuffer(String name) {
        return buffers.matcher(name.startsWith(prefix) ? name.substring(prefix.length()) : name)
                .matches();
    }
}
