package org.calm4j.engine;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * A setting that a message names. Whoever reads the message knows it as a flag, as a key of a file or as a parameter, so it is written by the
 * one who shows the message ({@link CalmException#message}); by itself it is a parameter, such as {@code loraRank}.
 *
 * @param section of a file of settings that it belongs to, such as {@code dpo}; null where nobody has said
 * @param name in lower case with underscores, such as {@code lora_rank}
 * @param value that the message proposes or quotes; null for none
 */
public record Setting(String section, String name, String value) {
    public static final Setting OUTPUT = of("output");

    public static Setting of(String name) {
        return new Setting(null, name, null);
    }

    /** The same with a value. */
    public Setting at(Object value) {
        return new Setting(section, name, String.valueOf(value));
    }

    /** @throws CalmException wrong usage, unless its value is right: that it breaks this rule */
    public void check(boolean right, Object... rule) {
        if (!right) {
            throw CalmException.usage(
                    Stream.concat(Stream.of(this, " "), Arrays.stream(rule)).toArray());
        }
    }

    Setting in(String section) {
        return new Setting(this.section == null ? section : this.section, name, value);
    }

    /** As a flag of a command, such as {@code --lora-rank 8}. */
    public String flag() {
        return "--" + name.replace('_', '-') + (value == null ? "" : " " + value);
    }

    /** As a key of a file, such as {@code dpo.lora_rank}. */
    public String key() {
        return (section == null ? "" : section + ".") + name + (value == null ? "" : " " + value);
    }

    /** As a parameter, such as {@code loraRank}. */
    @Override
    public String toString() {
        StringBuilder parameter = new StringBuilder();
        for (String word : name.split("_")) {
            parameter.append(
                    parameter.isEmpty() ? word : word.substring(0, 1).toUpperCase(Locale.ROOT) + word.substring(1));
        }
        return parameter + (value == null ? "" : " " + value);
    }
}
