package org.calm4j.engine.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Texts that tokenizers fall over. */
final class Texts {
    static final List<String> CORPUS = List.of(
            "The region of Japan is Eastern Asia. It's the region we've asked for, isn't it?",
            "日本の地域は東アジアです。",
            "日本的地区是东亚。",
            "Die Hauptsprache von Österreich ist Deutsch, sagt man.",
            "La région : « Europe de l’Ouest ».",
            "for (int i = 0; i < 10; i++) { sum += i; }\n\treturn sum;\n",
            "naïve café 12345 ١٢٣ ½ ²",
            "Στην αρχή ήταν ο ΛΟΓΟΣ",
            "В начале было слово, 1234567.",
            "في البدء كان الكلمة",
            "בְּרֵאשִׁית בָּרָא",
            "आदि में वचन था।",
            "ในเริ่มแรกนั้น",
            "태초에 말씀이 계시니라",
            "தொடக்கத்தில்",
            "თავდაპირველად იყო",
            "በመጀመሪያ ቃል ነበረ",
            "Ở đầu có lời");
    private static final List<String> HARD = List.of(
            "",
            " ",
            "  ",
            "\n\n  \t x",
            "👩‍👩‍👧‍👦🇯🇵 flags 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🤷🏽‍♀️ ❤️",
            "x\u0000\u0007\u200By",
            "I'LL I'll we're 'S 'ſ 'Ve 're'",
            "\u00A0\u2003\u3000 wide",
            "a \r\n \r\n  b\n",
            "   \n   \n x   \n",
            "tab\t\ttab \t end   ",
            "\uFEFFbom",
            "e\u0301 é \u1E9B\u0323 ﬁ ﷺ Å Å",
            "한글 한글",
            "!!!???...\n\n\n--- ---",
            " ,x  ,y",
            "'",
            "''s",
            "it 's",
            "x's's",
            "12345678901234567890",
            " 1 22 333 4444",
            "<0x0A> <0xE6> ▁ ▁▁ a▁b",
            "\u2028\u2029\u0085",
            "ΑΣ ΣΑΣ İI",
            "\t",
            "\r",
            "\u001C\u001F");
    private static final String[] SPECIAL = {
        "<|endoftext|>",
        "<|begin_of_text|>",
        "<|eot_id|>",
        "<|im_start|>",
        "<|im_end|>",
        "<think>",
        "</think>",
        "<s>",
        "</s>",
        "<unk>",
        "[INST]",
        "<|start_header_id|>",
        "<tool_call>",
        "<|",
        "</",
        "<s"
    };
    private static final String[] PIECES = {
        "'s",
        "'LL",
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "é",
        "日",
        "本",
        "ー",
        "ก",
        "ि",
        "ا",
        "12",
        "½",
        "\uD83D\uDE00",
        "\u200D",
        "\u0301",
        "_",
        "-",
        "!?",
        "ſ",
        "ß",
        "İ",
        "\u0085",
        "\u2028",
        "\u00A0",
        "▁",
        "'",
        "word",
        "The ",
        "\u1100\u1161",
        "<0x0A>"
    };

    private Texts() {}

    static List<String> all() {
        List<String> texts = new ArrayList<>(CORPUS);
        texts.addAll(HARD);
        for (String special : SPECIAL) {
            texts.addAll(List.of(
                    special,
                    "a" + special + "b",
                    " " + special + " " + special + special,
                    special + "\n x " + special));
        }
        texts.addAll(random(400));
        return texts;
    }

    /** Random text of all scripts, whitespace runs, control characters, emoji sequences, contractions, special tokens. */
    static List<String> random(int count) {
        Random random = new Random(5);
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            StringBuilder text = new StringBuilder();
            for (int n = random.nextInt(40); n > 0; n--) {
                switch (random.nextInt(8)) {
                    case 0, 1, 2 -> text.append(PIECES[random.nextInt(PIECES.length)]);
                    case 3, 4 -> text.append((char) ('a' + random.nextInt(26)));
                    case 5 -> text.append(SPECIAL[random.nextInt(SPECIAL.length)]);
                    case 6 -> text.append((char) random.nextInt(0x250));
                    default -> text.appendCodePoint(usable(random.nextInt(0x32000)));
                }
            }
            texts.add(text.toString());
        }
        return texts;
    }

    /** Tables of Unicode differ between versions in characters that were added in between. */
    private static int usable(int codePoint) {
        boolean usable = Character.isDefined(codePoint) && !(codePoint >= 0xD800 && codePoint < 0xE000);
        return usable ? codePoint : 'z';
    }
}
