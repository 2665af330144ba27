package org.calm4j.engine.op.cases;

import java.util.Random;
import org.calm4j.engine.op.Segments;

/**
 * Segments of attention by name.
 *
 * @param rows of queries
 * @param keys rows of keys
 */
record Forest(Segments segments, int rows, int keys) {
    /** Trees of one document each, up to three segments deep: {@code trees0} to {@code trees5}. */
    static final String TREES = "trees";
    /** Three new tokens over keys of a prompt, of several pieces, and of nobody's. */
    static final String DECODE = "decode";
    /** Longer than a block of queries and than the keys that a backward pass takes at once. */
    static final String LENGTHY = "lengthy";
    /** A prefix that ends within what is done at a time. */
    static final String PREFIX = "prefix";
    /** Prompts with many completions each, as of pairs that share them: {@code shared3} to {@code shared9} completions. */
    static final String SHARED = "shared";
    /** One document of so many rows: {@code one4096}. */
    static final String ONE = "one";

    static Forest of(String name, Random random) {
        Segments segments = new Segments();
        String letters = name.replaceFirst("\\d+$", "");
        int number = letters.equals(name) ? 0 : Integer.parseInt(name.substring(letters.length()));
        return switch (letters) {
            case TREES -> {
                int rows = trees(segments, number, random);
                yield new Forest(segments, rows, rows);
            }
            case DECODE -> {
                int prompt = segments.add(0, 0, 0, 5, Segments.NONE);
                segments.add(0, 1, 5, 3, prompt);
                segments.add(1, 1, 9, 1, prompt);
                segments.add(2, 1, 12, 4, Segments.NONE);
                yield new Forest(segments, 3, 17);
            }
            case LENGTHY -> {
                int root = segments.add(0, 300, 0, 300, Segments.NONE);
                segments.add(300, 290, 300, 290, root);
                yield new Forest(segments, 590, 590);
            }
            case PREFIX -> {
                int root = segments.add(0, 5, 0, 5, Segments.NONE);
                segments.add(5, 40, 5, 40, root);
                yield new Forest(segments, 45, 45);
            }
            case SHARED -> {
                int rows = shared(segments, number, random);
                yield new Forest(segments, rows, rows);
            }
            case ONE -> {
                segments.add(0, number, 0, number, Segments.NONE);
                yield new Forest(segments, number, number);
            }
            default -> throw new IllegalArgumentException(name);
        };
    }

    private static int shared(Segments segments, int completions, Random random) {
        int row = 0;
        for (int prompt : new int[] {70, 1, 33}) {
            int root = segments.add(row, prompt, row, prompt, Segments.NONE);
            row += prompt;
            for (int i = 0; i < completions; i++) {
                int length = i == 0 ? 60 : 1 + random.nextInt(12);
                segments.add(row, length, row, length, root);
                row += length;
            }
        }
        return row;
    }

    /** Several trees with shared prefixes; returns the rows. */
    private static int trees(Segments segments, int kind, Random random) {
        int row = 0;
        for (int tree = 0; tree <= kind; tree++) {
            int length = 1 + random.nextInt(40);
            int root = segments.add(row, length, row, length, Segments.NONE);
            row += length;
            for (int child = 0; child < kind % 3; child++) {
                length = 1 + random.nextInt(20);
                int segment = segments.add(row, length, row, length, root);
                row += length;
                if (child == 1) {
                    length = 1 + random.nextInt(9);
                    segments.add(row, length, row, length, segment);
                    row += length;
                }
            }
        }
        return row;
    }
}
