package org.calm4j.engine.train;

import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.division.Collectives;
import org.calm4j.engine.train.division.Division;
import org.calm4j.engine.train.division.SumTree;
import org.calm4j.engine.train.optim.Optimizer;
import org.calm4j.engine.train.optim.OptimizerState;
import org.calm4j.engine.train.optim.ParameterGroups;

/** What is trained: all parameters or the adapter alone, with gradients and moments of the same shapes, each in one slab. */
final class Trained implements AutoCloseable {
    private final Backend backend;
    /** Null where all weights are trained. */
    private final Lora lora;

    private final Slab weights;
    private final Division division;
    private final SumTree sumTree;
    private final OptimizerState optimizer;
    private final List<Group> groups;
    /** Null without. */
    private final AverageWeights average;

    private Gradients gradients;

    /**
     * Weights with one learning rate.
     *
     * @param settings what they have in common, and their places in the list of all
     * @param decay of each
     */
    private record Group(ParameterGroups.Group settings, double[] decay) {
        List<Tensor> of(List<Tensor> all) {
            return settings.members().stream().map(all::get).toList();
        }
    }

    Trained(CausalLm model, TrainSettings settings, Division division) {
        this.division = division;
        backend = model.backend();
        lora = model.lora();
        weights = lora == null ? model.parameters().slab() : lora.slab();
        sumTree = new SumTree(division, model);
        settings.update()
                .optimizer()
                .check(settings.update(), settings.adamW(), settings.schedule().kind(), division.dividesMoments());
        Optimizer.Settings told = new Optimizer.Settings(settings.update(), settings.adamW(), settings.seed());
        optimizer = settings.update().optimizer().begin(model, told, weights, sumTree.collectives(), division);
        ParameterGroups groups = settings.update().groups();
        List<Tensor> all = tensors(weights);
        Function<Tensor, Double> peak = weight -> settings.update().optimizer().peak(model.config(), weight);
        this.groups = groups.groups(all, settings.schedule(), peak).stream()
                .map(group -> new Group(
                        group,
                        group.members().stream()
                                .mapToDouble(i -> groups.weightDecay(all.get(i), settings.weightDecay()))
                                .toArray()))
                .toList();
        double decay = settings.update().emaDecay();
        average = decay == 0
                ? null
                : new AverageWeights(backend, decay, Gradients.like(model).slab(), weights);
        backend.markTrained(weights);
    }

    private static List<Tensor> tensors(Slab slab) {
        return List.copyOf(slab.tensors());
    }

    /**
     * Computes the gradient of a step. Where moments are divided, each rank has it of its own pieces alone.
     *
     * @param present the parts that have lines
     */
    void sum(BitSet present, SumTree.Part part) {
        gradients = sumTree.sum(present, part);
        if (!division.dividesMoments()) {
            sumTree.collectives().allGather(sumTree.whole(gradients));
        }
    }

    /** Of the latest step. */
    Gradients gradients() {
        return gradients;
    }

    Slab weights() {
        return weights;
    }

    OptimizerState optimizer() {
        return optimizer;
    }

    /** In as many pieces as there are parts, each rank those of its own, so that the bits do not depend on ranks. */
    double gradientNorm() {
        Collectives collectives = sumTree.collectives();
        Collectives.Range own = collectives.own();
        double[] squares = new double[division.parts()];
        for (int piece = own.first(); piece < own.end(); piece++) {
            squares[piece] = backend.sumOfSquares(
                    collectives.of(sumTree.whole(gradients), new Collectives.Range(piece, piece + 1)));
        }
        division.ranks().sum(squares);
        double sum = 0;
        for (double square : squares) {
            sum += square;
        }
        return Math.sqrt(sum);
    }

    /**
     * @param step counted from 0
     * @param updates how many there have been, this one included
     */
    void update(TrainSettings settings, int step, double gradScale, int updates) {
        optimizer.begin(settings.schedule().withPeak(1).learningRate(step), updates);
        for (Group group : groups) {
            optimizer.update(
                    group.of(tensors(weights)),
                    group.of(tensors(gradients.slab())),
                    group.settings.schedule().learningRate(step),
                    group.decay,
                    gradScale,
                    updates);
        }
        if (division.dividesMoments()) {
            sumTree.collectives().allGather(weights.whole(backend.computeType()));
        }
        if (average != null) {
            average.update(weights);
        }
        changed();
    }

    /** By group, the learning rates of a step; null where there is one. */
    Map<String, Double> learningRates(int step) {
        Map<String, Double> rates = new LinkedHashMap<>();
        for (Group group : groups) {
            if (group.settings.name() != null) {
                rates.put(group.settings.name(), group.settings.schedule().learningRate(step));
            }
        }
        return rates.isEmpty() ? null : rates;
    }

    /** To be called after the weights have changed. */
    void changed() {
        if (lora != null) {
            lora.changed();
        }
    }

    /**
     * Does something while the weights are those of the model. Where the optimizer trains others, these are kept in the place of the latest
     * step's gradient, which is lost.
     */
    void asModel(Runnable action) {
        if (!optimizer.trainsOtherWeights()) {
            action.run();
            return;
        }
        Tensor all = weights.whole(backend.computeType());
        backend.copy(sumTree.scratch(), all);
        optimizer.toModel(weights);
        changed();
        try {
            action.run();
        } finally {
            backend.copy(all, sumTree.scratch());
            changed();
        }
    }

    /** The moving average of the weights; null without. */
    AverageWeights average() {
        return average;
    }

    /** The name of a trained weight in the saved model. */
    String savedName(String name) {
        return lora == null ? name : lora.savedName(name);
    }

    /** Whether the saved model has other weights than those that are trained. */
    boolean savesOtherwise() {
        return optimizer.trainsOtherWeights() || lora != null && lora.savesOtherwise();
    }

    @Override
    public void close() {
        sumTree.close();
        optimizer.close();
        if (average != null) {
            average.close();
        }
    }
}
