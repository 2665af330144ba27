package org.calm4j.engine.text;

import com.fasterxml.jackson.databind.JsonNode;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.Arrays;
import java.util.List;
import org.calm4j.engine.CalmException;

/** The tokens that go before and after a text; kinds and names as in tokenizer.json. */
record PostProcessor(int[] before, int[] after) {
    private static final PostProcessor NOTHING = new PostProcessor(new int[0], new int[0]);
    /** Limit of the tokens added to every text. */
    private static final int MOST_TOKENS = 1000;

    /** @throws org.calm4j.engine.CalmException bad input: a kind that is not known here, by name */
    static PostProcessor of(Part part) {
        PostProcessor all = any(part);
        if (all.before.length + all.after.length > MOST_TOKENS) {
            throw tooMany(part);
        }
        return all;
    }

    private static PostProcessor any(Part part) {
        if (!part.present()) {
            return NOTHING;
        }
        return switch (part.type()) {
            // It changes offsets only.
            case "ByteLevel" -> NOTHING;
            case "TemplateProcessing" -> template(part);
            case "Sequence" ->
                part.list("processors").stream().map(PostProcessor::any).reduce(NOTHING, PostProcessor::inside);
            case "BertProcessing", "RobertaProcessing" ->
                new PostProcessor(new int[] {token(part, "cls")}, new int[] {token(part, "sep")});
            default ->
                throw part.unsupported("ByteLevel, TemplateProcessing, BertProcessing, RobertaProcessing, Sequence");
        };
    }

    private static PostProcessor template(Part part) {
        IntArrayList before = new IntArrayList();
        IntArrayList after = new IntArrayList();
        boolean text = false;
        for (Part item : part.list("single")) {
            if (item.get("SpecialToken").present()) {
                (text ? after : before)
                        .addAll(ids(part.get("special_tokens")
                                .get(item.get("SpecialToken").string("id"))));
                if (before.size() + after.size() > MOST_TOKENS) {
                    throw tooMany(part);
                }
            } else if (text || !item.get("Sequence").string("id").equals("A")) {
                throw item.error("is not supported; supported: special tokens and one sequence A");
            } else {
                text = true;
            }
        }
        if (!text) {
            throw part.get("single").error("has no sequence A");
        }
        return new PostProcessor(before.toIntArray(), after.toIntArray());
    }

    /** A token as {@code ["[SEP]", 102]}. */
    private static int token(Part part, String name) {
        JsonNode id = part.get(name).json().path(1);
        if (!id.isInt() || id.intValue() < 0) {
            throw part.error("needs " + name + " of the " + part.type() + " as [\"token\", id]");
        }
        return id.intValue();
    }

    private static IntArrayList ids(Part token) {
        IntArrayList ids = new IntArrayList();
        for (Part id : token.list("ids")) {
            if (!id.json().isInt() || id.json().intValue() < 0) {
                throw id.error("is not a token id");
            }
            if (ids.size() == MOST_TOKENS) {
                throw tooMany(token);
            }
            ids.add(id.json().intValue());
        }
        if (ids.isEmpty()) {
            throw token.error("has no ids");
        }
        return ids;
    }

    private static CalmException tooMany(Part part) {
        return part.error("adds more than " + MOST_TOKENS + " tokens to every text");
    }

    private PostProcessor inside(PostProcessor outer) {
        return new PostProcessor(joined(outer.before, before), joined(after, outer.after));
    }

    private static int[] joined(int[] first, int[] second) {
        IntArrayList all = new IntArrayList(first);
        all.addElements(all.size(), second);
        return all.toIntArray();
    }

    /** The largest id; -1 without one. */
    int largest() {
        return List.of(before, after).stream()
                .flatMapToInt(Arrays::stream)
                .max()
                .orElse(-1);
    }
}
