package org.calm4j.calm.cli;

import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.generate.Sampling;
import picocli.CommandLine.Option;

/** How tokens are chosen; names as in transformers. */
final class SamplingOptions {
    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            converter = Numbers.Positive.class,
            description = "Tokens of a completion at most (default: 256, or what the model's positions leave).")
    private int maxNewTokens = Sampling.FITTING;

    @Option(
            names = "--temperature",
            paramLabel = "T",
            converter = Numbers.ZeroOrMore.class,
            description = "0 takes the most probable token always (default: ${DEFAULT-VALUE}).")
    private double temperature;

    @Option(
            names = "--top-k",
            paramLabel = "K",
            defaultValue = "0",
            converter = Numbers.NotNegative.class,
            description = "Only the K most probable tokens; 0 (default): all.")
    private int topK;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            defaultValue = "1",
            converter = Numbers.PositiveShare.class,
            description =
                    "Only the most probable tokens that have this probability together (default: ${DEFAULT-VALUE}).")
    private double topP;

    @Option(
            names = "--min-p",
            paramLabel = "M",
            defaultValue = "0",
            converter = Numbers.Share.class,
            description =
                    "Only tokens with this share of the most probable one's probability (default: ${DEFAULT-VALUE}).")
    private double minP;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "R",
            defaultValue = "1",
            converter = Numbers.AboveZero.class,
            description =
                    "Divides positive logits of tokens that are there already, multiplies negative ones (default: ${DEFAULT-VALUE}).")
    private double repetitionPenalty;

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            description =
                    "Ends a completion; its text is cut before it. May be a special token; may be given several times.")
    private List<String> stop = List.of();

    @Option(
            names = "--num-return-sequences",
            paramLabel = "K",
            converter = Numbers.Positive.class,
            description = "Completions of a prompt (default: ${DEFAULT-VALUE}).")
    private int count;

    @Option(names = "--ignore-eos", description = "Go on to --max-new-tokens.")
    private boolean ignoreEos;

    SamplingOptions(double temperature, int count) {
        this.temperature = temperature;
        this.count = count;
    }

    Sampling sampling(long seed) {
        if (stop.contains("")) {
            throw CalmException.usage("--stop needs a text");
        }
        return new Sampling(
                maxNewTokens, temperature, topK, topP, minP, repetitionPenalty, stop, count, ignoreEos, seed);
    }
}
