package org.calm4j.calm.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.calm4j.calm.experiment.ExperimentFile;
import org.calm4j.calm.metric.Comparison;
import org.calm4j.calm.metric.Evaluation;
import org.calm4j.calm.metric.ResponsePatterns;
import org.calm4j.calm.option.EvaluateOptions;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.calm.run.SharedDisk;
import org.calm4j.calm.stage.EvaluateStage;
import org.calm4j.calm.stage.RetrieveStage;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.OutputFolder;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm evaluate}. */
@Command(
        name = "evaluate",
        sortOptions = false,
        description = "Measures accuracy by language and consistency between languages, of predictions or of a model.",
        footer = {
            "",
            "Example: calm evaluate --model aligned --data questions-en.jsonl questions-fr.jsonl \\",
            "    --output eval",
            "Example: calm evaluate --predictions after.jsonl --against before.jsonl"
        })
final class EvaluateCommand extends CalmCommand {
    @Option(
            names = "--predictions",
            paramLabel = "FILE",
            arity = "1..*",
            description =
                    "Predictions, instead of a model. A prediction that is not a label counts as unanswered; labels in another case, with "
                            + "signs around them, or as numbers are accepted and reported.")
    private List<Path> predictions;

    @Option(
            names = "--against",
            paramLabel = "FILE",
            arity = "1..*",
            description =
                    "Predictions of another run on the same questions, such as before training. The differences, with "
                            + "intervals of a paired bootstrap and McNemar's test in each language, are printed and go to comparison.json.")
    private List<Path> against;

    @Option(names = "--model", paramLabel = "DIR", description = "A model folder in the Hugging Face layout.")
    private Path model;

    @Option(names = "--adapter", paramLabel = "DIR", description = "A PEFT folder (LoRA) on top of it.")
    private Path adapter;

    @Option(
            names = "--data",
            paramLabel = "FILE",
            arity = "1..*",
            description =
                    "Questions, of one or more languages per file; with --predictions, the source of labels, truths, "
                            + "and unanswered questions.")
    private List<Path> data;

    @Option(
            names = "--output",
            paramLabel = "DIR",
            defaultValue = "eval",
            description = "Folder for eval.json and predictions.jsonl (default: ${DEFAULT-VALUE}).")
    private Path output;

    @Option(
            names = "--prompts",
            paramLabel = "FILE",
            description =
                    "Prompt templates by language, or xcsqa, medqa, generic (default: the model's own, or generic).")
    private Path prompts;

    @Mixin
    private final Given<EvaluateOptions> options = new Given<>(EvaluateOptions.class);

    @Option(
            names = "--index",
            paramLabel = "DIR",
            description = "Folder of their index (default: beside the file, its name with .index appended).")
    private Path index;

    @Option(
            names = "--patterns",
            paramLabel = "FILE",
            description = "Kinds of responses to count: names with a regular expression each, or one for each "
                    + "language. Their shares, accuracy and agreement are written to eval.json.")
    private Path patterns;

    @Option(names = "--resume", description = "Continue a stopped run with the same settings.")
    private boolean resume;

    @Mixin
    private SeedOption seed = new SeedOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    List<Path> outputs() {
        return EvaluateStage.FILES.stream().map(output::resolve).toList();
    }

    @Override
    boolean isShared() {
        return model != null;
    }

    @Override
    void run() {
        EvaluateOptions given = options.get();
        if ((predictions == null) == (model == null) || model != null && data == null) {
            throw CalmException.usage("give either --predictions FILE…, or --model DIR and --data FILE…");
        }
        if (patterns != null && (model == null || given.method() == EvaluateOptions.Method.RANK)) {
            throw CalmException.usage("--patterns counts responses; it needs --model and --method generate");
        }
        ResponsePatterns kinds = ExperimentFile.read(patterns, Map.of(), ResponsePatterns.class, null);
        try (OutputFolder _ = ranks().isFirst() ? EvaluateStage.open(output, progress()) : null) {
            evaluate(kinds, given);
        }
    }

    private void evaluate(ResponsePatterns kinds, EvaluateOptions given) {
        List<Path> questions = data == null ? List.of() : data;
        Evaluation evaluation = model != null
                ? ofModel(given)
                : new EvaluateStage(output, seed.seed).ofPredictions(predictions, questions, this::warn);
        if (!ranks().isFirst()) {
            return;
        }
        if (kinds != null) {
            evaluation = new EvaluateStage(output, seed.seed).count(evaluation, kinds);
        }
        ObjectNode result = Json.mapper().valueToTree(evaluation);
        String text = text(evaluation);
        if (kinds != null) {
            text += System.lineSeparator() + ResponsePatterns.text(evaluation.patterns());
        }
        if (against != null) {
            Comparison comparison = new EvaluateStage(output, seed.seed).against(against, questions, this::warn);
            result.set("against", Json.mapper().valueToTree(comparison));
            text += System.lineSeparator() + text(comparison);
        }
        result(result, text);
    }

    private void warn(String line) {
        say("calm evaluate: " + line);
    }

    private Evaluation ofModel(EvaluateOptions given) {
        PromptTemplates templates = PromptTemplates.choose(prompts, model);
        try (Backend backend = device.open(this);
                ModelFolder folder = told(ModelFolder.open(backend, model, adapter))) {
            Path contexts = null;
            Path passages = given.passages();
            if (passages != null) {
                contexts = output.resolve(EvaluateStage.PASSAGES);
                if (ranks().isFirst()) {
                    Path place = index != null ? index : passages.resolveSibling(passages.getFileName() + ".index");
                    new RetrieveStage(data, passages, place, contexts, given.topPassages())
                            .run(given.dense() ? folder : null, progress());
                }
                SharedDisk.await(ranks(), List.of(contexts));
            }
            return new EvaluateStage(output, seed.seed)
                    .ofModel(folder, data, templates, given, contexts, resume, stoppable());
        }
    }

    private String text(Evaluation evaluation) {
        StringBuilder text = new StringBuilder();
        text.append(evaluation.n()).append(" questions");
        if (evaluation.accuracyMean() != null) {
            text.append(percent(", accuracy %.1f %%", evaluation.accuracyMean()))
                    .append(evaluation.accuracy().entrySet().stream()
                            .map(each -> each.getKey() + percent(" %.1f", each.getValue()))
                            .collect(Collectors.joining(", ", " (", ")")));
        }
        if (evaluation.consistency() != null) {
            text.append(percent(", consistency %.1f %%", evaluation.consistency()));
        }
        if (evaluation.rankc() != null) {
            text.append(percent(", RankC %.1f %%", evaluation.rankc()));
        }
        if (evaluation.calibration() != null) {
            text.append(percent(
                    ", calibration error %.1f %%", evaluation.calibration().ece()));
        }
        if (evaluation.answerLanguageMean() != null) {
            text.append(percent(", in the question's language %.1f %%", evaluation.answerLanguageMean()));
        }
        text.append(percent(", unanswered %.1f %%", evaluation.unanswered()));
        if (evaluation.notLabels() != null) {
            text.append(" (")
                    .append(evaluation.notLabels().values().stream()
                            .mapToInt(Integer::intValue)
                            .sum())
                    .append(" are not labels)");
        }
        return text.append(". In ").append(output).toString();
    }

    private static String text(Comparison comparison) {
        List<String> parts = new ArrayList<>();
        if (comparison.accuracyMean() != null) {
            parts.add("accuracy " + text(comparison.accuracyMean()));
        }
        if (comparison.consistency() != null) {
            parts.add("consistency " + text(comparison.consistency()));
        }
        comparison
                .flips()
                .forEach((language, flips) -> parts.add(String.format(
                        Locale.ROOT,
                        "%s %d became right, %d wrong (%s)",
                        language,
                        flips.gained(),
                        flips.lost(),
                        flips.chance())));
        return "Against the other: " + String.join(", ", parts);
    }

    private static String text(Comparison.Change change) {
        String interval = change.interval() == null
                ? ""
                : String.format(
                        Locale.ROOT,
                        " (%+.1f to %+.1f)",
                        100 * change.interval().low(),
                        100 * change.interval().high());
        return String.format(Locale.ROOT, "%+.1f points", 100 * change.difference()) + interval;
    }

    private static String percent(String format, double share) {
        return String.format(Locale.ROOT, format, 100 * share);
    }
}
