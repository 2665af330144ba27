package org.calm4j.calm.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.csv.CsvMapper;
import com.fasterxml.jackson.dataformat.csv.CsvParser;
import com.fasterxml.jackson.dataformat.csv.CsvSchema;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.TextFile;

/** A file of objects, as JSON Lines, as one JSON list, or as a table with commas or tabs; which of them it is, its beginning tells. */
public final class DataFile {
    private static final CsvMapper TABLES = CsvMapper.builder().enable(CsvParser.Feature.WRAP_AS_ARRAY)
            .enable(CsvParser.Feature.SKIP_EMPTY_LINES)
            .enable(CsvParser.Feature.FAIL_ON_MISSING_COLUMNS).build();

    /** @param where for messages: {@code file:line}, or {@code file[index]} in a list */
    public record Item(JsonNode json, String where) {
    }

    private DataFile() {
    }

    /** @throws CalmException bad input: missing or broken */
    public static List<Item> read(Path file) {
        return switch (first(file)) {
            case '[' -> list(file);
            case '{', -1 -> Jsonl.read(file, JsonNode.class, Item::new);
            default -> table(file);
        };
    }

    private static List<Item> list(Path file) {
        JsonNode list = Json.read(file, JsonNode.class);
        List<Item> items = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            items.add(new Item(list.get(i), file + "[" + i + "]"));
        }
        return items;
    }

    /**
     * The first line names the columns; where its last cell is a mere label, as in MMLU, it is an item of a question, its options and the
     * answer.
     */
    private static List<Item> table(Path file) {
        List<Item> items = new ArrayList<>();
        long line = 1;
        try {
            String text = TextFile.read(file);
            String head = text.lines().findFirst().orElse("");
            // Tabs separate without quotes.
            CsvSchema schema = head.indexOf('\t') >= 0 ? CsvSchema.emptySchema().withColumnSeparator('\t').withoutQuoteChar()
                    : CsvSchema.emptySchema();
            List<String> names = null;
            try (MappingIterator<String[]> rows = TABLES.readerFor(String[].class).with(schema).readValues(text)) {
                while (rows.hasNext()) {
                    line = rows.getCurrentLocation().getLineNr();
                    String[] row = rows.next();
                    if (names == null) {
                        names = names(row, file);
                        if (names.getLast().equals("answer") && !row[row.length - 1].equalsIgnoreCase("answer")) {
                            items.add(item(names, row, file + ":" + line));
                        }
                    } else {
                        items.add(item(names, row, file + ":" + line));
                    }
                }
            }
        } catch (JsonProcessingException e) {
            throw CalmException.badInput(file + ":" + Math.max(line, e.getLocation() == null ? 1 : e.getLocation().getLineNr()),
                    "neither JSON nor a table with commas or tabs: " + e.getOriginalMessage().lines().findFirst().orElse(""), e);
        } catch (IOException | RuntimeException e) {
            throw e instanceof CalmException calm ? calm
                    : CalmException.badInput(file + ":" + line, "neither JSON nor a table with commas or tabs", e);
        }
        return items;
    }

    private static List<String> names(String[] row, Path file) {
        if (row.length < 2) {
            throw CalmException.badInput(file + ":1", "neither JSON ({…} or […]) nor a table with commas or tabs");
        }
        List<String> names = new ArrayList<>();
        if (row.length > 3 && row[row.length - 1].strip().matches("[A-Za-z]")) {
            names.add("question");
            for (int i = 0; i < row.length - 2; i++) {
                names.add(String.valueOf((char) ('A' + i)));
            }
            names.add("answer");
            return names;
        }
        for (String name : row) {
            // An index without a name, as pandas writes it.
            names.add(name.isBlank() ? "index" : name.strip());
        }
        if (new HashSet<>(names).size() < names.size()) {
            throw CalmException.badInput(file + ":1", "two columns have the same name: " + names);
        }
        return names;
    }

    private static Item item(List<String> names, String[] row, String where) {
        if (row.length != names.size()) {
            throw CalmException.badInput(where, row.length + " cells, but " + names.size() + " columns " + names);
        }
        ObjectNode item = JsonNodeFactory.instance.objectNode();
        for (int i = 0; i < row.length; i++) {
            item.put(names.get(i), row[i]);
        }
        return new Item(item, where);
    }

    // The first character that says something; -1 where there is none.
    private static int first(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            int c = in.read();
            while (c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0xEF || c == 0xBB || c == 0xBF) {
                c = in.read();
            }
            return c;
        } catch (IOException e) {
            // Reading it in full says what is wrong.
            return '{';
        }
    }
}
