package org.calm4j.calm.report;

import java.util.List;
import java.util.stream.Stream;

/**
 * How often guessing is right.
 *
 * @param share mean of 1 ÷ number of options over the questions on the page, in (0,1]
 * @param options how many a question has; null where that differs between questions
 */
record Chance(double share, Integer options) {

    /** @param examples questions drawn at random; null or without options there is no chance: null */
    static Chance of(List<ReportData.Example> examples) {
        List<Integer> options = Stream.ofNullable(examples)
                .flatMap(List::stream)
                .flatMap(example -> example.asked().stream().limit(1))
                .map(asked -> asked.choices().size())
                .filter(size -> size > 0)
                .toList();
        return options.isEmpty()
                ? null
                : new Chance(
                        options.stream()
                                .mapToDouble(size -> 1.0 / size)
                                .average()
                                .orElseThrow(),
                        options.stream().distinct().count() == 1 ? options.getFirst() : null);
    }
}
