package org.calm4j.calm.stage;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Pair;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;

/** Pairs as this program, TRL or LLaMA-Factory reads them. */
final class PairFormat {
    private PairFormat() {
    }

    private record Trl(String prompt, String chosen, String rejected) {
    }

    private record LlamaFactory(String instruction, String input, String chosen, String rejected) {
    }

    static void write(PairOptions.Format format, List<Pair> pairs, Path output) {
        switch (format) {
            case CALM -> Jsonl.write(output, pairs);
            case TRL -> Jsonl.write(output, pairs.stream().map(pair -> new Trl(pair.prompt(), pair.chosen(), pair.rejected())).toList());
            case LLAMA_FACTORY -> {
                Json.write(output, pairs.stream().map(pair -> new LlamaFactory(pair.prompt(), "", pair.chosen(), pair.rejected())).toList());
                Json.write(datasetInfo(output), Map.of(name(output), entry(output)));
            }
        }
    }

    /** What LLaMA-Factory's dataset_info.json must say about the file. */
    private static Map<String, Object> entry(Path output) {
        Map<String, String> columns = new LinkedHashMap<>();
        columns.put("prompt", "instruction");
        columns.put("query", "input");
        columns.put("chosen", "chosen");
        columns.put("rejected", "rejected");
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("file_name", output.getFileName().toString());
        entry.put("ranking", true);
        entry.put("columns", columns);
        return entry;
    }

    static Path datasetInfo(Path output) {
        return output.resolveSibling(name(output) + ".dataset_info.json");
    }

    private static String name(Path output) {
        return output.getFileName().toString().replaceFirst("\\.jsonl?$", "");
    }
}
