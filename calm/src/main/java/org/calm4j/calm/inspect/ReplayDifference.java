package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.tensor.Tensor;

/**
 * What a changed replay made different at its step.
 *
 * @param relative of all trained weights together, as for a tensor; null where they are not the same tensors
 * @param tensors those that both trained, in the same shape
 * @param metrics the step's, by name
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record ReplayDifference(Double relative, List<TensorDifference> tensors, Map<String, Metric> metrics) {
    private static final List<String> WEIGHTS = List.of("adapter_model.safetensors", "model.safetensors");

    /**
     * @param frobenius {@code ‖changed − own‖}
     * @param relative the same as a share of {@code ‖own‖}; null where that is 0
     */
    public record TensorDifference(String name, long[] shape, double frobenius, Double relative) {}

    /** Of the run, and with the change; null where one of them lacks it. */
    @JsonInclude(JsonInclude.Include.ALWAYS)
    public record Metric(Double run, Double changed) {}

    /**
     * @param own the run's checkpoint
     * @param ownMetrics the step's line in metrics.jsonl
     */
    static ReplayDifference of(Path own, Path changed, ObjectNode ownMetrics, ObjectNode changedMetrics) {
        List<TensorDifference> tensors = new ArrayList<>();
        Path weights = weights(own);
        Double relative = null;
        if (weights.getFileName().equals(weights(changed).getFileName())) {
            try (Safetensors one = Safetensors.open(weights);
                    Safetensors other = Safetensors.open(weights(changed))) {
                boolean same = one.tensors().keySet().equals(other.tensors().keySet());
                double squares = 0;
                double was = 0;
                for (Map.Entry<String, Tensor> each : one.tensors().entrySet()) {
                    Tensor from = each.getValue();
                    Tensor to = other.tensors().get(each.getKey());
                    if (to == null || !Arrays.equals(from.shape(), to.shape())) {
                        same = false;
                        continue;
                    }
                    double[] sums = sums(from, to);
                    squares += sums[0];
                    was += sums[1];
                    tensors.add(new TensorDifference(
                            each.getKey(), from.shape(), Math.sqrt(sums[0]), relative(sums[0], sums[1])));
                }
                relative = same ? relative(squares, was) : null;
            }
        }
        return new ReplayDifference(relative, tensors, metrics(ownMetrics, changedMetrics));
    }

    private static Double relative(double squares, double was) {
        return was == 0 ? null : Math.sqrt(squares / was);
    }

    /** An adapter's, or the model's. */
    private static Path weights(Path checkpoint) {
        return WEIGHTS.stream()
                .map(checkpoint::resolve)
                .filter(Files::exists)
                .findFirst()
                .orElse(checkpoint.resolve(WEIGHTS.getLast()));
    }

    /** The squared norms of the change and of what was before. */
    private static double[] sums(Tensor from, Tensor to) {
        double[] sums = new double[2];
        for (long i = 0; i < from.size(); i++) {
            double x = from.get(i);
            double change = to.get(i) - x;
            sums[0] += change * change;
            sums[1] += x * x;
        }
        return sums;
    }

    private static Map<String, Metric> metrics(ObjectNode own, ObjectNode changed) {
        ObjectNode all = own.deepCopy();
        all.setAll(changed);
        Map<String, Metric> metrics = new LinkedHashMap<>();
        all.properties().forEach(each -> {
            // The speed is the machine's.
            if (each.getValue().isNumber() && !each.getKey().equals("tokens_per_second")) {
                metrics.put(
                        each.getKey(),
                        new Metric(number(own.path(each.getKey())), number(changed.path(each.getKey()))));
            }
        });
        return metrics;
    }

    private static Double number(JsonNode value) {
        return value.isNumber() ? value.asDouble() : null;
    }
}
