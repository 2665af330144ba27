package org.calm4j.engine.train.optim;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.division.Collectives;
import org.calm4j.engine.train.division.Division;

/** AdamW with moments in F32, all of them or the part that a rank has. */
final class DividedAdamW implements OptimizerState {
    private final Backend backend;
    private final AdamW settings;
    private final Slab weights;
    private final Moment first;
    private final Moment second;

    DividedAdamW(Backend backend, AdamW settings, Slab weights, Collectives collectives, Division division) {
        this.backend = backend;
        this.settings = settings;
        this.weights = weights;
        first = new Moment(0, backend, weights, collectives, division);
        second = new Moment(1, backend, weights, collectives, division);
    }

    @Override
    public void update(
            List<Tensor> weights, List<Tensor> gradients, double rate, double[] decay, double gradScale, int updates) {
        List<Tensor> w = new ArrayList<>();
        List<Tensor> m = new ArrayList<>();
        List<Tensor> v = new ArrayList<>();
        List<Tensor> grad = new ArrayList<>();
        double[] decays = new double[decay.length];
        for (int i = 0; i < decay.length; i++) {
            Moment.Part part = first.part(weights.get(i));
            if (part.count() > 0) {
                decays[w.size()] = decay[i];
                w.add(part.of(weights.get(i)));
                m.add(first.of(weights.get(i)));
                v.add(second.of(weights.get(i)));
                grad.add(part.of(gradients.get(i)));
            }
        }
        double[] own = Arrays.copyOf(decays, w.size());
        backend.adamW(w, m, v, grad, settings, rate, own, gradScale, updates);
    }

    @Override
    public Map<String, Slab> slabs() {
        return Map.of();
    }

    @Override
    public List<Tensor> saved() {
        List<Tensor> all = new ArrayList<>(first.borrowed(weights, name -> FIRST + name));
        all.addAll(second.borrowed(weights, name -> SECOND + name));
        return all;
    }

    @Override
    public void lend() {
        Moment.lend(List.of(first, second));
    }

    @Override
    public void load(Backend backend, Stored stored, Map<String, Double> numbers) {
        load(first, FIRST, stored);
        load(second, SECOND, stored);
    }

    private void load(Moment moment, String prefix, Stored stored) {
        for (Tensor weight : weights.tensors()) {
            Tensor from = stored.get(prefix + weight.name(), weight.size());
            Tensor to = moment.of(weight);
            if (to != null) {
                backend.copy(to, moment.part(weight).of(from));
            }
        }
    }

    @Override
    public long bytes() {
        return first.bytes() + second.bytes();
    }

    @Override
    public void close() {
        first.close();
        second.close();
    }
}
