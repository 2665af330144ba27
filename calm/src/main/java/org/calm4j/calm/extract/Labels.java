package org.calm4j.calm.extract;

import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Where the labels of a question's options stand in a text, also as letters of other scripts and as numbers, "the third option". */
final class Labels {
    /** How options are named beside their labels, from {@code grammar/labels.yaml}. */
    private record Names(
            List<List<String>> letters, List<List<String>> closed, List<Numbers> numbers, List<String> endings) {}

    private record Numbers(List<String> names, List<String> forms) {}

    /** @param how it has to be bounded */
    private record Name(String text, int choice, Bound how) {}

    private enum Bound {
        LETTER,
        CLOSED,
        NUMBER
    }

    private static final Names NAMES = read();
    /** By their first character, the longest first. */
    private static final Map<Character, List<Name>> OTHERS = others();

    private final Choices choices;
    private final String text;
    private final String lower;
    private final int[] choice;
    private final int[] end;

    Labels(Choices choices, String text, String lower) {
        this.choices = choices;
        this.text = text;
        this.lower = lower;
        choice = new int[text.length() + 1];
        end = new int[text.length() + 1];
        choice[text.length()] = -1;
        for (int at = 0; at < text.length(); at++) {
            choice[at] = find(at);
        }
    }

    /** The option whose label stands at a place as a word of its own; -1 without. What stands before is not looked at. */
    int at(int place) {
        return place < 0 ? -1 : choice[place];
    }

    /** Where that label ends. */
    int end(int place) {
        return end[place];
    }

    /** Whether it is the label as the question has it, not another name of it. */
    boolean own(int place) {
        return choice[place] >= 0 && lower.startsWith(CharClass.lower(choices.label(choice[place])), place);
    }

    private int find(int at) {
        char c = lower.charAt(at);
        for (int i : choices.labelled(c)) {
            int to = at + choices.label(i).length();
            if (text.regionMatches(
                            true, at, choices.label(i), 0, choices.label(i).length())
                    && ends(to)) {
                end[at] = to;
                return i;
            }
        }
        if (!choices.lettered()) {
            return -1;
        }
        int first = -1;
        for (Name name : OTHERS.getOrDefault(c, List.of())) {
            int to = at + name.text.length();
            if (name.choice < choices.size() && lower.startsWith(name.text, at) && bounded(name, at, to)) {
                boolean stated = choices.textAt(lower, skip(to)) == name.choice;
                if (first < 0 || stated) {
                    first = name.choice;
                    end[at] = to;
                }
                if (stated) {
                    return first;
                }
            }
        }
        return first;
    }

    private boolean ends(int to) {
        if (to >= text.length()) {
            return true;
        }
        char next = text.charAt(to);
        boolean hyphened =
                (next == '-' || next == '\'') && to + 1 < text.length() && CharClass.spaced(text.charAt(to + 1));
        if (hyphened) {
            // "A-E" is a range, "B'dir" a label with an ending, "A-team" neither.
            boolean range = next == '-'
                    && choices.labelled(lower.charAt(to + 1)).length > 0
                    && (to + 2 >= text.length()
                            || !CharClass.spaced(text.charAt(to + 2)) && text.charAt(to + 2) != '-');
            return range || NAMES.endings.stream().anyMatch(ending -> lower.startsWith(ending, to));
        }
        return !CharClass.spaced(next) && !(CharClass.letter(next) && !CharClass.unspaced(next));
    }

    private boolean bounded(Name name, int at, int to) {
        char before = at == 0 ? ' ' : lower.charAt(at - 1);
        char after = to == text.length() ? ' ' : lower.charAt(to);
        char last = name.text.charAt(name.text.length() - 1);
        return switch (name.how) {
            case NUMBER ->
                !(Character.isDigit(last)
                                && (Character.isDigit(after)
                                        || after == '.'
                                                && to + 1 < text.length()
                                                && Character.isDigit(lower.charAt(to + 1))))
                        && !(CharClass.spaced(last) && CharClass.spaced(after))
                        && !(CharClass.spaced(name.text.charAt(0)) && CharClass.spaced(before))
                        && !Character.isDigit(before);
            case LETTER -> alone(name.text.charAt(0), before, at) && alone(last, after, at);
            case CLOSED -> !CharClass.letter(before) && (CharClass.closing(after) || after == '.');
        };
    }

    // Katakana beside other kana is alone, and an Arabic letter after "and", which is joined to it.
    private boolean alone(char letter, char beside, int at) {
        boolean kana = letter >= '\u30A0' && letter <= '\u30FF';
        boolean and =
                beside == 'و' && at > 1 && lower.charAt(at - 1) == beside && !CharClass.letter(lower.charAt(at - 2));
        return kana
                ? beside < '\u30A0' || beside > '\u30FF'
                : and || !Character.isLetter(letter) || !CharClass.letter(beside);
    }

    private int skip(int from) {
        int at = from;
        while (at < text.length() && " ).:]、\"'".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        return at;
    }

    private static Names read() {
        try (InputStream in = Labels.class.getResourceAsStream("grammar/labels.yaml")) {
            return new YAMLMapper().readValue(in, Names.class);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Map<Character, List<Name>> others() {
        List<Name> names = new ArrayList<>();
        NAMES.letters.forEach(list -> add(list, "#", Bound.LETTER, names));
        NAMES.closed.forEach(list -> add(list, "#", Bound.CLOSED, names));
        NAMES.numbers.forEach(each -> each.forms.forEach(form -> add(each.names, form, Bound.NUMBER, names)));
        Map<Character, List<Name>> byFirst = new HashMap<>();
        names.stream().sorted((a, b) -> b.text.length() - a.text.length()).forEach(name -> byFirst.computeIfAbsent(
                        name.text.charAt(0), c -> new ArrayList<>())
                .add(name));
        return byFirst;
    }

    private static void add(List<String> list, String form, Bound how, List<Name> names) {
        for (int i = 0; i < list.size(); i++) {
            if (!list.get(i).isEmpty()) {
                names.add(new Name(
                        CharClass.lower(
                                Folded.of(form.replace("#", list.get(i))).text()),
                        i,
                        how));
            }
        }
    }
}
