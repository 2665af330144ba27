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
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.Setting;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;
import org.calm4j.engine.io.LineIndex;
import org.calm4j.engine.io.TextFile;

/** A file of objects: JSON Lines, one JSON list, or a table with commas or tabs, recognised by its beginning. */
public final class DataFile {
    private static final CsvMapper TABLES = CsvMapper.builder()
            .enable(CsvParser.Feature.WRAP_AS_ARRAY)
            .enable(CsvParser.Feature.SKIP_EMPTY_LINES)
            .enable(CsvParser.Feature.FAIL_ON_MISSING_COLUMNS)
            .build();

    /** @param where for messages: {@code file:line}, or {@code file[index]} in a list */
    public record Item(JsonNode json, String where) {}

    private DataFile() {}

    /** @throws CalmException bad input: missing or broken */
    public static List<Item> read(Path file) {
        refuseBinary(file);
        return switch (first(file)) {
            case '[' -> list(file);
            case '{', -1 -> Jsonl.read(file, JsonNode.class, Item::new);
            default -> table(file);
        };
    }

    /**
     * Several files, one after the other.
     *
     * @param most items of each file, the first ones; null for all
     */
    public static List<Item> read(List<Path> files, Integer most) {
        return files.stream()
                .flatMap(file -> read(file).stream().limit(most == null ? Long.MAX_VALUE : most))
                .toList();
    }

    /**
     * Where the lines of a JSON Lines file are.
     *
     * @throws CalmException bad input: missing, or in another format
     */
    static LineIndex index(Path file) {
        refuseBinary(file);
        int first = first(file);
        if (first != '{' && first >= 0) {
            throw CalmException.badInput(
                    file, "is not JSON Lines (one {…} a line), which ", Setting.of("streaming"), " needs");
        }
        return new LineIndex(file);
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
     * The first line names the columns, unless its last cell is a label, as in MMLU: then it is already an item (question, options,
     * answer).
     */
    private static List<Item> table(Path file) {
        List<Row> rows = new ArrayList<>();
        long line = 1;
        try {
            String text = TextFile.read(file);
            String head = text.lines().findFirst().orElse("");
            // Tab-separated files do not quote.
            CsvSchema schema = head.indexOf('\t') >= 0
                    ? CsvSchema.emptySchema().withColumnSeparator('\t').withoutQuoteChar()
                    : CsvSchema.emptySchema();
            try (MappingIterator<String[]> cells =
                    TABLES.readerFor(String[].class).with(schema).readValues(text)) {
                while (cells.hasNext()) {
                    line = cells.getCurrentLocation().getLineNr();
                    rows.add(new Row(cells.next(), file + ":" + line));
                }
            }
        } catch (JsonProcessingException e) {
            throw CalmException.badInput(
                    file + ":"
                            + Math.max(
                                    line,
                                    e.getLocation() == null
                                            ? 1
                                            : e.getLocation().getLineNr()),
                    "neither JSON nor a table with commas or tabs",
                    e);
        } catch (IOException | RuntimeException e) {
            throw e instanceof CalmException calm
                    ? calm
                    : CalmException.badInput(file + ":" + line, "neither JSON nor a table with commas or tabs", e);
        }
        return rows.isEmpty() ? List.of() : items(rows, file);
    }

    private record Row(String[] cells, String where) {}

    private static List<Item> items(List<Row> rows, Path file) {
        String[] first = rows.getFirst().cells;
        List<String> names = names(first, file);
        boolean named = !names.getLast().equals("answer") || first[first.length - 1].equalsIgnoreCase("answer");
        List<Row> body = named ? rows.subList(1, rows.size()) : rows;
        int written = (int) names.stream().filter(name -> !name.isEmpty()).count();
        if (!body.stream().allMatch(row -> fits(row, names.size()))) {
            if (body.stream().allMatch(row -> fits(row, names.size() + 1))) {
                // One name missing: either an index column before the first (it counts up), or a column after the last.
                names.add(counts(body) ? 0 : names.size(), "");
            } else if (body.stream().allMatch(row -> fits(row, written))) {
                // One separator too many among the names.
                names.removeIf(String::isEmpty);
            }
        }
        return body.stream().map(row -> item(names, row)).toList();
    }

    /** Superfluous separators at the end of a line do not make cells. */
    private static boolean fits(Row row, int columns) {
        return row.cells.length >= columns
                && Arrays.stream(row.cells, columns, row.cells.length).allMatch(String::isBlank);
    }

    private static boolean counts(List<Row> rows) {
        String first = rows.getFirst().cells[0].strip();
        return first.matches("[01]")
                && IntStream.range(0, rows.size())
                        .allMatch(
                                i -> rows.get(i).cells[0].strip().equals(String.valueOf(i + Integer.parseInt(first))));
    }

    private static List<String> names(String[] row, Path file) {
        if (row.length < 2) {
            throw CalmException.badInput(file + ":1", "neither JSON ({…} or […]) nor a table with commas or tabs");
        }
        List<String> names = new ArrayList<>();
        // A last column named D is a name, not a label.
        boolean named = Arrays.stream(row).anyMatch(cell -> cell.strip().equalsIgnoreCase("question"));
        if (!named && row.length > 3 && row[row.length - 1].strip().matches("[A-Za-z]")) {
            names.add("question");
            for (int i = 0; i < row.length - 2; i++) {
                names.add(String.valueOf((char) ('A' + i)));
            }
            names.add("answer");
            return names;
        }
        for (String name : row) {
            names.add(name.strip());
        }
        List<String> written = names.stream().filter(name -> !name.isEmpty()).toList();
        if (new HashSet<>(written).size() < written.size()) {
            throw CalmException.badInput(file + ":1", "two columns have the same name: " + names);
        }
        return names;
    }

    private static Item item(List<String> names, Row row) {
        if (!fits(row, names.size())) {
            throw CalmException.badInput(
                    row.where, row.cells.length + " cells, but " + names.size() + " columns " + names);
        }
        ObjectNode item = JsonNodeFactory.instance.objectNode();
        for (int i = 0; i < names.size(); i++) {
            // An unnamed index, as pandas writes it.
            item.put(!names.get(i).isEmpty() ? names.get(i) : i == 0 ? "index" : "column " + (i + 1), row.cells[i]);
        }
        return new Item(item, row.where);
    }

    // Formats in which data sets are often published.
    private static void refuseBinary(Path file) {
        byte[] start;
        try (InputStream in = Files.newInputStream(file)) {
            start = in.readNBytes(6);
        } catch (IOException e) {
            // Reading the whole file reports what is wrong.
            return;
        }
        String magic = new String(start, StandardCharsets.ISO_8859_1);
        String kind = magic.startsWith("PAR1")
                ? "a Parquet file"
                : magic.startsWith("ARROW1")
                        ? "an Arrow file"
                        : magic.startsWith("PK\3\4")
                                ? "a ZIP file or a spreadsheet"
                                : magic.startsWith("\u001f\u008b")
                                        ? "compressed by gzip"
                                        : magic.startsWith("\u0028\u00b5\u002f\u00fd") ? "compressed by zstd" : null;
        if (kind != null) {
            throw CalmException.badInput(
                    file, "is " + kind + ", which is not read; make it JSON Lines, CSV or TSV first");
        }
    }

    // The first character that is not blank; -1 if there is none.
    private static int first(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            int c = in.read();
            while (c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0xEF || c == 0xBB || c == 0xBF) {
                c = in.read();
            }
            return c;
        } catch (IOException e) {
            // Reading the whole file reports what is wrong.
            return '{';
        }
    }
}
