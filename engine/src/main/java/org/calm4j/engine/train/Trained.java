package org.calm4j.engine.train;

import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.calm4j.engine.Setting;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.Gradients;
import org.calm4j.engine.model.Lora;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/** What is trained: all parameters or the adapter alone, with gradients and moments of the same shapes, each in one slab. */
final class Trained implements AutoCloseable {
    private final Backend backend;
    /** Null where all weights are trained. */
    private final Lora lora;

    private final Slab weights;
    private final Division division;
    private final SumTree sumTree;
    private final Moment firstMoment;
    private final Moment secondMoment;
    /** In the place of both moments where they are kept in fewer bits; null otherwise. */
    private final PackedAdamW packed;

    private final List<Group> groups;
    /** Null without. */
    private final AverageWeights average;

    private Gradients gradients;

    /**
     * Weights with one learning rate.
     *
     * @param settings what they have in common, and their places in the list of all
     * @param members those of which something is updated here
     * @param decay of each
     */
    private record Group(ParameterGroups.Group settings, List<Member> members, double[] decay) {
        List<Tensor> each(Function<Member, Tensor> of) {
            return members.stream().map(of).toList();
        }
    }

    /**
     * A weight, as far as it is updated here.
     *
     * @param index in the list of all
     * @param first null where moments are packed
     * @param second null where moments are packed
     */
    private record Member(int index, Moment.Part part, Tensor weight, Tensor first, Tensor second) {}

    Trained(CausalLm model, TrainSettings settings, Division division) {
        this.division = division;
        backend = model.backend();
        lora = model.lora();
        weights = lora == null ? model.parameters().slab() : lora.slab();
        sumTree = new SumTree(division, model);
        OptimizerMemory memory = settings.update().memory();
        Setting.of("optimizer_memory")
                .check(
                        memory == OptimizerMemory.F32 || !division.dividesMoments(),
                        "does not go with ",
                        Setting.of("zero").at(1));
        packed = memory == OptimizerMemory.F32 ? null : new PackedAdamW(backend, settings, weights);
        firstMoment = packed != null ? null : new Moment(0, backend, weights, sumTree.collectives(), division);
        secondMoment = packed != null ? null : new Moment(1, backend, weights, sumTree.collectives(), division);
        ParameterGroups groups = settings.update().groups();
        this.groups = groups.groups(List.copyOf(weights.tensors()), settings.schedule()).stream()
                .map(group -> {
                    List<Member> members = group.members().stream()
                            .map(this::member)
                            .filter(member -> member.part().count() > 0)
                            .toList();
                    double[] decay = members.stream()
                            .mapToDouble(member ->
                                    groups.weightDecay(tensors(weights).get(member.index()), settings.weightDecay()))
                            .toArray();
                    return new Group(group, members, decay);
                })
                .toList();
        double decay = settings.update().emaDecay();
        average = decay == 0
                ? null
                : new AverageWeights(backend, decay, Gradients.like(model).slab(), weights);
        backend.markTrained(weights);
    }

    private Member member(int index) {
        Tensor weight = tensors(weights).get(index);
        if (packed != null) {
            return new Member(index, new Moment.Part(0, weight.size()), weight, null, null);
        }
        Moment.Part part = firstMoment.part(weight);
        return new Member(index, part, part.of(weight), firstMoment.of(weight), secondMoment.of(weight));
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

    /** What moments in fewer bits are, by the prefix of their names in a checkpoint; null where they are F32. */
    Map<String, Slab> packedMoments() {
        return packed == null ? null : packed.state();
    }

    Moment firstMoment() {
        return firstMoment;
    }

    Moment secondMoment() {
        return secondMoment;
    }

    /** See {@link Moment#lend}. */
    void lendMoments() {
        if (packed == null) {
            Moment.lend(List.of(firstMoment, secondMoment));
        }
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
        List<Tensor> gradient = tensors(gradients.slab());
        for (Group group : groups) {
            List<Tensor> parts = group.each(member -> member.part().of(gradient.get(member.index())));
            double rate = group.settings.schedule().learningRate(step);
            if (packed != null) {
                packed.update(group.each(Member::weight), parts, rate, group.decay, gradScale, updates);
                continue;
            }
            backend.adamW(
                    group.each(Member::weight),
                    group.each(Member::first),
                    group.each(Member::second),
                    parts,
                    settings.adamW(),
                    rate,
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

    long momentBytes() {
        return packed != null ? packed.bytes() : firstMoment.bytes() + secondMoment.bytes();
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
        return lora != null && lora.savesOtherwise();
    }

    @Override
    public void close() {
        sumTree.close();
        if (packed != null) {
            packed.close();
        } else {
            firstMoment.close();
            secondMoment.close();
        }
        if (average != null) {
            average.close();
        }
    }
}
