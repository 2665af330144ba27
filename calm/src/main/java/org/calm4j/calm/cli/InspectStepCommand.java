package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.calm4j.calm.inspect.Pages;
import org.calm4j.calm.inspect.StepFindings;
import org.calm4j.calm.inspect.StepFindings.Cosine;
import org.calm4j.calm.inspect.StepFindings.Influence;
import org.calm4j.calm.inspect.StepFindings.Language;
import org.calm4j.calm.inspect.StepFindings.Norms;
import org.calm4j.calm.inspect.StepStage;
import org.calm4j.calm.option.DpoOptions;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code calm inspect step}. */
@Command(
        name = "step",
        sortOptions = false,
        customSynopsis = "calm inspect step (RUN | --model=DIR --data=FILE) --step=N --output=FILE [OPTION...]",
        description = {
            "Looks into one training step: gradient and update of each layer, what each language's lines pull "
                    + "at, each line's gradient, and which lines of the data move the log-probability of given completions.",
            "",
            "The step is one of a finished run of dpo, sft or pretrain (RUN), or of a dpo that would start now "
                    + "(--model, --data and dpo's options). Nothing but the output is written."
        },
        footer = {
            "",
            "Influence is TracIn (Pruthi et al. 2020): the learning rate times the dot product of a line's negative "
                    + "gradient with the gradient of the completion's log-probability, summed over checkpoints. It is "
                    + "what a step of plain gradient descent would do; AdamW scales each weight's share.",
            "",
            "Example: calm inspect step aligned --step 20 --questions statements.jsonl --output step-20.jsonl",
            "Example: calm inspect step --model base --data pairs.jsonl --loss-type ipo --output step.jsonl"
        })
final class InspectStepCommand extends CalmCommand {
    /** Options that do not belong to dpo. */
    private static final Set<String> OWN = Set.of(
            "--step",
            "--directions",
            "--questions",
            "--checkpoints",
            "--max-bytes",
            "--output",
            "--report",
            "--device",
            "--threads",
            "--precision",
            "--quiet",
            "--json",
            "--debug");

    private static final int SHOWN = 3;

    @Parameters(paramLabel = "RUN", arity = "0..1", description = "The output folder of dpo, sft or pretrain.")
    private Path run;

    @Option(names = "--step", paramLabel = "N", description = "The step, from 1 (default: ${DEFAULT-VALUE}).")
    private int step = 1;

    @Option(
            names = "--directions",
            paramLabel = "K",
            description = "Compare, tensor by tensor, the subspaces of the K largest singular directions of the "
                    + "languages' gradients; 0 (default): none.")
    private int directions;

    @Option(
            names = "--questions",
            paramLabel = "FILE",
            description = "Lines as score reads them, JSON Lines: which lines of the data move their completions?")
    private Path questions;

    @Option(
            names = "--checkpoints",
            paramLabel = "N",
            split = ",",
            description = "Steps after which influence is measured, 0 for the start (default: the one before --step).")
    private List<Integer> checkpoints = List.of();

    @Option(
            names = "--max-bytes",
            paramLabel = "N",
            description = "Maximum size of gradients that are kept together (default: ${DEFAULT-VALUE}).")
    private long maxBytes = StepStage.DEFAULT_BYTES;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            required = true,
            description =
                    "Lines of kind step, tensor, layer, language, cosine, subspace, line and influence, JSON Lines.")
    private Path output;

    @Option(
            names = {"--model", "--model-name-or-path"},
            paramLabel = "DIR",
            description = "Without RUN: the model to start from.")
    private Path model;

    @Option(
            names = "--adapter",
            paramLabel = "DIR",
            description = "Without RUN: a PEFT folder (LoRA) to train further.")
    private Path adapter;

    @Option(names = "--data", paramLabel = "FILE", description = "Without RUN: pairs, JSON Lines or a JSON list.")
    private Path data;

    @Mixin
    private final Given<DpoOptions> options = new Given<>(DpoOptions.class);

    @Mixin
    private SeedOption seed = new SeedOption();

    @Mixin
    private final PageOption page = new PageOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        if (directions < 0) {
            throw CalmException.usage("--directions must be at least 0");
        }
        if (run != null) {
            refuseOthers();
        } else if (model == null || data == null) {
            throw CalmException.usage("give the folder of a finished run, or --model and --data");
        }
        StepStage stage = new StepStage(output, step, directions, questions, checkpoints, maxBytes);
        try (Backend backend = device.open(this)) {
            StepFindings found = run != null
                    ? stage.run(run, backend, progress())
                    : stage.run(model, adapter, data, options.get(), seed.seed, backend, progress());
            page.write(output, Pages::step);
            result(found, text(found));
        }
    }

    /** A run has its own settings. */
    private void refuseOthers() {
        spec().commandLine().getParseResult().matchedOptions().stream()
                .filter(option -> Stream.of(option.names()).noneMatch(OWN::contains))
                .findFirst()
                .ifPresent(option -> {
                    throw CalmException.usage(option.longestName() + " is a setting of the run " + run
                            + "; give it without RUN, with --model and --data");
                });
    }

    private String text(StepFindings found) {
        StringBuilder text = new StringBuilder();
        add(
                text,
                "Step %d of %d lines: loss %.4f, gradient norm %.4g, learning rate %.3g%n%n",
                found.step().step(),
                found.step().lines().length,
                found.step().loss(),
                found.step().gradientNorm(),
                found.step().learningRate());
        List<Norms> layers = found.norms().stream()
                .filter(each -> each.kind().equals("layer"))
                .toList();
        int width = layers.stream().mapToInt(each -> each.name().length()).max().orElse(5);
        width = Math.max(width, 5);
        add(text, "%-" + width + "s  %10s  %10s  %13s%n", "layer", "gradient", "update", "update/weight");
        for (Norms each : layers) {
            add(
                    text,
                    "%-" + width + "s  %10.4g  %10.4g  %13s%n",
                    each.name(),
                    each.gradientNorm(),
                    each.updateNorm(),
                    number("%.4g", each.updateToWeight()));
        }
        languages(text, found);
        found.influences().stream()
                .map(each -> each.question().asText())
                .distinct()
                .forEach(question -> influences(
                        text,
                        question,
                        found.influences().stream()
                                .filter(each -> each.question().asText().equals(question))
                                .sorted(Comparator.comparingDouble(Influence::influence))
                                .toList()));
        return text + "In " + output;
    }

    private static void languages(StringBuilder text, StepFindings found) {
        TreeSet<String> names = new TreeSet<>();
        found.languages().forEach(each -> names.add(each.language()));
        add(text, "%nCosines of the languages' gradients%n%-10s  %5s  %10s", "language", "lines", "gradient");
        names.forEach(name -> add(text, "  %8s", name));
        add(text, "%n");
        for (String name : names) {
            Language language = found.languages().stream()
                    .filter(each -> each.language().equals(name))
                    .findFirst()
                    .orElseThrow();
            add(text, "%-10s  %5d  %10.4g", name, language.lines(), language.gradientNorm());
            for (String other : names) {
                add(
                        text,
                        "  %8s",
                        found.cosines().stream()
                                .filter(each -> each.layer() == null
                                        && !name.equals(other)
                                        && Set.copyOf(each.languages()).equals(Set.of(name, other)))
                                .map(Cosine::cosine)
                                .findFirst()
                                .map(cosine -> number("%.3f", cosine))
                                .orElse(""));
            }
            add(text, "%n");
        }
    }

    private static void influences(StringBuilder text, String question, List<Influence> ascending) {
        int shown = Math.min(SHOWN, ascending.size());
        add(
                text,
                "%n%s: raised most by %s; lowered most by %s%n",
                question,
                list(ascending.reversed().subList(0, shown)),
                list(ascending.subList(0, shown)));
    }

    private static String list(List<Influence> influences) {
        return influences.stream()
                .map(each -> String.format(
                        Locale.ROOT, "line %d (%s, %.3g)", each.line(), each.language(), each.influence()))
                .collect(Collectors.joining(", "));
    }

    private static String number(String format, Double value) {
        return value == null ? "-" : String.format(Locale.ROOT, format, value);
    }

    private static void add(StringBuilder text, String format, Object... values) {
        text.append(String.format(Locale.ROOT, format, values));
    }
}
