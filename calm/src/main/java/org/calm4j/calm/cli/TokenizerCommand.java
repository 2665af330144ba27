package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.tool.TokenizerStage;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code calm tokenizer}. */
@Command(
        name = "tokenizer",
        sortOptions = false,
        description = {
            "Trains a tokenizer from texts, for a new model.",
            "Put a config.json with its vocab_size beside it, and pretrain --config uses both."
        },
        footer = {"", "Example: calm tokenizer --data corpus.jsonl --vocab-size 8000 --output tiny"})
final class TokenizerCommand extends CalmCommand {
    @Option(
            names = "--data",
            paramLabel = "FILE",
            required = true,
            arity = "1..*",
            description = "Text files (.txt, a text a line), or documents as pretrain and sft read them (JSON Lines).")
    private List<Path> data;

    @Option(
            names = "--output",
            paramLabel = "DIR",
            required = true,
            description = "Folder for tokenizer.json and tokenizer_config.json.")
    private Path output;

    @Option(
            names = "--type",
            paramLabel = "TYPE",
            defaultValue = "bpe",
            description =
                    "bpe (default): pieces of words, made of bytes; word-level: whole words, separated by spaces.")
    private TokenizerStage.Kind kind;

    @Option(
            names = "--vocab-size",
            paramLabel = "N",
            defaultValue = "32000",
            description = "Maximum number of tokens, special ones included; default ${DEFAULT-VALUE}.")
    private int vocabularySize;

    @Option(
            names = "--min-frequency",
            paramLabel = "N",
            defaultValue = "1",
            description = "Minimum number of occurrences of a word (word-level); default ${DEFAULT-VALUE}.")
    private long fewest;

    @Option(
            names = "--eos-token",
            paramLabel = "TOKEN",
            defaultValue = "<|endoftext|>",
            description = "The end-of-sequence token; default ${DEFAULT-VALUE}.")
    private String endOfSequence;

    @Option(
            names = "--unk-token",
            paramLabel = "TOKEN",
            defaultValue = "<unk>",
            description = "Stands for words that are not in the vocabulary (word-level); default ${DEFAULT-VALUE}.")
    private String unknown;

    @Override
    void run() {
        int size = new TokenizerStage(data, kind, vocabularySize, fewest, unknown, endOfSequence, output).run();
        result(
                Map.of("vocab_size", size, "output", output.toString()),
                "A tokenizer of " + size + " tokens (vocab_size) in " + output);
    }
}
