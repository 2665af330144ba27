package org.calm4j.engine.generate;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.Arrays;
import java.util.function.Predicate;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.model.Activations;
import org.calm4j.engine.model.CausalLm;
import org.calm4j.engine.model.DecodeBatch;
import org.calm4j.engine.model.KvCache;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Draws;
import org.calm4j.engine.text.Tokenizer;

/** One growing text whose keys and values stay in the cache, so that each turn computes only its new tokens. */
public final class ChatSession implements AutoCloseable {
    private static final int ROWS = 512;

    private final CausalLm model;
    private final Tokenizer tokenizer;
    private final KvCache cache;
    private final Activations activations;
    private final DecodeBatch batch = new DecodeBatch();
    private final Draws draws = new Draws();
    /** Tokens whose keys and values are in the cache, from its first row on. */
    private final IntArrayList cached = new IntArrayList();

    /** @param length tokens of prompt and answers together, at most the model's positions */
    public ChatSession(ModelFolder folder, int length) {
        model = folder.model();
        tokenizer = folder.tokenizer();
        cache = new KvCache(model.backend(), model.config(), length);
        activations = new Activations(
                model.backend(),
                model.config(),
                Activations.Purpose.INFERENCE,
                Activations.Capacity.of(model, Math.min(ROWS, length), 1, length, 1));
    }

    /**
     * Continues a text. The beginning that it shares with the last text and its answer is not computed again.
     *
     * @param text all tokens of the conversation, at least one
     * @param turn random numbers are those of the prompt with this number
     * @param listener receives the answer's text piece by piece, never half a character; the answer ends when it returns false
     * @throws CalmException bad input: the text fills the conversation's length
     */
    public Completion answer(int[] text, Sampling sampling, int turn, Predicate<String> listener) {
        if (text.length >= cache.rows()) {
            throw CalmException.badInput(
                    "the conversation has " + text.length + " tokens", "its length is limited to " + cache.rows());
        }
        prefill(text);
        Draft draft = new Draft(sampling, model, sampling.stream(turn, 0), text, tokenizer);
        FinishReason cut = FinishReason.LENGTH;
        while (draw(draft, sampling) && cached.size() < cache.rows()) {
            if (!listener.test(draft.certainText())) {
                cut = FinishReason.STOP;
                break;
            }
            decode(new int[] {draft.lastToken()}, 0, 1);
        }
        Completion completion = draft.completion(cut);
        listener.test(draft.certainText());
        return completion;
    }

    private boolean draw(Draft draft, Sampling sampling) {
        draws.clear();
        draft.wants(draws, 0);
        activations.sample(draws, sampling.filter());
        return draft.take(draws.token(0), draws.logProb(0));
    }

    private void prefill(int[] text) {
        int common = 0;
        // The last token is always computed: its logits are needed.
        int most = Math.min(cached.size(), text.length - 1);
        while (common < most && cached.getInt(common) == text[common]) {
            common++;
        }
        cached.size(common);
        for (int from = common; from < text.length; from += ROWS) {
            decode(text, from, Math.min(text.length, from + ROWS));
        }
    }

    private void decode(int[] tokens, int from, int to) {
        batch.clear();
        batch.append(Arrays.copyOfRange(tokens, from, to), cached.size());
        model.decode(activations, batch, cache);
        cached.addElements(cached.size(), tokens, from, to - from);
    }

    /** Tokens whose keys and values are kept. */
    public int cachedTokens() {
        return cached.size();
    }

    @Override
    public void close() {
        activations.close();
        cache.close();
    }
}
