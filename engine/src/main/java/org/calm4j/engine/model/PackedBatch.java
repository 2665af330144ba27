package org.calm4j.engine.model;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.op.Segments;

/**
 * Many sequences in one row of tokens, no padding, cut into segments; a continuation's segment names its prompt's as parent, so that the
 * prompt is computed once for all its continuations.
 *
 * <p>Scored are pairs of (row, target): the row whose output predicts the target token. The last token of a sequence predicts nothing and
 * is left out. Each call of {@code add} or {@code continuation} makes one scored sequence, numbered from 0.
 */
public final class PackedBatch {
    /** By content; null where each prompt has a segment of its own. */
    private final Map<IntArrayList, Integer> prompts;

    private final IntArrayList tokens = new IntArrayList();
    private final IntArrayList positions = new IntArrayList();
    private final Segments segments = new Segments();
    private final IntArrayList scoredRows = new IntArrayList();
    private final IntArrayList targets = new IntArrayList();
    private final IntArrayList scoredStart = new IntArrayList(new int[] {0});

    public PackedBatch() {
        this(false);
    }

    /** @param sharesPrompts whether a prompt that is added again is the segment that is there */
    public PackedBatch(boolean sharesPrompts) {
        prompts = sharesPrompts ? new HashMap<>() : null;
    }

    public void clear() {
        if (prompts != null) {
            prompts.clear();
        }
        tokens.clear();
        positions.clear();
        segments.clear();
        scoredRows.clear();
        targets.clear();
        scoredStart.size(1);
    }

    /** One sequence on its own, whose tokens from index {@code from} on (at least 1) are scored. Returns its number. */
    public int add(int[] sequence, int from) {
        return add(sequence, from, null);
    }

    /** @param marks by index, the scored tokens among those from {@code from} on; null for all of them */
    public int add(int[] sequence, int from, BitSet marks) {
        int start = tokens.size();
        segment(sequence, sequence.length - 1, Segments.NONE);
        for (int i = from; i < sequence.length; i++) {
            if (marks == null || marks.get(i)) {
                scoredRows.add(start + i - 1);
                targets.add(sequence[i]);
            }
        }
        return endSequence();
    }

    /** A prompt that continuations share; returns its segment. It has at least one token. */
    public int prompt(int[] prompt) {
        return prompts == null
                ? segment(prompt, prompt.length, Segments.NONE)
                : prompts.computeIfAbsent(
                        IntArrayList.wrap(prompt), added -> segment(prompt, prompt.length, Segments.NONE));
    }

    /** Whether {@link #prompt} would add no rows. */
    public boolean has(int[] prompt) {
        return prompts != null && prompts.containsKey(IntArrayList.wrap(prompt));
    }

    /** A piece of a text after another piece's segment, or {@link Segments#NONE}; returns its segment. */
    public int piece(int[] tokens, int parent) {
        return segment(tokens, tokens.length, parent);
    }

    /** A continuation of a prompt's segment, all of its tokens scored. Returns the number of the sequence. */
    public int continuation(int promptSegment, int[] completion) {
        int row = segments.queryStart(promptSegment) + segments.queryLength(promptSegment) - 1;
        int start = tokens.size();
        if (completion.length > 1) {
            segment(completion, completion.length - 1, promptSegment);
        }
        for (int i = 0; i < completion.length; i++) {
            scoredRows.add(i == 0 ? row : start + i - 1);
            targets.add(completion[i]);
        }
        return endSequence();
    }

    /** One more target of a row, after those of the sequences. */
    public void score(int row, int target) {
        scoredRows.add(row);
        targets.add(target);
    }

    private int segment(int[] sequence, int length, int parent) {
        int start = tokens.size();
        int segment = segments.add(start, length, start, length, parent);
        int depth = segments.depth(segment);
        for (int i = 0; i < length; i++) {
            tokens.add(sequence[i]);
            positions.add(depth + i);
        }
        return segment;
    }

    private int endSequence() {
        scoredStart.add(targets.size());
        return scoredStart.size() - 2;
    }

    /** T, the rows of the batch. */
    public int rows() {
        return tokens.size();
    }

    /** N, the scored (row, target) pairs. */
    public int scored() {
        return targets.size();
    }

    /** Number of scored sequences. */
    public int sequences() {
        return scoredStart.size() - 1;
    }

    /** The start of a sequence's scores among all scores; they end at {@code scoredStart(sequence + 1)}. */
    public int scoredStart(int sequence) {
        return scoredStart.getInt(sequence);
    }

    public Segments segments() {
        return segments;
    }

    /** Makes activations fit and writes it there. */
    BatchActivations write(Backend backend, Activations activations) {
        activations.fit(rows(), scored());
        BatchActivations a = activations.batch();
        backend.write(a.tokens, tokens.elements(), rows());
        backend.write(a.positions, positions.elements(), rows());
        backend.write(a.scoredRows, scoredRows.elements(), scored());
        backend.write(a.targets, targets.elements(), scored());
        return a;
    }
}
