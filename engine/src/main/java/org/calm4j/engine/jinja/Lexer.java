package org.calm4j.engine.jinja;

import java.math.BigInteger;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Cuts the source of a template into tokens as Jinja2 does with {@code trim_blocks} and {@code lstrip_blocks}: the line break after a block
 * belongs to it, and so do the blanks before one that begins a line; {@code -} takes all blanks on its side, {@code +} none.
 */
final class Lexer {
    private static final List<String> OPERATORS = List.of(
            "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
            "=", ".", ":", "|", ",", ";");

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1;
    private int lineCountedTo;
    /** Whether the last token ended a line. */
    private boolean lineStart = true;

    private Lexer(String source) {
        this.source = source;
    }

    /** @throws TemplateFailure not a template */
    static List<Token> tokens(String source) {
        String lines = source.replace("\r\n", "\n").replace('\r', '\n');
        Lexer lexer = new Lexer(lines.endsWith("\n") ? lines.substring(0, lines.length() - 1) : lines);
        lexer.template();
        return lexer.tokens;
    }

    private void template() {
        while (at < source.length()) {
            int begin = nextTag();
            if (begin < 0) {
                data(source.substring(at));
                at = source.length();
                break;
            }
            char kind = source.charAt(begin + 1);
            int afterRaw = kind == '%' ? raw(begin) : -1;
            char sign = sign(begin + 2);
            data(strip(source.substring(at, begin), sign, kind != '{'));
            if (afterRaw >= 0) {
                at = afterRaw;
                rawBody();
            } else if (kind == '#') {
                comment(begin + 2 + (sign == 0 ? 0 : 1));
            } else {
                at = begin + 2 + (sign == 0 ? 0 : 1);
                code(kind == '%');
            }
        }
        add(Token.Kind.END, "", null);
    }

    private int nextTag() {
        for (int i = source.indexOf('{', at); i >= 0 && i + 1 < source.length(); i = source.indexOf('{', i + 1)) {
            if ("{%#".indexOf(source.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return -1;
    }

    private char sign(int index) {
        char c = index < source.length() ? source.charAt(index) : 0;
        return c == '-' || c == '+' ? c : 0;
    }

    private String strip(String text, char sign, boolean block) {
        if (sign == '-') {
            return Text.strip(text, null, false, true);
        }
        int lastLine = text.lastIndexOf('\n') + 1;
        boolean blank = lastLine < text.length() && Text.isBlank(text, lastLine);
        return sign == 0 && block && blank && (lastLine > 0 || lineStart) ? text.substring(0, lastLine) : text;
    }

    private void data(String text) {
        if (!text.isEmpty()) {
            add(Token.Kind.DATA, text, null);
        }
    }

    /** The end of the tag that begins a raw part; -1 without one. */
    private int raw(int begin) {
        int i = blanks(begin + 2 + (sign(begin + 2) == 0 ? 0 : 1));
        if (!source.startsWith("raw", i)) {
            return -1;
        }
        i = blanks(i + 3);
        return source.startsWith("-%}", i) ? blanks(i + 3) : source.startsWith("%}", i) ? i + 2 : -1;
    }

    private void rawBody() {
        lineStart = at > 0 && source.charAt(at - 1) == '\n';
        for (int begin = source.indexOf("{%", at); begin >= 0; begin = source.indexOf("{%", begin + 1)) {
            char sign = sign(begin + 2);
            int i = blanks(begin + 2 + (sign == 0 ? 0 : 1));
            int end = source.startsWith("endraw", i) ? endOfTag(blanks(i + 6), "%}") : -1;
            if (end >= 0) {
                data(strip(source.substring(at, begin), sign, true));
                go(end);
                return;
            }
        }
        throw failure("a raw part has no end");
    }

    private void comment(int from) {
        for (int i = from; i < source.length(); i++) {
            int end = endOfTag(i, "#}");
            if (end >= 0) {
                go(end);
                return;
            }
        }
        at = from;
        throw failure("a comment has no end");
    }

    /** Where a tag that ends here ends, with what belongs to it; -1 where none ends. */
    private int endOfTag(int from, String end) {
        if (source.startsWith("-" + end, from)) {
            return blanks(from + 3);
        }
        if (source.startsWith(end, from)) {
            return from + 2 + (source.startsWith("\n", from + 2) ? 1 : 0);
        }
        return source.startsWith("+" + end, from) ? from + 3 : -1;
    }

    private void go(int end) {
        at = end;
        lineStart = source.charAt(end - 1) == '\n';
    }

    private int blanks(int from) {
        int i = from;
        while (i < source.length() && Text.isSpace(source.charAt(i))) {
            i++;
        }
        return i;
    }

    private void code(boolean block) {
        add(block ? Token.Kind.BLOCK_BEGIN : Token.Kind.VARIABLE_BEGIN, "", null);
        Deque<Character> open = new ArrayDeque<>();
        while (at < source.length()) {
            int end = open.isEmpty() ? endOfCode(block) : -1;
            if (end >= 0) {
                add(block ? Token.Kind.BLOCK_END : Token.Kind.VARIABLE_END, "", null);
                go(end);
                return;
            }
            char c = source.charAt(at);
            if (Text.isSpace(c)) {
                at++;
            } else if (c >= '0' && c <= '9') {
                number();
            } else if (c == '_' || Character.isLetterOrDigit(source.codePointAt(at))) {
                name();
            } else if (c == '\'' || c == '"') {
                string(c);
            } else {
                operator(open);
            }
        }
    }

    private int endOfCode(boolean block) {
        if (block) {
            return endOfTag(at, "%}");
        }
        return source.startsWith("-}}", at) ? blanks(at + 3) : source.startsWith("}}", at) ? at + 2 : -1;
    }

    private void operator(Deque<Character> open) {
        String operator = null;
        for (String each : OPERATORS) {
            if (source.startsWith(each, at)) {
                operator = each;
                break;
            }
        }
        if (operator == null) {
            throw failure("has " + Text.quote(Character.toString(source.codePointAt(at))) + " in an expression");
        }
        char c = operator.charAt(0);
        int closing = "([{".indexOf(c);
        if (closing >= 0) {
            open.push(")]}".charAt(closing));
        } else if (")]}".indexOf(c) >= 0 && (open.isEmpty() || open.pop() != c)) {
            throw failure("has a \"" + c + "\" without what it closes");
        }
        add(Token.Kind.OPERATOR, operator, null);
        at += operator.length();
    }

    private void name() {
        int end = at;
        while (end < source.length()) {
            int c = source.codePointAt(end);
            if (c != '_' && !Character.isUnicodeIdentifierPart(c)) {
                break;
            }
            end += Character.charCount(c);
        }
        if (end == at || source.charAt(at) != '_' && !Character.isUnicodeIdentifierStart(source.codePointAt(at))) {
            throw failure("has a name with a character that names do not have");
        }
        add(Token.Kind.NAME, source.substring(at, end), null);
        at = end;
    }

    private void number() {
        int radix =
                switch (source.startsWith("0", at) && at + 1 < source.length() ? source.charAt(at + 1) : ' ') {
                    case 'x', 'X' -> 16;
                    case 'o', 'O' -> 8;
                    case 'b', 'B' -> 2;
                    default -> 10;
                };
        int end = digits(radix == 10 ? at : at + 2, radix);
        if (radix != 10 && end > at + 2) {
            integer(at + 2, end, radix);
            return;
        }
        end = digits(at, 10);
        boolean afterDot = at > 0 && source.charAt(at - 1) == '.';
        int fraction = source.startsWith(".", end) ? digits(end + 1, 10) : end;
        int exponent = exponent(fraction > end + 1 ? fraction : end);
        int last = exponent > 0 ? exponent : fraction > end + 1 ? fraction : end;
        if (last > end && !afterDot) {
            add(
                    Token.Kind.FLOAT,
                    "",
                    Double.parseDouble(source.substring(at, last).replace("_", "")));
            at = last;
        } else {
            // As in Python, a number that begins with 0 is 0.
            if (source.charAt(at) == '0') {
                end = at + 1;
                while (end < source.length() && (source.charAt(end) == '0' || source.startsWith("_0", end))) {
                    end++;
                }
            }
            integer(at, end, 10);
        }
    }

    private void integer(int from, int to, int radix) {
        if (to - from > Numbers.MOST_DIGITS) {
            throw failure("has a number of more than " + Numbers.MOST_DIGITS + " digits");
        }
        add(
                Token.Kind.INTEGER,
                "",
                Numbers.of(new BigInteger(source.substring(from, to).replace("_", ""), radix)));
        at = to;
    }

    private int exponent(int from) {
        if (from >= source.length() || Character.toLowerCase(source.charAt(from)) != 'e') {
            return -1;
        }
        int signed = from + 1 + (sign(from + 1) == 0 ? 0 : 1);
        int end = digits(signed, 10);
        return end > signed ? end : -1;
    }

    /** The end of digits, which single underscores may separate. */
    private int digits(int from, int radix) {
        int i = from;
        while (i < source.length()) {
            int digit = i + (source.charAt(i) == '_' && (i > from || radix != 10) ? 1 : 0);
            if (digit >= source.length()
                    || source.charAt(digit) > 'z'
                    || Character.digit(source.charAt(digit), radix) < 0) {
                break;
            }
            i = digit + 1;
        }
        return i;
    }

    private void string(char quote) {
        int end = at + 1;
        while (end < source.length() && source.charAt(end) != quote) {
            end += source.charAt(end) == '\\' ? 2 : 1;
        }
        if (end >= source.length()) {
            throw failure("a string has no end");
        }
        add(Token.Kind.STRING, unescape(source.substring(at + 1, end)), null);
        at = end + 1;
    }

    /** Python's {@code unicode_escape}. */
    private String unescape(String raw) {
        if (raw.indexOf('\\') < 0) {
            return raw;
        }
        StringBuilder text = new StringBuilder(raw.length());
        for (int i = 0; i < raw.length(); i++) {
            char c = raw.charAt(i);
            if (c != '\\') {
                text.append(c);
                continue;
            }
            char escape = raw.charAt(++i);
            int simple = "\\'\"abfnrtv".indexOf(escape);
            if (simple >= 0) {
                text.append("\\'\"\u0007\b\f\n\r\t\u000B".charAt(simple));
            } else if (escape == 'x' || escape == 'u' || escape == 'U') {
                int length = escape == 'x' ? 2 : escape == 'u' ? 4 : 8;
                text.appendCodePoint(hexadecimal(raw, i + 1, length));
                i += length;
            } else if (escape >= '0' && escape <= '7') {
                int end = i + 1;
                while (end < raw.length() && end < i + 3 && raw.charAt(end) >= '0' && raw.charAt(end) <= '7') {
                    end++;
                }
                text.appendCodePoint(Integer.parseInt(raw.substring(i, end), 8));
                i = end - 1;
            } else if (escape == 'N') {
                i = named(raw, i, text);
            } else if (escape > 127) {
                // Python makes an escape of this character first, and the backslash then escapes that one's backslash.
                int point = raw.codePointAt(i);
                text.append('\\')
                        .append(String.format(point < 256 ? "x%02x" : point < 65_536 ? "u%04x" : "U%08x", point));
                i += Character.charCount(point) - 1;
            } else if (escape != '\n') {
                text.append('\\').append(escape);
            }
        }
        return text.toString();
    }

    private int named(String raw, int index, StringBuilder text) {
        int close = raw.indexOf('}', index);
        if (!raw.startsWith("{", index + 1) || close < 0) {
            throw failure("has a string with a broken \\N{name}");
        }
        try {
            text.appendCodePoint(Character.codePointOf(raw.substring(index + 2, close)));
        } catch (IllegalArgumentException e) {
            throw failure("has a string with an unknown character name");
        }
        return close;
    }

    private int hexadecimal(String raw, int from, int length) {
        if (from + length > raw.length()) {
            throw failure("has a string with a cut escape");
        }
        long value = 0;
        for (int i = from; i < from + length; i++) {
            int digit = raw.charAt(i) > 'f' ? -1 : Character.digit(raw.charAt(i), 16);
            if (digit < 0) {
                throw failure("has a string with a broken escape");
            }
            value = value * 16 + digit;
        }
        if (value > Character.MAX_CODE_POINT) {
            throw failure("has a string with an escape beyond the last character");
        }
        return (int) value;
    }

    private void add(Token.Kind kind, String text, Object number) {
        tokens.add(new Token(kind, text, number, line()));
    }

    private int line() {
        for (; lineCountedTo < at && lineCountedTo < source.length(); lineCountedTo++) {
            line += source.charAt(lineCountedTo) == '\n' ? 1 : 0;
        }
        return line;
    }

    private TemplateFailure failure(String what) {
        return new TemplateFailure(what, line());
    }
}
