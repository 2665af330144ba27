package org.calm4j.calm.inspect;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.calm4j.calm.inspect.StepFindings.Cosine;
import org.calm4j.calm.inspect.StepFindings.Influence;
import org.calm4j.calm.inspect.StepFindings.Language;
import org.calm4j.calm.inspect.StepFindings.Line;
import org.calm4j.calm.inspect.StepFindings.Norms;
import org.calm4j.calm.inspect.StepFindings.Overlap;
import org.calm4j.calm.inspect.StepFindings.Step;
import org.calm4j.calm.run.Progress;
import org.calm4j.calm.stage.TrainStage;
import org.calm4j.calm.tool.ScoredText;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.tensor.Tensor;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.StepGradients;
import org.calm4j.engine.train.TrainedVector;
import org.calm4j.engine.train.Trainer;
import org.calm4j.engine.train.TrainingRun;

/** A run's trainer, looked at in one step. */
final class StepLook implements TrainStage.Look {
    private static final Pattern LAYER = Pattern.compile("\\.(?:layers|h)\\.(\\d+)\\.");

    private final StepStage stage;
    private final Path from;
    private final List<String> languages;
    private final Progress progress;
    private List<ScoredText> texts = List.of();
    private StepGradients gradients;
    /** Of each tensor. */
    private List<String> layers;

    private StepFindings result;

    /**
     * @param from a finished run; null for one that starts now
     * @param languages of each line
     */
    StepLook(StepStage stage, Path from, List<String> languages, Progress progress) {
        this.stage = stage;
        this.from = from;
        this.languages = languages;
        this.progress = progress;
    }

    /** What was found; null before {@link #at}. */
    StepFindings result() {
        return result;
    }

    @Override
    public List<Example.Document> questions(ModelFolder start) {
        texts = stage.questions() == null ? List.of() : ScoredText.read(stage.questions(), start);
        return texts.stream().map(StepLook::document).toList();
    }

    private static Example.Document document(ScoredText text) {
        return new Example.Document(text.tokens(), text.start(), 1);
    }

    @Override
    public void at(Trainer trainer, TrainingRun run, int steps) {
        Setting.of("step").check(stage.step() >= 1 && stage.step() <= steps, "must be from 1 to the run's " + steps);
        for (int checkpoint : stage.checkpoints()) {
            Setting.of("checkpoints")
                    .check(checkpoint >= 0 && checkpoint <= steps, "must be from 0 to the run's " + steps);
        }
        gradients = new StepGradients(trainer);
        layers =
                gradients.tensors().stream().map(tensor -> layer(tensor.name())).toList();
        TreeSet<Integer> measured =
                new TreeSet<>(stage.checkpoints().isEmpty() ? List.of(stage.step() - 1) : stage.checkpoints());
        TreeSet<Integer> stops = new TreeSet<>(List.of(stage.step() - 1));
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
            if (stop == stage.step() - 1) {
                result = step();
                taken = stage.step();
            }
        }
        if (influences != null) {
            result = new StepFindings(
                    result.step(),
                    result.norms(),
                    result.languages(),
                    result.cosines(),
                    result.overlaps(),
                    result.lines(),
                    influences.all(measured.size()));
        }
    }

    private StepFindings step() {
        int[] lines = gradients.lines(stage.step() - 1);
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
            gradients.ofStep(whole, stage.step() - 1, all -> true);
            double[] squares = whole.squares();
            groups.forEach((language, group) -> {
                parts.put(language, gradients.vector());
                gradients.ofStep(parts.get(language), stage.step() - 1, group);
                progress.at(1 + parts.size(), language);
            });
            List<Line> ofLines = new ArrayList<>();
            for (int line : lines) {
                gradients.ofStep(one, stage.step() - 1, each -> each == line);
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
            List<Overlap> overlaps = stage.directions() == 0 ? List.of() : overlaps(parts);
            StepGradients.Taken taken = gradients.take(stage.step() - 1);
            Step summary = new Step(
                    "step",
                    stage.step(),
                    taken.log().loss(),
                    taken.log().gradNorm(),
                    gradients.clip(taken.log().gradNorm()),
                    taken.log().learningRate(),
                    IntStream.of(lines).map(line -> line + 1).toArray());
            return new StepFindings(
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
        long fits = stage.maxBytes() / gradients.bytes();
        if (count > fits) {
            throw CalmException.failed(
                    String.format(
                            java.util.Locale.ROOT,
                            "the gradients of %d %s take %.1f MB of the %.1f MB allowed; those of %d would fit; raise ",
                            count,
                            what,
                            1e-6 * count * gradients.bytes(),
                            1e-6 * stage.maxBytes(),
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
                            subspaces.put(part, Subspace.of(part.tensors().get(tensor), stage.directions())));
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
                .forEach(layer -> norms.add(
                        norms("layer", layer, layer, sum(squares, layer), sum(weights, layer), sum(updates, layer))));
        return norms;
    }

    private static Norms norms(String kind, String name, String layer, double squares, double weights, double updates) {
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
                double[] norms = asked.stream().mapToDouble(StepLook::norm).toArray();
                for (int i = 0; i < lines.length; i++) {
                    gradients.ofLine(one, lines[i]);
                    double norm = norm(one);
                    for (int q = 0; q < norms.length; q++) {
                        double dot = -StepLook.sum(one.dots(asked.get(q)));
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
