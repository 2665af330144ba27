package org.calm4j.calm.report;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.calm.metric.Interval;

/**
 * What alignment changed inside the model: inside.json. Layer 0 is the stream before the first block, l that after block l − 1.
 *
 * @param questions asked in each language at most
 * @param similarity model (before, after) to how alike the languages are
 * @param recall where a right answer appears; empty without responses in text
 * @param rescue model to where another language's stream brings the right answer; empty without such questions
 */
@JsonInclude(JsonInclude.Include.NON_EMPTY)
public record Inside(
        int questions, Map<String, List<Alike>> similarity, List<Recall> recall, Map<String, Rescue> rescue) {
    /**
     * Means over pairs of languages.
     *
     * @param cka linear centred kernel alignment; null where a set does not vary
     * @param retrieval share of the questions that are nearest to their translation
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Alike(int layer, Double cka, double cosine, double retrieval) {}

    /**
     * The logit lens where the aligned model is about to state an option: means of the right option's probability among all options, by layer.
     *
     * @param kind became right, stayed right, or stayed wrong
     * @param change of the last layer's mean, after less before
     * @param interval of the change, over questions (Student's t); null with one question
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record Recall(
            String kind, int n, List<Double> before, List<Double> after, double change, Interval interval) {}

    /**
     * Questions answered wrongly in other languages and rightly in one: the share that is right once that language's stream is put in, at the
     * last position before the answer.
     *
     * @param source the language whose stream is put in
     * @param unpatched the share that has the right option ahead without
     * @param right by layer
     * @param control with the stream of another question of the source
     * @param pValues of right against control, by layer: the sign test over questions, two-sided
     */
    public record Rescue(
            String source,
            int n,
            double unpatched,
            List<Double> right,
            List<Double> control,
            @JsonProperty("p_values") List<Double> pValues) {
        /** The layer at which right is most ahead of control. */
        public int best() {
            return Collections.max(
                    IntStream.range(0, right.size()).boxed().toList(),
                    Comparator.comparingDouble(layer -> right.get(layer) - control.get(layer)));
        }
    }

    /** A figure that several seeds can be compared by. */
    public record Figure(String name, double before, double after) {}

    /** The layer at which the aligned model's questions are most often nearest to their translation; -1 without similarity. */
    public int mostAlike() {
        List<Alike> after = similarity == null ? null : similarity.get("after");
        return after == null || after.isEmpty()
                ? -1
                : Collections.max(after, Comparator.comparingDouble(Alike::retrieval))
                        .layer();
    }

    /** In one number each: shares. */
    public List<Figure> figures() {
        List<Figure> figures = new ArrayList<>();
        int layer = mostAlike();
        if (layer >= 0) {
            Alike before = similarity.get("before").get(layer);
            Alike after = similarity.get("after").get(layer);
            figures.add(new Figure("questions nearest to their translation", before.retrieval(), after.retrieval()));
            figures.add(new Figure("cosine of a question and its translation", before.cosine(), after.cosine()));
        }
        Stream.ofNullable(recall)
                .flatMap(List::stream)
                .forEach(each -> figures.add(new Figure(
                        "right option at the last layer, where answers " + each.kind(),
                        each.before().getLast(),
                        each.after().getLast())));
        if (rescue != null && rescue.containsKey("before") && rescue.containsKey("after")) {
            Rescue before = rescue.get("before");
            Rescue after = rescue.get("after");
            figures.add(new Figure(
                    "wrong answers made right by another language's stream, less the control",
                    before.right().get(before.best()) - before.control().get(before.best()),
                    after.right().get(after.best()) - after.control().get(after.best())));
        }
        return figures;
    }
}
