package org.calm4j.engine.train;

import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.PackedBatch;
import org.calm4j.engine.train.division.Division;

/** How the examples of a step are cut into passes, which are packed into one batch after the other. */
final class PassPlan {
    private final PackedBatch batch;
    private final TrainSettings settings;
    /** What a pass holds; a single evaluation line may be larger. */
    private final Activations.Capacity capacity;

    private final Division division;

    PassPlan(PackedBatch batch, TrainSettings settings, Activations.Capacity capacity, Division division) {
        this.batch = batch;
        this.settings = settings;
        this.capacity = capacity;
        this.division = division;
    }

    /** The step's passes, part by part; lines and replayed documents are dealt to all parts. */
    List<Pass> passes(List<Slot> slots) {
        List<List<Slot>> parts = new ArrayList<>();
        for (int part = 0; part < division.parts(); part++) {
            parts.add(new ArrayList<>());
        }
        for (boolean replayed : new boolean[] {false, true}) {
            List<Slot> kind =
                    slots.stream().filter(slot -> slot.line() < 0 == replayed).toList();
            int[] part = division.partsOf(
                    kind.stream().mapToInt(slot -> slot.example().rows()).toArray());
            for (int i = 0; i < part.length; i++) {
                parts.get(part[i]).add(kind.get(i));
            }
        }
        List<Pass> passes = new ArrayList<>();
        for (int part = 0; part < parts.size(); part++) {
            int micro = 0;
            for (List<Slot> batch : microBatches(parts.get(part))) {
                passes.add(new Pass(batch, part, micro++, passes.size()));
            }
        }
        return passes;
    }

    /** Cuts slots into what fits into a pass. */
    List<List<Slot>> microBatches(List<Slot> slots) {
        int most = settings.microBatchSize() > 0 ? settings.microBatchSize() : Integer.MAX_VALUE;
        int mostTokens = settings.packing().maxTokens() > 0 ? settings.packing().maxTokens() : Integer.MAX_VALUE;
        List<List<Slot>> all = new ArrayList<>();
        for (int first = 0, end = 0; first < slots.size(); first = end) {
            batch.clear();
            int tokens = 0;
            while (end < slots.size() && end - first < most) {
                Example next = slots.get(end).example();
                int shared = next.sharedRows(batch);
                if (end > first
                        && (batch.rows() + next.rows() - shared > capacity.rows()
                                || batch.scored() + next.scored() > capacity.scored()
                                || tokens + next.tokenCount() - shared > mostTokens)) {
                    break;
                }
                next.pack(batch);
                tokens += next.tokenCount() - shared;
                end++;
            }
            all.add(slots.subList(first, end));
        }
        return all;
    }

    void pack(List<Slot> slots) {
        batch.clear();
        slots.forEach(slot -> slot.example().pack(batch));
    }
}
