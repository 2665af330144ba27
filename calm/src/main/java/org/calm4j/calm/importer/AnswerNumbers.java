package org.calm4j.calm.importer;

import java.util.List;
import java.util.Objects;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;

/**
 * What numbers mean as answers in a file, inferred from all of its items together.
 *
 * @param base the number of the first option; null if answers are not numbers
 * @param texts whether a number is the text of an option, not its position
 * @param note how they are read and why; null if there are none
 */
record AnswerNumbers(Integer base, boolean texts, String note) {
    private static final Setting ANSWERS_FROM = Setting.of("answers_from");
    static final AnswerNumbers NONE = new AnswerNumbers(null, false, null);

    /**
     * One item's answer.
     *
     * @param options the number of options
     * @param usual the usual number of the first option in such files; null if both 0 and 1 are usual
     * @param quoted whether the number is a JSON string, as options are
     * @param text whether an option has just this text
     */
    record Numbered(int number, int options, Integer usual, boolean quoted, boolean text) {}

    /**
     * @param said {@code 0}, {@code 1} or {@code text}; null if not given
     * @throws CalmException wrong usage: another value; bad input: none is given and the numbers are ambiguous
     */
    static AnswerNumbers of(List<Numbered> all, String said, Object where) {
        if (said != null && !said.matches("0|1|text")) {
            throw CalmException.usage(ANSWERS_FROM.at(said), " is not 0, 1 or text");
        }
        if (all.isEmpty()) {
            return NONE;
        }
        int least = all.stream().mapToInt(Numbered::number).min().orElseThrow();
        int greatest = all.stream().mapToInt(Numbered::number).max().orElseThrow();
        String range = "the answers are numbers from " + least + " to " + greatest;
        boolean texts = all.stream().allMatch(Numbered::text);
        if (said != null) {
            return said.equals("text")
                    ? new AnswerNumbers(null, true, null)
                    : new AnswerNumbers(Integer.valueOf(said), false, null);
        }
        if (texts && all.stream().anyMatch(each -> each.number > each.options)) {
            return new AnswerNumbers(null, true, range + ", read as texts of options, since all of them are");
        }
        String also = texts
                ? "; all are also texts of options: " + ANSWERS_FROM.at("text").key() + " reads them as such"
                : "";
        boolean last = all.stream().anyMatch(each -> each.number == each.options);
        Integer usual = all.stream()
                .map(Numbered::usual)
                .filter(Objects::nonNull)
                .findFirst()
                .orElse(null);
        boolean doubtful = texts && all.stream().allMatch(Numbered::quoted);
        if (least == 0 && !doubtful) {
            return new AnswerNumbers(0, false, range + ", read as positions from 0, since there is a 0" + also);
        }
        if (last && !doubtful) {
            return new AnswerNumbers(
                    1,
                    false,
                    range + ", read as positions from 1, since one equals the number of options and none is 0" + also);
        }
        if (usual != null && !doubtful) {
            return new AnswerNumbers(
                    usual, false, range + ", read as positions from " + usual + ", as is usual in such files" + also);
        }
        throw CalmException.badInput(
                where,
                range
                        + (doubtful
                                ? " and also texts of options; it is not clear which is meant"
                                : "; it is not clear whether they count from 0 or from 1")
                        + "; set ",
                ANSWERS_FROM,
                " to 0, 1 or text");
    }
}
