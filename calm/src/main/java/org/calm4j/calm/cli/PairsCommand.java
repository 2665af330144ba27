package org.calm4j.calm.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import org.calm4j.calm.option.PairOptions;
import org.calm4j.calm.option.TranslatorOptions;
import org.calm4j.calm.pair.PairCounts;
import org.calm4j.calm.pair.PairsStage;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.calm.translate.Translator;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.model.ModelFolder;
import org.calm4j.engine.op.Backend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm pairs}. */
@Command(
        name = "pairs",
        sortOptions = false,
        description =
                "Makes preference pairs: a response that agrees with the vote is chosen, one that does not is rejected.",
        footer = {"", "Example: calm pairs --samples samples.jsonl --votes votes.jsonl --output pairs.jsonl"})
final class PairsCommand extends CalmCommand {
    @Option(
            names = "--samples",
            paramLabel = "FILE",
            required = true,
            arity = "1..*",
            description = "The samples that voted.")
    private List<Path> samples;

    @Option(names = "--votes", paramLabel = "FILE", required = true, description = "Their votes.")
    private Path votes;

    @Option(names = "--output", paramLabel = "FILE", required = true, description = "Pairs, JSON Lines.")
    private Path output;

    @Option(
            names = "--prompts",
            paramLabel = "FILE",
            description =
                    "Prompt templates by language, or xcsqa, medqa, generic; the ones used in sampling (default: the samples' own "
                            + "prompts, or generic).")
    private Path prompts;

    @Mixin
    private final Given<PairOptions> options = new Given<>(PairOptions.class);

    @Option(names = "--model", paramLabel = "DIR", description = "The model of --translator model.")
    private Path model;

    @Option(names = "--adapter", paramLabel = "DIR", description = "A PEFT folder (LoRA) on top of it.")
    private Path adapter;

    @Mixin
    private SeedOption seed = new SeedOption();

    @Mixin
    private DeviceOptions device = new DeviceOptions();

    @Override
    void run() {
        PairOptions given = options.get();
        TranslatorOptions translation = given.translation();
        if (translation.translator() == TranslatorOptions.Kind.HTTP && translation.translations() == null) {
            say("calm pairs: without --translations FILE translations are lost if the service or this command stops");
        }
        if (translation.translator() != TranslatorOptions.Kind.MODEL || model == null) {
            pairs(given, translation.open(null, System.getenv()));
            return;
        }
        try (Backend backend = device.open(this);
                ModelFolder folder = told(ModelFolder.open(backend, model, adapter))) {
            pairs(given, translation.open(folder, System.getenv()));
        }
    }

    private void pairs(PairOptions given, Translator translator) {
        PromptTemplates templates = PromptTemplates.choose(prompts, null);
        PairCounts counts = new PairsStage(samples, votes, templates, output, given, translator, seed.seed).run();
        if (counts.warning() != null) {
            say(counts.warning());
        }
        ObjectNode result = Json.mapper().valueToTree(counts);
        String untranslated = "";
        if (translator != null && !translator.leftOut().isEmpty()) {
            result.set("untranslated", Json.mapper().valueToTree(translator.leftOut()));
            untranslated = System.lineSeparator() + "Without a translation: " + translator.leftOut() + ".";
        }
        result(
                result.put("output", output.toString()),
                counts.text() + untranslated + System.lineSeparator() + "Pairs in " + output);
    }
}
