package org.calm4j.calm.data;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.io.Json;
import org.calm4j.engine.io.Jsonl;

/** A file of objects, as JSON Lines or as one JSON list; which of the two it is, its first character tells. */
public final class DataFile {
    /** @param where for messages: {@code file:line}, or {@code file[index]} in a list */
    public record Item(JsonNode json, String where) {
    }

    private DataFile() {
    }

    /** @throws CalmException bad input: missing or broken */
    public static List<Item> read(Path file) {
        if (!isList(file)) {
            return Jsonl.read(file, JsonNode.class, Item::new);
        }
        JsonNode list = Json.read(file, JsonNode.class);
        List<Item> items = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            items.add(new Item(list.get(i), file + "[" + i + "]"));
        }
        return items;
    }

    private static boolean isList(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            int c = in.read();
            while (c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0xEF || c == 0xBB || c == 0xBF) {
                c = in.read();
            }
            return c == '[';
        } catch (IOException e) {
            // Reading it in full says what is wrong.
            return false;
        }
    }
}
