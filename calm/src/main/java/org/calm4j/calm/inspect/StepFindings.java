package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;

/** What was found in a step; each of its parts is a line of the output. */
public record StepFindings(
        Step step,
        List<Norms> norms,
        List<Language> languages,
        List<Cosine> cosines,
        List<Overlap> overlaps,
        List<Line> lines,
        List<Influence> influences) {
    /**
     * Norms of a tensor, or of all tensors of a layer.
     *
     * @param kind {@code tensor} or {@code layer}
     * @param layer null for tensors that belong to none
     * @param gradientNorm before clipping
     * @param updateNorm of the change that the optimizer made
     * @param updateToWeight null where the weights were 0
     */
    public record Norms(
            String kind,
            String name,
            Integer layer,
            @JsonProperty("gradient_norm") double gradientNorm,
            @JsonProperty("weight_norm") double weightNorm,
            @JsonProperty("update_norm") double updateNorm,
            @JsonProperty("update_to_weight") Double updateToWeight) {}

    /**
     * The part that a language's lines have in the step's gradient.
     *
     * @param gradientNorm of that part
     * @param cosine with the step's gradient
     */
    public record Language(
            String kind,
            String language,
            int lines,
            @JsonProperty("gradient_norm") double gradientNorm,
            Double cosine) {}

    /**
     * How far two languages pull the same way.
     *
     * @param layer null for all tensors together
     * @param cosine null where one of them has no gradient there
     */
    public record Cosine(String kind, List<String> languages, String layer, Double cosine) {}

    /**
     * How far the strongest directions of two languages' gradients of a tensor lie in the same subspace.
     *
     * @param leftAngles principal angles of the left singular directions, in degrees
     * @param leftOverlap mean squared cosine of them; two subspaces at random have directions / rows
     * @param rightOverlap the same of the right ones, with columns
     */
    public record Overlap(
            String kind,
            String name,
            List<String> languages,
            @JsonProperty("left_angles") double[] leftAngles,
            @JsonProperty("right_angles") double[] rightAngles,
            @JsonProperty("left_overlap") double leftOverlap,
            @JsonProperty("right_overlap") double rightOverlap) {}

    /**
     * A line of the step.
     *
     * @param line counted from 1
     * @param gradientNorm of its part in the step's gradient
     * @param cosine with the step's gradient
     */
    public record Line(
            String kind,
            int line,
            String language,
            @JsonProperty("gradient_norm") double gradientNorm,
            Double cosine) {}

    /**
     * What a line does to the log-probability of a question's completion.
     *
     * @param influence {@code Σ learning rate · −∇loss · ∇log p} over the checkpoints: positive where steps along the line raise it
     * @param cosine of the two, mean over the checkpoints
     */
    public record Influence(
            String kind, JsonNode question, int line, String language, double influence, Double cosine) {}

    /** @param gradientNorm before clipping, as in metrics.jsonl */
    public record Step(
            String kind,
            int step,
            double loss,
            @JsonProperty("gradient_norm") double gradientNorm,
            double clip,
            @JsonProperty("learning_rate") double learningRate,
            int[] lines) {}
}
