package org.calm4j.engine.text;

/**
 * The work of a regular expression at one position without reading a character: at the end of a text, in {@code (?:a?|b?){30}}, every
 * choice can be tried with every other. Counting reads does not bound that, so it is estimated, from above, before the expression is
 * used.
 */
final class SilentWork {
    /**
     * @param ways in which it can be gone through without a character
     * @param empty whether it matches nothing, too
     */
    private record Node(double ways, boolean empty) {
        private static final Node CHARACTER = new Node(1, false);
        private static final Node NOTHING = new Node(1, true);
    }

    private final String regex;
    private int at;

    private SilentWork(String regex) {
        this.regex = regex;
    }

    static double of(String regex) {
        // The rest begins with an unmatched closing bracket, which Java refuses.
        return new SilentWork(regex).alternatives().ways;
    }

    private boolean eat(char c) {
        boolean there = at < regex.length() && regex.charAt(at) == c;
        at += there ? 1 : 0;
        return there;
    }

    private void skipTo(char c) {
        int end = regex.indexOf(c, at);
        at = end < 0 ? regex.length() : end + 1;
    }

    private Node alternatives() {
        double ways = 1;
        int empty = 0;
        do {
            Node sequence = sequence();
            ways *= sequence.ways;
            empty += sequence.empty ? 1 : 0;
        } while (eat('|'));
        return new Node(ways * Math.max(1, empty), empty > 0);
    }

    private Node sequence() {
        double ways = 1;
        boolean empty = true;
        while (at < regex.length() && regex.charAt(at) != '|' && regex.charAt(at) != ')') {
            Node item = repeated(atom());
            ways *= item.ways;
            empty &= item.empty;
        }
        return new Node(ways, empty);
    }

    private Node atom() {
        return switch (regex.charAt(at++)) {
            case '\\' -> escape();
            case '[' -> list();
            case '(' -> group();
            case '^', '$' -> Node.NOTHING;
            default -> Node.CHARACTER;
        };
    }

    private Node escape() {
        char c = at < regex.length() ? regex.charAt(at++) : '\\';
        if (c == 'Q') {
            int end = regex.indexOf("\\E", at);
            at = end < 0 ? regex.length() : end + 2;
        } else if ("pPxN".indexOf(c) >= 0 && eat('{')) {
            skipTo('}');
        } else if (c == 'k') {
            skipTo('>');
        }
        return "bBAGzZEk".indexOf(c) >= 0 || c >= '1' && c <= '9' ? Node.NOTHING : Node.CHARACTER;
    }

    // A list of characters, which may have lists in it.
    private Node list() {
        int open = 1;
        eat('^');
        eat(']');
        while (open > 0 && at < regex.length()) {
            char c = regex.charAt(at++);
            at += c == '\\' ? 1 : 0;
            open += c == '[' ? 1 : c == ']' ? -1 : 0;
        }
        return Node.CHARACTER;
    }

    private Node group() {
        boolean looks = false;
        if (eat('?')) {
            boolean behind = eat('<');
            looks = eat('=') || eat('!');
            if (behind && !looks || eat('P')) {
                skipTo('>');
            } else if (!looks && !eat('>')) {
                while (at < regex.length() && (Character.isLetter(regex.charAt(at)) || regex.charAt(at) == '-')) {
                    at++;
                }
                if (eat(')')) {
                    return Node.NOTHING;
                }
                eat(':');
            }
        }
        Node inside = alternatives();
        eat(')');
        return looks ? new Node(inside.ways, true) : inside;
    }

    private Node repeated(Node node) {
        Node all = node;
        while (at < regex.length() && "*+?{".indexOf(regex.charAt(at)) >= 0) {
            char c = regex.charAt(at++);
            if (c == '{') {
                boolean none = at < regex.length() && regex.charAt(at) == '0';
                int count = count();
                all = new Node(Math.pow(all.ways, count) * (all.empty ? Math.max(1, count) : 1), all.empty || none);
                skipTo('}');
            } else {
                all = new Node(all.ways * (all.empty && c != '+' ? 2 : 1), all.empty || c != '+');
            }
        }
        return all;
    }

    // The larger of both numbers of {n,m}.
    private int count() {
        int largest = 0;
        int number = 0;
        for (int i = at; i < regex.length() && (Character.isDigit(regex.charAt(i)) || regex.charAt(i) == ','); i++) {
            number = regex.charAt(i) == ','
                    ? 0
                    : (int) Math.min(1_000_000_000, 10L * number + Character.digit(regex.charAt(i), 10));
            largest = Math.max(largest, number);
        }
        return largest;
    }
}
