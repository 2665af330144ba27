package org.calm4j.engine.train;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;

/**
 * Single completions, each beside one that belongs to another prompt, as in TRL's KTOTrainer: that of the line before it in its step, the first
 * line of a step beside the last one's. So a step's mismatched completions are its own ones, with other prompts. A line by itself in its step has
 * its own. Steps put other lines together in each epoch; entry {@code epoch · lines + line} is a line as an epoch takes it.
 */
public final class Mismatched extends AbstractList<Example.Unpaired> {
    private final List<? extends Example> lines;
    private final int longest;
    /** By entry, the line whose completion is the other one. */
    private final int[] other;

    private Mismatched(List<? extends Example> lines, DataOrder order, int steps, int longest) {
        this.lines = lines;
        this.longest = longest;
        int epochs = Math.ceilDiv(steps, order.stepsPerEpoch());
        other = new int[Math.multiplyExact(epochs, lines.size())];
        for (int step = 0; step < epochs * order.stepsPerEpoch(); step++) {
            int[] together = order.batch(step);
            int before = together[together.length - 1];
            for (int line : together) {
                other[entry(step / order.stepsPerEpoch(), line)] = before;
                before = line;
            }
        }
    }

    /**
     * As training takes them.
     *
     * @param lines of {@link Example.Unpaired}, read when an entry is taken
     * @param longest tokens of a sequence; what is longer loses the end of the completion
     */
    public static Mismatched trained(List<? extends Example> lines, TrainSettings settings, int steps, int longest) {
        return new Mismatched(lines, Trainer.order(lines, settings), steps, longest);
    }

    /** As evaluation takes them: in the file's order, among as many lines as a step has. */
    public static Mismatched evaluated(List<? extends Example> lines, int batchSize, int longest) {
        DataOrder order = new DataOrder(lines.size(), batchSize, false, 0);
        return new Mismatched(lines, order, order.stepsPerEpoch(), longest);
    }

    /** The lines of the data, each once. */
    static List<? extends Example> once(List<? extends Example> lines) {
        return lines instanceof Mismatched each ? each.lines : lines;
    }

    /** The entry of a line in an epoch: without other completions, the line's number. */
    static int entry(List<? extends Example> lines, int epoch, int line) {
        return lines instanceof Mismatched each ? each.entry(epoch, line) : line;
    }

    private int entry(int epoch, int line) {
        return epoch * lines.size() + line;
    }

    @Override
    public Example.Unpaired get(int entry) {
        Example.Unpaired own = line(entry % lines.size());
        int[] completion = line(other[entry]).completion();
        int room = longest - own.prompt().length;
        int[] fits = completion.length <= room ? completion : Arrays.copyOf(completion, room);
        return new Example.Unpaired(
                new Example.Preference(own.prompt(), own.completion(), fits, own.weight()), own.desirable());
    }

    private Example.Unpaired line(int line) {
        return (Example.Unpaired) lines.get(line);
    }

    @Override
    public int size() {
        return other.length;
    }
}
