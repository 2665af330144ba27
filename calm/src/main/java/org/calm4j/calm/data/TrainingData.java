package org.calm4j.calm.data;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.io.LineIndex;
import org.calm4j.engine.text.Tokenizer;
import org.calm4j.engine.train.Example;
import org.calm4j.engine.train.Truncation;

/**
 * Training files as token ids. Prompt and completion are tokenised apart, so that the boundary never shifts, and a completion made from
 * text ends with exactly one end-of-sequence token. Fields that change a prompt are used as in TRL and LLaMA-Factory, or refused; unused
 * fields are reported.
 */
public final class TrainingData {
    /** Fields about the origin of a line, which training ignores. */
    private static final Set<String> BOOKKEEPING = Set.of(
            "id",
            "index",
            "language",
            "language_1",
            "language_2",
            "answer",
            "relation",
            "group",
            "chosen_answer",
            "rejected_answer",
            "chosen_source");

    private static final int MOST_NAMED = 8;

    /**
     * What was removed from sequences that were too long.
     *
     * @param lines in which a sequence was cut
     * @param tokens removed from all sequences
     */
    public record Cut(int lines, long tokens) {
        /** Of two readers. */
        public Cut and(Cut other) {
            return new Cut(lines + other.lines, tokens + other.tokens);
        }
    }

    private final Tokenizer tokenizer;
    private final ChatTemplate template;
    private final int vocabulary;
    private final int maxPositions;
    private final Truncation truncation;
    /** Whether instructions and prompts that are text are a user's messages. */
    private final boolean talks;

    private final boolean streams;
    private final int most;
    private final Consumer<String> say;
    private Cut cut = new Cut(0, 0);
    private boolean ended;

    /** Without a limit on lengths, and without reports. */
    TrainingData(Tokenizer tokenizer, ChatTemplate template, int vocabulary) {
        this(tokenizer, template, vocabulary, Integer.MAX_VALUE, Truncation.NONE, line -> {});
    }

    /**
     * @param tokenizer null for a model without one; token ids still work
     * @param template null for a model without one; lines without messages still work
     * @param vocabulary the model's; larger ids are bad input
     * @param maxPositions of the model; lines that are longer once they are cut are bad input
     * @param truncation how long sequences are cut
     * @param say receives what of a file is not used, or is used differently than one may expect
     */
    public TrainingData(
            Tokenizer tokenizer,
            ChatTemplate template,
            int vocabulary,
            int maxPositions,
            Truncation truncation,
            Consumer<String> say) {
        this(tokenizer, template, vocabulary, maxPositions, truncation, false, false, Integer.MAX_VALUE, say);
    }

    private TrainingData(
            Tokenizer tokenizer,
            ChatTemplate template,
            int vocabulary,
            int maxPositions,
            Truncation truncation,
            boolean talks,
            boolean streams,
            int most,
            Consumer<String> say) {
        this.tokenizer = tokenizer;
        this.template = template;
        this.vocabulary = vocabulary;
        this.maxPositions = maxPositions;
        this.truncation = truncation;
        this.talks = talks;
        this.streams = streams;
        this.most = most;
        this.say = say;
    }

    /**
     * The same for files that are larger than memory: all lines are checked, but none is kept, and each is read again when it is taken. JSON
     * Lines alone.
     */
    public TrainingData streaming() {
        return new TrainingData(tokenizer, template, vocabulary, maxPositions, truncation, talks, true, most, say);
    }

    /** The same for the first lines of each file. */
    public TrainingData first(int lines) {
        return new TrainingData(tokenizer, template, vocabulary, maxPositions, truncation, talks, streams, lines, say);
    }

    /** The same, with instructions and prompts that are text as a user's messages, if the model has a chat template. */
    public TrainingData talking() {
        return new TrainingData(tokenizer, template, vocabulary, maxPositions, truncation, true, streams, most, say);
    }

    /**
     * The lines of one file, or of several, one file after the other.
     *
     * @param read a method of this that reads one
     */
    public <R extends Example> List<R> all(List<Path> files, Function<Path, List<R>> read) {
        List<List<R>> parts = files.stream().map(read).toList();
        return parts.size() == 1
                ? parts.getFirst()
                : streams
                        ? new JoinedLines<>(parts)
                        : parts.stream().flatMap(List::stream).toList();
    }

    /**
     * Documents: lines with {@code text}, with {@code segments} (each {@code text} and {@code loss}), with {@code messages} or ShareGPT's
     * {@code conversations}, with {@code prompt} and {@code completion} (both text or both messages), with {@code input_ids} (and {@code
     * completion_start}), or Alpaca's {@code instruction}, {@code input} and {@code output}.
     */
    public List<Example.Document> documents(Path data) {
        return lines(data, DocumentRows::document, truncation::of);
    }

    /**
     * The same, of which what the assistant says is learnt alone.
     *
     * @throws CalmException bad input: also a line that is no conversation
     */
    public List<Example.Document> answers(Path data) {
        return lines(data, DocumentRows::answers, truncation::of);
    }

    /**
     * Preference pairs: {@code prompt}, {@code chosen}, {@code rejected} as text or as messages; chosen and rejected alone, whose
     * common beginning is the prompt; the {@code …_input_ids} forms; LLaMA-Factory's ranking forms, with {@code instruction} and {@code
     * input}, or with {@code conversations} or {@code messages}. A pair of CALM's own (it has {@code chosen_source}) is written as in
     * sampling: through the chat template if the model has one.
     */
    public List<Example.Preference> pairs(Path data) {
        return lines(data, (reader, row) -> PairRows.pair(reader, row, ""), truncation::of);
    }

    /**
     * Single completions, for {@code kto}: {@code prompt}, {@code completion} and {@code label} (true or false), the prompt and the completion as
     * text or as messages, or in the {@code …_input_ids} forms; LLaMA-Factory's {@code instruction}, {@code input} and {@code output}, or {@code
     * messages} or {@code conversations} that end with the completion, with {@code kto_tag} or {@code label}. Of a file of pairs, whose first line has {@code chosen} or {@code chosen_input_ids}, first all chosen completions, as desirable,
     * then all rejected ones.
     */
    public List<Example.Unpaired> unpaired(Path data) {
        Row first = firstRow(data);
        return first == null || !first.has("chosen") && !first.has("chosen_input_ids")
                ? lines(data, CompletionRows::unpaired, truncation::of)
                : Example.Unpaired.apart(pairs(data));
    }

    /** Null without one. */
    private Row firstRow(Path data) {
        if (streams) {
            LineIndex index = DataFile.index(data);
            return index.size() == 0 ? null : StreamedLines.row(index, 0);
        }
        return DataFile.read(data).stream().findFirst().map(Row::new).orElse(null);
    }

    /** Tokens that a sequence may have. */
    public int longest() {
        return truncation.maxLength() > 0 ? Math.min(truncation.maxLength(), maxPositions) : maxPositions;
    }

    /**
     * Pairs in two languages, for {@code dco}: {@code prompt_1 chosen_1 rejected_1 prompt_2 chosen_2 rejected_2} or the {@code
     * …_input_ids} forms.
     */
    public List<Example.TwoLanguages> twoLanguagePairs(Path data) {
        return lines(
                data,
                (reader, row) -> new Example.TwoLanguages(
                        PairRows.pair(reader, row, "_1"), PairRows.pair(reader, row, "_2"), RowReader.weight(row)),
                truncation::of);
    }

    /** Whether an end-of-sequence token was added to a text that did not have one. */
    public boolean endsTexts() {
        return ended;
    }

    /** What was cut so far, of all files. */
    public Cut cut() {
        return cut;
    }

    private <R extends Example> List<R> lines(
            Path data, BiFunction<RowReader, Row, R> make, UnaryOperator<R> truncate) {
        Map<String, Integer> unread = new LinkedHashMap<>();
        Cut before = cut;
        LineIndex index = streams ? DataFile.index(data) : null;
        List<Row> rows =
                streams ? null : DataFile.read(data).stream().map(Row::new).toList();
        IntFunction<Row> row = streams ? i -> StreamedLines.row(index, i) : rows::get;
        int count = Math.min(most, streams ? index.size() : rows.size());
        if (count == 0) {
            throw CalmException.badInput(data, "has no lines");
        }
        // All lines of a file are written in the same way.
        int withTurns = 0;
        boolean alpaca = false;
        for (int i = 0; i < count; i++) {
            Row each = row.apply(i);
            withTurns += isTextWithTurns(each) ? 1 : 0;
            alpaca |= each.names("instruction") && !each.names("messages") && !each.names("conversations");
        }
        boolean turns = withTurns > 0 || talks && template != null;
        if (withTurns > 0) {
            say.accept(data + ": " + withTurns + " of " + count
                    + " lines have system or history, so all lines go through the chat template");
        } else if (alpaca && template != null && !talks) {
            say.accept(
                    data
                            + ": instruction and input are used as plain text, without the model's chat template; give messages to use it");
        }
        var reader = new RowReader(tokenizer, template, vocabulary, turns, data, say);
        List<R> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Row each = row.apply(i);
            R example = Messages.at(each.where(), () -> cut(make.apply(reader, each), truncate));
            if (example.longest() > maxPositions) {
                throw each.bad("has " + example.longest() + " tokens, but the model's max_position_embeddings is "
                        + maxPositions + "; shorten it or leave it out");
            }
            each.unread().stream()
                    .filter(name -> !BOOKKEEPING.contains(name))
                    .forEach(name -> unread.merge(name, 1, Integer::sum));
            if (!streams) {
                all.add(example);
            }
        }
        ended |= reader.endsTexts();
        sayUnread(data, unread);
        if (cut.lines() > before.lines()) {
            say.accept(data + ": cut " + (cut.lines() - before.lines()) + " of " + count + " lines, by "
                    + (cut.tokens() - before.tokens()) + " tokens in all");
        }
        if (!streams) {
            return all;
        }
        // The same lines again, whatever is read in the meantime; nothing is said or counted a second time.
        var again = new RowReader(tokenizer, template, vocabulary, turns, data, line -> {});
        return new StreamedLines<>(
                index, count, each -> Messages.at(each.where(), () -> truncate.apply(make.apply(again, each))));
    }

    private <R extends Example> R cut(R whole, UnaryOperator<R> truncate) {
        R part = truncate.apply(whole);
        int removed = part.sequenceTokens() - whole.sequenceTokens();
        if (removed < 0) {
            cut = new Cut(cut.lines() + 1, cut.tokens() - removed);
        }
        return part;
    }

    private static boolean isTextWithTurns(Row row) {
        boolean text = row.names("instruction")
                || row.names("prompt") && row.json().path("prompt").isTextual() && !row.names("chosen_source");
        return text && (row.has("system") || row.has("history"));
    }

    private void sayUnread(Path file, Map<String, Integer> unread) {
        if (unread.size() == 1) {
            unread.forEach((name, count) -> say.accept(
                    file + ": the field '" + name + "' is not used (" + count + (count == 1 ? " line)" : " lines)")));
        } else if (!unread.isEmpty()) {
            String some = unread.entrySet().stream()
                    .limit(MOST_NAMED)
                    .map(each -> "'" + each.getKey() + "' (" + each.getValue() + ")")
                    .collect(Collectors.joining(", "));
            say.accept(file + ": fields that are not used (number of lines): " + some
                    + (unread.size() > MOST_NAMED ? ", …" : ""));
        }
    }

    /**
     * A field of token ids.
     *
     * @throws CalmException bad input: not a list, an empty one, or an id outside the vocabulary
     */
    public static int[] ids(JsonNode line, String name, String where, int vocabulary) {
        JsonNode list = line.path(name);
        if (!list.isArray() || list.isEmpty()) {
            throw CalmException.badInput(where, name + " must be a list of token ids, at least one");
        }
        int[] ids = new int[list.size()];
        for (int i = 0; i < ids.length; i++) {
            if (!list.get(i).isInt() || list.get(i).asInt() < 0 || list.get(i).asInt() >= vocabulary) {
                throw CalmException.badInput(
                        where,
                        name + "[" + i + "] is " + list.get(i) + "; ids are whole numbers, and the vocabulary has "
                                + vocabulary + " tokens");
            }
            ids[i] = list.get(i).asInt();
        }
        return ids;
    }
}
