package org.calm4j.engine.jinja;

/** Text that is safe in HTML: what is added to it is escaped. */
record Markup(String text) {
    /** What {@code &}, {@code <}, {@code >} and quotes are in HTML. */
    static String escape(String text) {
        StringBuilder escaped = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '\'' -> escaped.append("&#39;");
                case '"' -> escaped.append("&#34;");
                default -> escaped.append(c);
            }
        }
        return escaped.toString();
    }

    /** A value as text that is safe: what is safe already stays as it is. */
    static String safe(Object value) {
        return value instanceof Markup markup ? markup.text : escape(Python.string(value));
    }
}
