package org.calm4j.engine.text;

import java.util.function.Consumer;

/** Tokens to text as they come. All pieces together are the text of {@link Tokenizer#decode}, and none is a part of a character. */
public final class StreamingDecoder {
    private final Tokenizer tokenizer;
    private final boolean skipSpecialTokens;
    private final Allowance allowance;
    private final Decoder.Stream stream;
    private final StringBuilder text = new StringBuilder();
    private final Consumer<String> append = text::append;

    StreamingDecoder(Tokenizer tokenizer, boolean skipSpecialTokens, Decoder decoder, Allowance allowance) {
        this.tokenizer = tokenizer;
        this.skipSpecialTokens = skipSpecialTokens;
        this.allowance = allowance;
        stream = decoder.stream(false, allowance);
    }

    /** The text that is certain with this token; may be empty, as for an unused id. */
    public String add(int id) {
        String token = tokenizer.has(id) ? tokenizer.token(id) : null;
        if (token != null && (!skipSpecialTokens || !tokenizer.isSpecial(token))) {
            String written = tokenizer.written(id);
            allowance.lengthen(1 + written.length());
            stream.accept(written, append);
        }
        return taken();
    }

    /** The text that was held back; nothing may be added after it. */
    public String finish() {
        stream.finish(append);
        return taken();
    }

    private String taken() {
        String taken = text.toString();
        text.setLength(0);
        return taken;
    }
}
