package org.calm4j.engine.train.optim;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.engine.op.AdamW;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Buffer;
import org.calm4j.engine.tensor.Slab;
import org.calm4j.engine.tensor.Tensor;

/** AdamW whose moments are kept in fewer bits: they are unpacked for a stretch of elements at a time. Small weights have theirs in F32. */
final class PackedAdamW implements OptimizerState {
    private final Backend backend;
    private final AdamW settings;
    private final OptimizerMemory memory;
    private final Moments first;
    private final Moments second;
    /** Both moments of a stretch; null where none are packed. */
    private final Buffer unpacked;

    PackedAdamW(Backend backend, Optimizer.Settings settings, Slab weights) {
        this.backend = backend;
        this.settings = settings.adamW();
        memory = settings.update().memory();
        first = new Moments(backend, memory, weights, true, settings.seed());
        second = new Moments(backend, memory, weights, false, settings.seed());
        long longest = memory.unpacked(weights.shapes().values());
        unpacked = longest == 0
                ? null
                : backend.allocate(2 * longest * backend.computeType().bytes());
    }

    @Override
    public void update(
            List<Tensor> weights, List<Tensor> gradients, double rate, double[] decay, double gradScale, int updates) {
        List<Integer> plain = new ArrayList<>();
        for (int i = 0; i < decay.length; i++) {
            if (memory.packs(weights.get(i))) {
                updatePacked(weights.get(i), gradients.get(i), rate, decay[i], gradScale, updates);
            } else {
                plain.add(i);
            }
        }
        List<Tensor> members = plain.stream().map(weights::get).toList();
        backend.adamW(
                members,
                members.stream().map(first::of).toList(),
                members.stream().map(second::of).toList(),
                plain.stream().map(gradients::get).toList(),
                settings,
                rate,
                plain.stream().mapToDouble(i -> decay[i]).toArray(),
                gradScale,
                updates);
    }

    private void updatePacked(
            Tensor weight, Tensor gradient, double rate, double decay, double gradScale, int updates) {
        Tensor w = weight.view(weight.size());
        Tensor grad = gradient.view(weight.size());
        for (long from = 0; from < weight.size(); from += OptimizerMemory.STRETCH) {
            long count = Math.min(OptimizerMemory.STRETCH, weight.size() - from);
            long bytes = count * w.type().bytes();
            Tensor m = new Tensor("m", unpacked, 0, w.type(), count);
            Tensor v = new Tensor("v", unpacked, bytes, w.type(), count);
            first.unpack(m, weight, from);
            second.unpack(v, weight, from);
            backend.adamW(w.rows(from, count), m, v, grad.rows(from, count), settings, rate, decay, gradScale, updates);
            first.pack(weight, from, m, updates);
            second.pack(weight, from, v, updates);
        }
    }

    @Override
    public Map<String, Slab> slabs() {
        Map<String, Slab> state = new LinkedHashMap<>();
        state.put(FIRST, first.slab());
        state.put(SECOND, second.slab());
        return state;
    }

    @Override
    public long bytes() {
        return first.slab().bytes() + second.slab().bytes() + (unpacked == null ? 0 : unpacked.bytes());
    }

    @Override
    public void close() {
        first.close();
        second.close();
        if (unpacked != null) {
            unpacked.close();
        }
    }
}
