package org.calm4j.calm.cli;

import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.calm4j.calm.tool.ConvertStage;
import org.calm4j.engine.io.Shards;
import org.calm4j.engine.tensor.DType;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** {@code calm convert}. */
@Command(
        name = "convert",
        sortOptions = false,
        description =
                "Converts a model: type of its weights, size of its files, adapter merged; or a .bin of llama2.c.",
        footer = {
            "",
            "Example: calm convert --model base --output base-bf16 --dtype BF16 --max-shard-size 2GB",
            "Example: calm convert --model base --adapter aligned --output merged",
            "Example: calm convert --model stories260K.bin --tokenizer tok512.bin --output stories"
        })
final class ConvertCommand extends CalmCommand {
    /** For the shell's completion. */
    static final class Types implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return List.of("F32", "BF16", "F16").iterator();
        }
    }

    @Option(
            names = "--model",
            paramLabel = "DIR|FILE.bin",
            required = true,
            description = "A model folder in the Hugging Face layout, or a model of llama2.c.")
    private Path model;

    @Option(
            names = "--adapter",
            paramLabel = "DIR",
            description = "A PEFT folder (LoRA) that is merged into the weights.")
    private Path adapter;

    @Option(names = "--tokenizer", paramLabel = "FILE", description = "The tokenizer.bin of a model of llama2.c.")
    private Path tokenizer;

    @Option(names = "--output", paramLabel = "DIR", required = true, description = "A new folder.")
    private Path output;

    @Option(
            names = "--dtype",
            paramLabel = "F32|BF16|F16",
            converter = Type.class,
            completionCandidates = Types.class,
            description = "Type of the weights (default: unchanged).")
    private DType type;

    @Option(
            names = "--max-shard-size",
            paramLabel = "SIZE",
            defaultValue = "5GB",
            description = "Maximum size of a weights file, such as 500MB or 2GiB (default: ${DEFAULT-VALUE}).")
    private String maxShardSize;

    @Override
    void run() {
        new ConvertStage(model, adapter, tokenizer, output, type, Shards.size(maxShardSize)).run(progress());
        result(Map.of("output", output.toString()), "Model in " + output);
    }

    private static final class Type implements ITypeConverter<DType> {
        @Override
        public DType convert(String value) {
            return switch (value.toUpperCase(Locale.ROOT)) {
                case "F32", "FLOAT32" -> DType.F32;
                case "BF16", "BFLOAT16" -> DType.BF16;
                case "F16", "FLOAT16" -> DType.F16;
                default ->
                    throw new TypeConversionException(
                            "'" + value + "' is not a type of weights; known: F32, BF16, F16");
            };
        }
    }
}
