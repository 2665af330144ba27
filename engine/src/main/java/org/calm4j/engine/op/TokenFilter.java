package org.calm4j.engine.op;

import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;

/**
 * Which of the next tokens may be drawn and how probable they become; names and order as in transformers: repetition penalty, temperature,
 * top-k, top-p, min-p.
 *
 * @param temperature 0 always takes the most probable token
 * @param topK only the k most probable; 0 for all
 * @param topP only the smallest set of most probable tokens that has this probability; 1 for all
 * @param minP only tokens with at least this share of the most probable one's probability; 0 for all
 * @param repetitionPenalty positive logits of seen tokens are divided by it, negative ones multiplied; 1 for none
 */
public record TokenFilter(double temperature, int topK, double topP, double minP, double repetitionPenalty) {
    /** @throws CalmException wrong usage: a value out of its range */
    public TokenFilter {
        Setting.of("temperature").check(temperature >= 0 && Double.isFinite(temperature), "must be at least 0");
        Setting.of("top_k").check(topK >= 0, "must be at least 0");
        Setting.of("top_p").check(topP > 0 && topP <= 1, "must be above 0 and at most 1");
        Setting.of("min_p").check(minP >= 0 && minP <= 1, "must be from 0 to 1");
        Setting.of("repetition_penalty")
                .check(repetitionPenalty > 0 && Double.isFinite(repetitionPenalty), "must be above 0");
    }

    /** All tokens, at a temperature. */
    public static TokenFilter all(double temperature) {
        return new TokenFilter(temperature, 0, 1, 0, 1);
    }
}
