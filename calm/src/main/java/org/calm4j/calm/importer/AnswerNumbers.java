package org.calm4j.calm.importer;

import java.util.List;
import java.util.Objects;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;

/**
 * What the numbers mean that a file has for answers, which all of its items together tell.
 *
 * @param base the number of the first option; null where answers are no numbers
 * @param texts whether a number is the text of an option, and not its place
 * @param note how they are read, and why; null where there is nothing to say
 */
record AnswerNumbers(Integer base, boolean texts, String note) {
    private static final Setting ANSWERS_FROM = Setting.of("answers_from");
    static final AnswerNumbers NONE = new AnswerNumbers(null, false, null);

    /**
     * One item's answer.
     *
     * @param options how many there are
     * @param usual the first option's number in files of this kind; null where there are both kinds
     * @param quoted whether the number is a text among texts, which is how options are written
     * @param text whether an option says just this
     */
    record Numbered(int number, int options, Integer usual, boolean quoted, boolean text) {}

    /**
     * @param said {@code 0}, {@code 1} or {@code text}; null where nobody says it
     * @throws CalmException wrong usage: another thing was said; bad input: nobody says it, and the numbers do not tell
     */
    static AnswerNumbers of(List<Numbered> all, String said, Object where) {
        if (said != null && !said.matches("0|1|text")) {
            throw CalmException.usage(ANSWERS_FROM.at(said), " is none of 0, 1 and text");
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
            return new AnswerNumbers(null, true, range + ", read as the texts of options, which they all are");
        }
        String also = texts
                ? "; all are texts of options, too, " + ANSWERS_FROM.at("text").key() + " reads them so"
                : "";
        boolean last = all.stream().anyMatch(each -> each.number == each.options);
        Integer usual = all.stream()
                .map(Numbered::usual)
                .filter(Objects::nonNull)
                .findFirst()
                .orElse(null);
        boolean doubtful = texts && all.stream().allMatch(Numbered::quoted);
        if (least == 0 && !doubtful) {
            return new AnswerNumbers(0, false, range + ", read as places from 0, as there is a 0" + also);
        }
        if (last && !doubtful) {
            return new AnswerNumbers(
                    1, false, range + ", read as places from 1, as one is the number of options and none is 0" + also);
        }
        if (usual != null && !doubtful) {
            return new AnswerNumbers(
                    usual,
                    false,
                    range + ", read as places from " + usual + ", as files of this kind have them" + also);
        }
        throw CalmException.badInput(
                where,
                range
                        + (doubtful
                                ? ", and texts of options, too; nothing tells which is meant"
                                : "; nothing tells whether they count from 0 or from 1")
                        + "; say ",
                ANSWERS_FROM,
                " 0, 1 or text");
    }
}
