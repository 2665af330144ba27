package org.calm4j.calm.pair;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.calm4j.calm.data.Messages;
import org.calm4j.calm.data.Pair;
import org.calm4j.calm.option.PairOptions;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;

/** Writes pairs in the format of this program, TRL or LLaMA-Factory. */
final class PairFormat {
    private PairFormat() {}

    /** Plain text, or messages if the pair has earlier turns. */
    private record Trl(Object prompt, Object chosen, Object rejected) {
        static Trl of(Pair pair) {
            if (pair.history() == null) {
                return new Trl(pair.prompt(), pair.chosen(), pair.rejected());
            }
            return new Trl(
                    Messages.of(pair.asked()),
                    List.of(ChatTemplate.message("assistant", pair.chosen())),
                    List.of(ChatTemplate.message("assistant", pair.rejected())));
        }
    }

    @JsonInclude(JsonInclude.Include.NON_NULL)
    private record LlamaFactory(
            String instruction, String input, String chosen, String rejected, List<List<String>> history) {}

    static void write(PairOptions.Format format, List<Pair> pairs, Path output) {
        switch (format) {
            case CALM -> Jsonl.write(output, pairs);
            case TRL -> Jsonl.write(output, pairs.stream().map(Trl::of).toList());
            case LLAMA_FACTORY -> {
                Json.write(
                        output,
                        pairs.stream()
                                .map(pair -> new LlamaFactory(
                                        pair.prompt(), "", pair.chosen(), pair.rejected(), pair.history()))
                                .toList());
                Json.write(
                        datasetInfo(output),
                        Map.of(name(output), entry(output, pairs.stream().anyMatch(pair -> pair.history() != null))));
            }
        }
    }

    /** The file's entry in LLaMA-Factory's dataset_info.json. */
    private static Map<String, Object> entry(Path output, boolean history) {
        Map<String, String> columns = new LinkedHashMap<>();
        columns.put("prompt", "instruction");
        columns.put("query", "input");
        columns.put("chosen", "chosen");
        columns.put("rejected", "rejected");
        if (history) {
            columns.put("history", "history");
        }
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
