package org.calm4j.examples;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.model.Parameters;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Backends;
import org.calm4j.engine.tensor.Tensor;

/**
 * One step down the gradient of a text's loss, without a trainer: GradientStep MODEL TEXT. To first order a step of η changes the loss by
 * −η‖∇‖²; η is chosen so that this is a hundredth of the loss, and the last line compares it with what the step did.
 */
final class GradientStep {
    public static void main(String[] arguments) {
        try (Backend backend = Backends.open("cpu", 0);
                ModelFolder folder = ModelFolder.openToTrain(backend, Path.of(arguments[0]));
                Parameters gradient = new Parameters(backend, folder.model().config())) {
            CausalLm model = folder.model();
            int[] tokens = folder.tokenizer().encode(arguments[1]);
            PackedBatch batch = new PackedBatch();
            batch.add(tokens, 1);
            var largest = new Activations.Capacity(batch.rows(), batch.scored(), tokens.length, 0, 0);
            try (Activations activations =
                    new Activations(backend, model.config(), Activations.Purpose.TRAINING, largest)) {
                double before = loss(model, activations, batch);
                // The loss is −1/n times the sum of n log-probabilities: that is the coefficient of each.
                double[] coefficients = new double[batch.scored()];
                Arrays.fill(coefficients, -1.0 / coefficients.length);
                model.backward(new Gradients(gradient, null), activations, batch, coefficients, null, false);

                double squares = 0;
                for (Tensor tensor : gradient.tensors()) {
                    squares += backend.sumOfSquares(tensor);
                }
                double rate = 0.01 * before / squares;
                Iterator<Tensor> gradients = gradient.tensors().iterator();
                for (Tensor weight : model.parameters().tensors()) {
                    Tensor d = gradients.next();
                    for (long i = 0; i < weight.size(); i++) {
                        weight.set(i, weight.get(i) - rate * d.get(i));
                    }
                }
                System.out.printf("loss %.4f, norm of the gradient %.4f%n", before, Math.sqrt(squares));
                System.out.printf(
                        "expected %+.4f, and got %+.4f%n", -rate * squares, loss(model, activations, batch) - before);
            }
        }
    }

    /** The mean negative log-probability of the batch's targets. */
    private static double loss(CausalLm model, Activations activations, PackedBatch batch) {
        model.forward(activations, batch, null);
        double[] logProbs = new double[batch.scored()];
        activations.readLogProbs(logProbs);
        return -Arrays.stream(logProbs).average().orElseThrow();
    }
}
