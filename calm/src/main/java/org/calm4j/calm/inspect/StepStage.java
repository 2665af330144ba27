package org.calm4j.calm.inspect;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.calm.data.DataFile;
import org.calm4j.calm.option.DpoOptions;
import org.calm4j.calm.option.SavingOptions;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.calm.tool.ScoredText;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.StepGradients;
import org.calm4j.engine.train.TrainedVector;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.TrainingRun;

/**
 * One step of a training run from within: gradients and updates of its tensors, what each language's lines pull at, each line's own gradient,
 * and which lines of the data move the log-probability of given completions.
 *
 * @param step counted from 1
 * @param directions of each tensor's gradient whose subspaces are compared between languages; 0 for none
 * @param questions lines as for {@code score}, whose completions' log-probability is asked about; null for none
 * @param checkpoints steps after which the influence on them is measured; empty for the weights that the step starts from
 * @param maxBytes of the gradients that are kept together
 */
public record StepStage(
        Path output, int step, int directions, Path questions, List<Integer> checkpoints, long maxBytes) {
    public static final long DEFAULT_BYTES = 4L << 30;

    /** The language of a line that names none. */
    private static final String NONE = "none";

    private static final Pattern LAYER = Pattern.compile("\\.(?:layers|h)\\.(\\d+)\\.");

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

    /** All that was found. */
    public record Result(
            Step step,
            List<Norms> norms,
            List<Language> languages,
            List<Cosine> cosines,
            List<Overlap> overlaps,
            List<Line> lines,
            List<Influence> influences) {}

    /** Of a finished run. */
    public Result run(Path run, Backend backend, Progress progress) {
        FinishedRun finished = FinishedRun.read(run);
        finished.checkLines();
        return look(finished.stage(finished.data(), null), run, backend, progress);
    }

    /** Of a run of dpo that would start now. */
    public Result run(
            Path model, Path adapter, Path data, DpoOptions options, long seed, Backend backend, Progress progress) {
        TrainStage stage = new TrainStage(
                "dpo",
                model,
                adapter,
                null,
                data,
                null,
                options.training(),
                options.preference(),
                SavingOptions.every(0, false),
                seed);
        return look(stage, null, backend, progress);
    }

    private Result look(TrainStage stage, Path from, Backend backend, Progress progress) {
        Looked looked =
                new Looked(from, languages(stage.data(), stage.training().data().maxSamples()), progress);
        stage.look(backend, progress, looked);
        Result found = looked.result;
        Jsonl.write(
                output,
                Stream.of(
                                List.of(found.step),
                                found.norms,
                                found.languages,
                                found.cosines,
                                found.overlaps,
                                found.lines,
                                found.influences)
                        .flatMap(List::stream)
                        .toList());
        return found;
    }

    /** Of each line; of a line in two, both. */
    private static List<String> languages(List<Path> data, Integer most) {
        return DataFile.read(data, most).stream()
                .map(item -> {
                    List<String> named = Stream.of("language", "language_1", "language_2")
                            .map(name -> item.json().path(name).asText(null))
                            .filter(Objects::nonNull)
                            .toList();
                    return named.isEmpty() ? NONE : String.join("+", named);
                })
                .toList();
    }

    /** One run's trainer, looked at. */
    private final class Looked implements TrainStage.Look {
        private final Path from;
        private final List<String> languages;
        private final Progress progress;
        private List<ScoredText> texts = List.of();
        private StepGradients gradients;
        /** Of each tensor. */
        private List<String> layers;

        private Result result;

        private Looked(Path from, List<String> languages, Progress progress) {
            this.from = from;
            this.languages = languages;
            this.progress = progress;
        }

        @Override
        public List<Example.Document> questions(ModelFolder start) {
            texts = questions == null ? List.of() : ScoredText.read(questions, start);
            return texts.stream().map(Looked::document).toList();
        }

        private static Example.Document document(ScoredText text) {
            return new Example.Document(text.tokens(), text.start(), 1);
        }

        @Override
        public void at(Trainer trainer, TrainingRun run, int steps) {
            Setting.of("step").check(step >= 1 && step <= steps, "must be from 1 to the run's " + steps);
            for (int checkpoint : checkpoints) {
                Setting.of("checkpoints")
                        .check(checkpoint >= 0 && checkpoint <= steps, "must be from 0 to the run's " + steps);
            }
            gradients = new StepGradients(trainer);
            layers = gradients.tensors().stream()
                    .map(tensor -> layer(tensor.name()))
                    .toList();
            TreeSet<Integer> measured = new TreeSet<>(checkpoints.isEmpty() ? List.of(step - 1) : checkpoints);
            TreeSet<Integer> stops = new TreeSet<>(List.of(step - 1));
            Influences influences = null;
            if (!texts.isEmpty()) {
                stops.addAll(measured);
                influences = new Influences(trainer.takenBy(steps));
            }
            int taken = 0;
            for (int stop : stops) {
                progress.start("steps", stop, taken);
                run.reach(trainer, from, taken, stop, log -> progress.at(log.step(), ""));
                progress.at(stop, "");
                progress.end();
                taken = stop;
                if (influences != null && measured.contains(stop)) {
                    influences.add(gradients.learningRate(Math.min(stop, steps - 1)));
                }
                if (stop == step - 1) {
                    result = step();
                    taken = step;
                }
            }
            if (influences != null) {
                result = new Result(
                        result.step,
                        result.norms,
                        result.languages,
                        result.cosines,
                        result.overlaps,
                        result.lines,
                        influences.all(measured.size()));
            }
        }

        private Result step() {
            int[] lines = gradients.lines(step - 1);
            Map<String, IntPredicate> groups = new LinkedHashMap<>();
            IntStream.of(lines)
                    .mapToObj(languages::get)
                    .sorted()
                    .forEach(language -> groups.put(
                            language, line -> line >= 0 && languages.get(line).equals(language)));
            if (gradients.replays()) {
                groups.put("replayed", line -> line < 0);
            }
            checkRoom(groups.size(), "languages of the step");
            progress.start("gradients", groups.size() + lines.length + 1);
            Map<String, TrainedVector> parts = new LinkedHashMap<>();
            try (TrainedVector whole = gradients.vector();
                    TrainedVector one = gradients.vector()) {
                gradients.ofStep(whole, step - 1, all -> true);
                double[] squares = whole.squares();
                groups.forEach((language, group) -> {
                    parts.put(language, gradients.vector());
                    gradients.ofStep(parts.get(language), step - 1, group);
                    progress.at(1 + parts.size(), language);
                });
                List<Line> ofLines = new ArrayList<>();
                for (int line : lines) {
                    gradients.ofStep(one, step - 1, each -> each == line);
                    ofLines.add(new Line(
                            "line", line + 1, languages.get(line), norm(one), cosine(one.dots(whole), one, whole)));
                    progress.at(1 + parts.size() + ofLines.size(), "");
                }
                List<Language> ofLanguages = new ArrayList<>();
                parts.forEach((language, part) -> ofLanguages.add(new Language(
                        "language",
                        language,
                        (int) IntStream.of(lines).filter(groups.get(language)).count(),
                        norm(part),
                        cosine(part.dots(whole), part, whole))));
                List<Cosine> cosines = cosines(parts);
                List<Overlap> overlaps = directions == 0 ? List.of() : overlaps(parts);
                StepGradients.Taken taken = gradients.take(step - 1);
                Step summary = new Step(
                        "step",
                        step,
                        taken.log().loss(),
                        taken.log().gradNorm(),
                        gradients.clip(taken.log().gradNorm()),
                        taken.log().learningRate(),
                        IntStream.of(lines).map(line -> line + 1).toArray());
                return new Result(
                        summary,
                        norms(squares, taken.weights(), taken.updates()),
                        ofLanguages,
                        cosines,
                        overlaps,
                        ofLines,
                        List.of());
            } finally {
                parts.values().forEach(TrainedVector::close);
                progress.end();
            }
        }

        private void checkRoom(int count, String what) {
            long fits = maxBytes / gradients.bytes();
            if (count > fits) {
                throw CalmException.failed(
                        String.format(
                                java.util.Locale.ROOT,
                                "the gradients of %d %s take %.1f MB of the %.1f MB allowed; those of %d would fit; raise ",
                                count,
                                what,
                                1e-6 * count * gradients.bytes(),
                                1e-6 * maxBytes,
                                fits),
                        Setting.of("max_bytes"),
                        ", or take less of them");
            }
        }

        private List<Cosine> cosines(Map<String, TrainedVector> parts) {
            List<Cosine> cosines = new ArrayList<>();
            List<String> distinct = layers.stream().distinct().toList();
            eachPair(parts, (languages, a, b) -> {
                double[] dots = a.dots(b);
                double[] squaresA = a.squares();
                double[] squaresB = b.squares();
                cosines.add(new Cosine("cosine", languages, null, cosine(sum(dots), sum(squaresA), sum(squaresB))));
                for (String layer : distinct) {
                    cosines.add(new Cosine(
                            "cosine",
                            languages,
                            layer,
                            cosine(sum(dots, layer), sum(squaresA, layer), sum(squaresB, layer))));
                }
            });
            return cosines;
        }

        private List<Overlap> overlaps(Map<String, TrainedVector> parts) {
            List<Overlap> overlaps = new ArrayList<>();
            List<Tensor> tensors = gradients.tensors();
            for (int i = 0; i < tensors.size(); i++) {
                int tensor = i;
                if (tensors.get(tensor).rank() < 2) {
                    continue;
                }
                Map<TrainedVector, Subspace> subspaces = new LinkedHashMap<>();
                parts.values()
                        .forEach(part ->
                                subspaces.put(part, Subspace.of(part.tensors().get(tensor), directions)));
                eachPair(parts, (languages, one, other) -> {
                    Subspace a = subspaces.get(one);
                    Subspace b = subspaces.get(other);
                    if (!a.isEmpty() && !b.isEmpty()) {
                        double[] left = Subspace.angles(a.left(), b.left());
                        double[] right = Subspace.angles(a.right(), b.right());
                        overlaps.add(new Overlap(
                                "subspace",
                                tensors.get(tensor).name(),
                                languages,
                                left,
                                right,
                                Subspace.overlap(left),
                                Subspace.overlap(right)));
                    }
                });
            }
            return overlaps;
        }

        private List<Norms> norms(double[] squares, double[] weights, double[] updates) {
            List<Norms> norms = new ArrayList<>();
            List<Tensor> tensors = gradients.tensors();
            for (int i = 0; i < squares.length; i++) {
                norms.add(norms("tensor", tensors.get(i).name(), layers.get(i), squares[i], weights[i], updates[i]));
            }
            layers.stream()
                    .distinct()
                    .forEach(layer -> norms.add(norms(
                            "layer", layer, layer, sum(squares, layer), sum(weights, layer), sum(updates, layer))));
            return norms;
        }

        private static Norms norms(
                String kind, String name, String layer, double squares, double weights, double updates) {
            return new Norms(
                    kind,
                    name,
                    Character.isDigit(layer.charAt(0)) ? Integer.valueOf(layer) : null,
                    Math.sqrt(squares),
                    Math.sqrt(weights),
                    Math.sqrt(updates),
                    weights == 0 ? null : Math.sqrt(updates / weights));
        }

        /** Of a tensor outside the layers its own name. */
        private static String layer(String tensor) {
            Matcher matcher = LAYER.matcher("." + tensor);
            return matcher.find() ? matcher.group(1) : tensor;
        }

        private double sum(double[] ofTensors, String layer) {
            return IntStream.range(0, ofTensors.length)
                    .filter(i -> layers.get(i).equals(layer))
                    .mapToDouble(i -> ofTensors[i])
                    .sum();
        }

        /** What lines do to questions, summed over checkpoints (TracIn, Pruthi et al. 2020, arXiv 2002.08484, section 3.3). */
        private final class Influences {
            /** Numbers of the lines that the run takes. */
            private final int[] lines;

            private final double[][] sums;
            private final double[][] cosines;

            private Influences(int[] lines) {
                this.lines = lines;
                sums = new double[texts.size()][lines.length];
                cosines = new double[texts.size()][lines.length];
                checkRoom(texts.size(), "questions");
            }

            private void add(double learningRate) {
                List<TrainedVector> asked = new ArrayList<>();
                progress.start("influence", lines.length);
                try (TrainedVector one = gradients.vector()) {
                    for (ScoredText text : texts) {
                        asked.add(gradients.vector());
                        gradients.ofLogProbability(asked.getLast(), document(text));
                    }
                    double[] norms = asked.stream().mapToDouble(Looked::norm).toArray();
                    for (int i = 0; i < lines.length; i++) {
                        gradients.ofLine(one, lines[i]);
                        double norm = norm(one);
                        for (int q = 0; q < norms.length; q++) {
                            double dot = -Looked.sum(one.dots(asked.get(q)));
                            sums[q][i] += learningRate * dot;
                            cosines[q][i] += norm * norms[q] == 0 ? 0 : dot / (norm * norms[q]);
                        }
                        progress.at(i + 1, "");
                    }
                } finally {
                    asked.forEach(TrainedVector::close);
                    progress.end();
                }
            }

            private List<Influence> all(int checkpoints) {
                List<Influence> all = new ArrayList<>();
                for (int q = 0; q < sums.length; q++) {
                    for (int i = 0; i < lines.length; i++) {
                        all.add(new Influence(
                                "influence",
                                texts.get(q).id(),
                                lines[i] + 1,
                                languages.get(lines[i]),
                                sums[q][i],
                                cosines[q][i] / checkpoints));
                    }
                }
                return all;
            }
        }

        private interface OfPair {
            void accept(List<String> languages, TrainedVector a, TrainedVector b);
        }

        private static void eachPair(Map<String, TrainedVector> parts, OfPair use) {
            List<String> names = List.copyOf(parts.keySet());
            for (int a = 0; a < names.size(); a++) {
                for (int b = a + 1; b < names.size(); b++) {
                    use.accept(List.of(names.get(a), names.get(b)), parts.get(names.get(a)), parts.get(names.get(b)));
                }
            }
        }

        private static double norm(TrainedVector x) {
            return Math.sqrt(sum(x.squares()));
        }

        private static Double cosine(double[] dots, TrainedVector a, TrainedVector b) {
            return cosine(sum(dots), sum(a.squares()), sum(b.squares()));
        }

        private static Double cosine(double dot, double squaresA, double squaresB) {
            return squaresA == 0 || squaresB == 0 ? null : dot / Math.sqrt(squaresA * squaresB);
        }

        private static double sum(double[] ofTensors) {
            return Arrays.stream(ofTensors).sum();
        }
    }
}
