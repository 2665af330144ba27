package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.Map;
import org.calm4j.calm.tool.TokenizeStage;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code calm tokenize}. */
@Command(
        name = "tokenize",
        sortOptions = false,
        description = "Converts texts to token ids and back.",
        footer = {"", "Example: calm tokenize --model base --input texts.jsonl --output tokens.jsonl"})
final class TokenizeCommand extends CalmCommand {
    @Option(names = "--model", paramLabel = "DIR", required = true, description = "A folder with tokenizer.json.")
    private Path model;

    @Mixin
    private final InputAndOutput files = new InputAndOutput(
            "Lines with id and text, or with messages for the "
                    + "chat template (and add_generation_prompt), JSON Lines.",
            "Lines with id, input_ids and decoded, JSON Lines.");

    @Option(
            names = "--no-special-tokens",
            description = "Do not add the tokenizer's special tokens before and after a text.")
    private boolean noSpecialTokens;

    @Override
    void run() {
        int lines = new TokenizeStage(model, files.input(), files.output(), !noSpecialTokens).run();
        result(
                Map.of("lines", lines, "output", files.output().toString()),
                lines + " texts tokenized. Tokens in " + files.output());
    }
}
