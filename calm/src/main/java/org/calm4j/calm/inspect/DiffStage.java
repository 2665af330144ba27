package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.SingularValueDecomposition;
import org.calm4j.calm.run.Progress;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.Safetensors;
import org.calm4j.engine.tensor.Tensor;

/** What training changed: each tensor of two model folders, by the singular values of its change. */
public record DiffStage(Path before, Path after, Path output) {
    /**
     * The change of a tensor.
     *
     * @param frobenius norm of the change
     * @param relative the same as a share of the norm before; null where that is 0
     * @param spectral largest singular value of the change
     * @param effectiveRank exponential of the entropy of the singular values' shares (Roy and Vetterli 2007); 0 without a change
     */
    public record Change(
            String name,
            long[] shape,
            double frobenius,
            Double relative,
            double spectral,
            @JsonProperty("effective_rank") double effectiveRank) {}

    public List<Change> run(Progress progress) {
        try (Safetensors one = Safetensors.openFolder(before);
                Safetensors other = Safetensors.openFolder(after)) {
            checkNames(one.tensors().keySet(), other.tensors().keySet());
            List<Change> changes = new ArrayList<>();
            progress.start("diff", one.tensors().size());
            for (Map.Entry<String, Tensor> each : one.tensors().entrySet()) {
                changes.add(
                        change(each.getKey(), each.getValue(), other.tensors().get(each.getKey())));
                progress.at(changes.size(), each.getKey());
            }
            Jsonl.write(output, changes);
            return changes;
        } finally {
            progress.end();
        }
    }

    private void checkNames(Set<String> one, Set<String> other) {
        Set<String> missing = new TreeSet<>(one);
        missing.removeAll(other);
        Set<String> added = new TreeSet<>(other);
        added.removeAll(one);
        if (!missing.isEmpty() || !added.isEmpty()) {
            throw CalmException.badInput(
                    after,
                    (missing.isEmpty()
                                    ? "has a tensor " + added.iterator().next() + " more than "
                                    : "lacks the tensor " + missing.iterator().next() + " of ")
                            + before + "; compare two folders of the same model");
        }
    }

    private Change change(String name, Tensor from, Tensor to) {
        if (!Arrays.equals(from.shape(), to.shape())) {
            throw CalmException.badInput(
                    after,
                    "tensor " + name + " has shape " + Arrays.toString(to.shape()) + ", before it had "
                            + Arrays.toString(from.shape()));
        }
        int columns = Math.toIntExact(from.rank() < 2 ? from.size() : from.rowSize());
        double[][] change = new double[Math.toIntExact(from.size() / columns)][columns];
        double was = 0;
        double norm = 0;
        for (int row = 0; row < change.length; row++) {
            for (int column = 0; column < columns; column++) {
                long at = (long) row * columns + column;
                change[row][column] = to.get(at) - from.get(at);
                norm += change[row][column] * change[row][column];
                was += from.get(at) * from.get(at);
            }
        }
        double[] singular = norm == 0
                ? new double[1]
                : new SingularValueDecomposition(new Array2DRowRealMatrix(change, false)).getSingularValues();
        return new Change(
                name,
                from.shape(),
                Math.sqrt(norm),
                was == 0 ? null : Math.sqrt(norm / was),
                singular[0],
                effectiveRank(singular));
    }

    static double effectiveRank(double[] singular) {
        double sum = Arrays.stream(singular).sum();
        if (sum == 0) {
            return 0;
        }
        double entropy = Arrays.stream(singular)
                .map(value -> value / sum)
                .filter(share -> share > 0)
                .map(share -> -share * Math.log(share))
                .sum();
        return Math.exp(entropy);
    }
}
