package org.calm4j.engine.text;

import java.util.ArrayList;
import java.util.List;

/** The pieces of a text, in order, without empty ones. */
final class Pieces {
    private final List<String> texts = new ArrayList<>();
    private boolean first;

    /** @param start whether the piece is at the very start of the whole text */
    void add(String piece, boolean start) {
        if (!piece.isEmpty()) {
            first = texts.isEmpty() ? start : first;
            texts.add(piece);
        }
    }

    int size() {
        return texts.size();
    }

    String get(int index) {
        return texts.get(index);
    }

    /** Whether the piece is at the very start of the whole text. */
    boolean start(int index) {
        return index == 0 && first;
    }
}
