package org.calm4j.calm.data;

import com.fasterxml.jackson.databind.JsonNode;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
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
import java.util.stream.Stream;
import org.calm4j.engine.CalmException;
import org.calm4j.engine.chat.AssistantTokens;
import org.calm4j.engine.chat.ChatTemplate;
import org.calm4j.engine.chat.Conversation;
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
    private final Map<String, Integer> unread = new LinkedHashMap<>();
    private Cut cut = new Cut(0, 0);
    private Path file;
    private boolean turns;
    private boolean toolsTried;
    private boolean endless;
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
        return lines(data, TrainingData::document, truncation::of);
    }

    /**
     * The same, of which what the assistant says is learnt alone.
     *
     * @throws CalmException bad input: also a line that is no conversation
     */
    public List<Example.Document> answers(Path data) {
        return lines(data, TrainingData::answers, truncation::of);
    }

    /**
     * Preference pairs: {@code prompt}, {@code chosen}, {@code rejected} as text or as messages; chosen and rejected alone, whose
     * common beginning is the prompt; the {@code …_input_ids} forms; LLaMA-Factory's ranking forms, with {@code instruction} and {@code
     * input}, or with {@code conversations} or {@code messages}. A pair of CALM's own (it has {@code chosen_source}) is written as in
     * sampling: through the chat template if the model has one.
     */
    public List<Example.Preference> pairs(Path data) {
        return lines(data, (reader, row) -> reader.pair(row, ""), truncation::of);
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
                ? lines(data, TrainingData::unpaired, truncation::of)
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

    private Example.Unpaired unpaired(Row row) {
        String name = row.names("kto_tag") ? "kto_tag" : "label";
        JsonNode label = row.get(name);
        if (!label.isBoolean()) {
            throw row.bad(name + " must be true (desirable) or false");
        }
        if (row.names("prompt_input_ids")) {
            return Example.Unpaired.of(
                    ids(row, "prompt_input_ids"), ids(row, "completion_input_ids"), label.asBoolean(), weight(row));
        }
        if (!row.names("prompt") && (row.names("messages") || row.names("conversations"))) {
            return lastTurn(row, row.names("messages") ? "messages" : "conversations", label.asBoolean());
        }
        boolean alpaca = row.names("instruction") && row.names("output");
        if (!alpaca && !(row.names("prompt") && row.names("completion"))) {
            throw row.bad(
                    "expected prompt, completion and label, messages and label, or prompt_input_ids, completion_input_ids and label");
        }
        Asked asked = alpaca ? instruction(row) : asked(row, "prompt", "history");
        if (asked.prompt().length == 0) {
            throw row.bad((alpaca ? "instruction" : "prompt") + " is empty");
        }
        return Example.Unpaired.of(
                asked.prompt(),
                completion(asked, row, alpaca ? "output" : "completion"),
                label.asBoolean(),
                weight(row));
    }

    /** The last message is the completion. */
    private Example.Unpaired lastTurn(Row row, String name, boolean label) {
        List<Map<String, Object>> all = Turns.withSystem(Turns.of(row, name), row);
        if (all.size() < 2 || !"assistant".equals(all.getLast().get("role"))) {
            throw row.bad(name + " must end with what the assistant says, after something that it answers");
        }
        Asked asked = Asked.of(conversation(all.subList(0, all.size() - 1), row));
        return Example.Unpaired.of(
                asked.prompt(), asked.conversation().completion(List.of(all.getLast())), label, weight(row));
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
                (reader, row) -> new Example.TwoLanguages(reader.pair(row, "_1"), reader.pair(row, "_2"), weight(row)),
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
            Path data, BiFunction<TrainingData, Row, R> make, UnaryOperator<R> truncate) {
        file = data;
        unread.clear();
        toolsTried = false;
        endless = false;
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
        turns = withTurns > 0 || talks && template != null;
        if (withTurns > 0) {
            say.accept(data + ": " + withTurns + " of " + count
                    + " lines have system or history, so all lines go through the chat template");
        } else if (alpaca && template != null && !talks) {
            say.accept(
                    data
                            + ": instruction and input are used as plain text, without the model's chat template; give messages to use it");
        }
        List<R> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Row each = row.apply(i);
            R example = Messages.at(each.where(), () -> cut(make.apply(this, each), truncate));
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
        sayUnread();
        if (cut.lines() > before.lines()) {
            say.accept(data + ": cut " + (cut.lines() - before.lines()) + " of " + count + " lines, by "
                    + (cut.tokens() - before.tokens()) + " tokens in all");
        }
        return streams ? streamed(index, count, make, truncate) : all;
    }

    /** The same lines again, whatever is read in the meantime; nothing is said or counted a second time. */
    private <R extends Example> List<R> streamed(
            LineIndex index, int count, BiFunction<TrainingData, Row, R> make, UnaryOperator<R> truncate) {
        var reader = new TrainingData(tokenizer, template, vocabulary, maxPositions, truncation, line -> {});
        reader.file = file;
        reader.turns = turns;
        reader.toolsTried = true;
        return new StreamedLines<>(
                index, count, row -> Messages.at(row.where(), () -> truncate.apply(make.apply(reader, row))));
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

    private void sayUnread() {
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

    // ---- documents ----

    private Example.Document document(Row row) {
        if (row.names("input_ids")) {
            return document(ids(row, "input_ids"), row.get("completion_start").asInt(1), row);
        }
        if (row.names("text")) {
            return document(ended(requireTokenizer(row).encode(row.text("text")), row, false), 1, row);
        }
        if (row.names("segments")) {
            return segments(row);
        }
        if (row.names("messages") || row.names("conversations")) {
            String name = row.names("messages") ? "messages" : "conversations";
            return document(
                    conversation(Turns.withSystem(Turns.of(row, name), row), row)
                            .encode(false),
                    1,
                    row);
        }
        boolean alpaca = row.names("instruction") && row.names("output");
        if (!alpaca && !(row.names("prompt") && row.names("completion"))) {
            throw row.bad(
                    "expected text, segments, messages, conversations, input_ids, instruction and output, or prompt and completion");
        }
        Asked asked = alpaca ? instruction(row) : asked(row, "prompt", "history");
        int[] completion = completion(asked, row, alpaca ? "output" : "completion");
        int[] tokens = Arrays.copyOf(asked.prompt(), asked.prompt().length + completion.length);
        System.arraycopy(completion, 0, tokens, asked.prompt().length, completion.length);
        return document(tokens, Math.max(1, asked.prompt().length), row);
    }

    private Example.Document answers(Row row) {
        Conversation whole = null;
        int from = 0;
        for (String name : List.of("messages", "conversations")) {
            if (whole == null && row.names(name)) {
                whole = conversation(Turns.withSystem(Turns.of(row, name), row), row);
            }
        }
        if (whole == null) {
            boolean alpaca = row.names("instruction") && row.names("output");
            Conversation asked = !alpaca && !(row.names("prompt") && row.names("completion"))
                    ? null
                    : (alpaca ? instruction(row) : asked(row, "prompt", "history")).conversation();
            if (asked == null) {
                throw row.bad("is no conversation, so that nothing in it is said by an assistant; give messages");
            }
            List<Map<String, Object>> all = new ArrayList<>(asked.messages());
            from = all.size();
            all.addAll(Turns.of(row, alpaca ? "output" : "completion"));
            whole = new Conversation(tokenizer, template, all, asked.options());
        }
        AssistantTokens tokens = AssistantTokens.of(whole, from);
        BitSet said = tokens.said();
        // Nothing predicts the first token.
        said.clear(0);
        if (said.isEmpty()) {
            throw row.bad("has nothing that the assistant says");
        }
        return new Example.Document(tokens.ids(), said.nextSetBit(0), said, weight(row));
    }

    /** A text in pieces, tokenised apart, each with {@code loss}: whether it is learned or only read. */
    private Example.Document segments(Row row) {
        IntArrayList tokens = new IntArrayList();
        BitSet learnt = new BitSet();
        boolean last = false;
        for (JsonNode segment : row.get("segments")) {
            if (!segment.path("text").isTextual() || !segment.path("loss").isBoolean()) {
                throw row.bad("segments must be a list of {\"text\": \"…\", \"loss\": true or false}");
            }
            int from = tokens.size();
            last = segment.path("loss").asBoolean();
            String text = segment.path("text").asText();
            tokens.addElements(
                    from, tokens.isEmpty() ? requireTokenizer(row).encodePrompt(text) : tokenizer.encode(text, false));
            learnt.set(from, tokens.size(), last);
        }
        if (last) {
            int[] all = ended(tokens.toIntArray(), row, false);
            learnt.set(tokens.size(), all.length);
            tokens = new IntArrayList(all);
        }
        // Nothing predicts the first token.
        learnt.clear(0);
        if (learnt.isEmpty()) {
            throw row.bad("segments have no token to learn: set \"loss\": true on one that is not the first token");
        }
        return new Example.Document(tokens.toIntArray(), learnt.nextSetBit(0), learnt, weight(row));
    }

    private static Example.Document document(int[] tokens, int from, Row row) {
        if (tokens.length < 2 || from < 1 || from >= tokens.length) {
            throw row.bad("a document needs at least two tokens, one of them to learn; it has " + tokens.length
                    + ", learned from " + from);
        }
        return new Example.Document(tokens, from, weight(row));
    }

    // ---- pairs ----

    /** @param language suffix of the names: empty, or _1 or _2 in a line of two languages */
    private Example.Preference pair(Row row, String language) {
        if (row.names("prompt" + language + "_input_ids")) {
            return new Example.Preference(
                    ids(row, "prompt" + language + "_input_ids"),
                    ids(row, "chosen" + language + "_input_ids"),
                    ids(row, "rejected" + language + "_input_ids"),
                    weight(row));
        }
        String chosen = "chosen" + language;
        String rejected = "rejected" + language;
        if (isWhole(row, chosen)
                && isWhole(row, rejected)
                && !row.json().path("prompt" + language).isArray()) {
            return ofCommonMessages(row, language);
        }
        Asked asked;
        if (language.isEmpty() && row.names("instruction")) {
            asked = instruction(row);
        } else if (language.isEmpty()
                && !row.names("prompt")
                && (row.names("conversations") || row.names("messages"))) {
            String name = row.names("conversations") ? "conversations" : "messages";
            asked = Asked.of(conversation(Turns.withSystem(Turns.of(row, name), row), row));
        } else if (!row.names("prompt" + language)
                && row.json().path(chosen).isTextual()
                && row.json().path(rejected).isTextual()) {
            return ofCommonText(row, language);
        } else {
            asked = asked(row, "prompt" + language, "history" + language);
        }
        if (asked.prompt().length == 0) {
            throw row.bad("prompt" + language + " is empty");
        }
        return new Example.Preference(
                asked.prompt(), completion(asked, row, chosen), completion(asked, row, rejected), weight(row));
    }

    /** Whether a list is a conversation from its beginning, not only the end of one. */
    private static boolean isWhole(Row row, String name) {
        JsonNode first = row.json().path(name).path(0);
        return row.json().path(name).isArray()
                && !Set.of("assistant", "gpt")
                        .contains(first.path("role").asText(first.path("from").asText("assistant")));
    }

    /** TRL's implicit prompt. */
    private Example.Preference ofCommonMessages(Row row, String language) {
        List<Map<String, Object>> chosen = Turns.withSystem(Turns.of(row, "chosen" + language), row);
        List<Map<String, Object>> rejected = Turns.withSystem(Turns.of(row, "rejected" + language), row);
        int common = Turns.common(chosen, rejected);
        if (common == 0 || common == chosen.size() || common == rejected.size()) {
            throw row.bad(noPrompt(language, common == 0));
        }
        List<Map<String, Object>> prompt = chosen.subList(0, common);
        // Some files repeat it as text.
        if (row.json().path("prompt" + language).isTextual()
                && prompt.stream().anyMatch(turn -> row.text("prompt" + language)
                        .strip()
                        .equals(String.valueOf(turn.get("content")).strip()))) {
            row.get("prompt" + language);
        }
        Conversation asked = conversation(prompt, row);
        return new Example.Preference(
                asked.prompt(),
                asked.completion(chosen.subList(common, chosen.size())),
                asked.completion(rejected.subList(common, rejected.size())),
                weight(row));
    }

    private Example.Preference ofCommonText(Row row, String language) {
        String chosen = row.text("chosen" + language);
        String rejected = row.text("rejected" + language);
        int common = Turns.common(chosen, rejected);
        if (common == 0 || common == chosen.length() || common == rejected.length()) {
            throw row.bad(noPrompt(language, common == 0));
        }
        refuseTurns(row);
        return new Example.Preference(
                requireTokenizer(row).encodePrompt(chosen.substring(0, common)),
                ended(tokenizer.encode(chosen.substring(common), false), row, true),
                ended(tokenizer.encode(rejected.substring(common), false), row, true),
                weight(row));
    }

    private static String noPrompt(String language, boolean nothing) {
        return "prompt" + language + " is missing, and chosen and rejected "
                + (nothing ? "have no common beginning in its place" : "do not differ behind a common beginning");
    }

    // ---- prompts and completions ----

    /** @param conversation null if the prompt is text */
    private record Asked(Conversation conversation, int[] prompt) {
        static Asked of(Conversation conversation) {
            return new Asked(conversation, conversation.prompt());
        }
    }

    private Asked asked(Row row, String name, String history) {
        if (row.json().path(name).isArray()) {
            return Asked.of(conversation(Turns.withSystem(Turns.of(row, name), row), row));
        }
        boolean sampled = row.names("chosen_source") && template != null;
        if (sampled || turns || row.has(history)) {
            return Asked.of(conversation(
                    Turns.withSystem(Conversation.messages(row.text(name), Turns.history(row, history)), row), row));
        }
        String text = row.text(name);
        refuseTurns(row);
        return new Asked(null, requireTokenizer(row).encodePrompt(text));
    }

    /** Instruction and input, one line each, after system and history. */
    private Asked instruction(Row row) {
        String query = Stream.of("instruction", "input")
                .map(name -> row.textOr(name, ""))
                .filter(part -> !part.isEmpty())
                .collect(Collectors.joining("\n"));
        if (turns) {
            return Asked.of(conversation(
                    Turns.withSystem(Conversation.messages(query, Turns.history(row, "history")), row), row));
        }
        refuseTurns(row);
        return new Asked(null, requireTokenizer(row).encodePrompt(query));
    }

    /** Refuses fields that only a chat template could use, in a line without one. */
    private static void refuseTurns(Row row) {
        for (String name : List.of(Turns.TOOLS, Turns.TEMPLATE_OPTIONS)) {
            if (row.has(name) && !Turns.options(row).isEmpty()) {
                throw row.bad(
                        name + " belongs to a conversation, but the prompt is text; give it as messages, or leave "
                                + name + " out");
            }
        }
    }

    private Conversation conversation(List<Map<String, Object>> messages, Row row) {
        requireTokenizer(row);
        for (String name : List.of("images", "videos", "audios")) {
            if (row.has(name)) {
                throw row.bad(name + " are not supported; give lines of text only");
            }
        }
        if (template == null && (row.has("system") || row.has("history"))) {
            throw row.bad((row.has("system") ? "system" : "history")
                    + " needs turns, but the model has no chat template; set chat_template in"
                    + " tokenizer_config.json, or write it into the prompt");
        }
        Map<String, Object> options = Turns.options(row);
        Conversation conversation = new Conversation(tokenizer, template, messages, options);
        if (options.containsKey(Turns.TOOLS) && !toolsTried) {
            toolsTried = true;
            Map<String, Object> without = new LinkedHashMap<>(options);
            without.remove(Turns.TOOLS);
            if (Arrays.equals(
                    conversation.encode(true), new Conversation(tokenizer, template, messages, without).encode(true))) {
                say.accept(file + ": the model's chat template ignores tools");
            }
        }
        return conversation;
    }

    private int[] completion(Asked asked, Row row, String name) {
        if (asked.conversation() != null) {
            return asked.conversation().completion(Turns.of(row, name));
        }
        String text = row.text(name);
        return ended(requireTokenizer(row).encode(text, false), row, true);
    }

    /** @param needed whether the text must have an end */
    private int[] ended(int[] tokens, Row row, boolean needed) {
        if (tokenizer.eosId() < 0 && needed) {
            throw row.bad("a completion needs an end, but " + tokenizer.missingEos());
        }
        if (tokenizer.eosId() < 0 && !endless) {
            endless = true;
            say.accept(file + ": texts get no end-of-sequence token: " + tokenizer.missingEos());
        }
        int[] all = tokenizer.ended(tokens);
        ended |= all.length > tokens.length;
        return all;
    }

    private Tokenizer requireTokenizer(Row row) {
        if (tokenizer == null) {
            throw row.bad("is text, but the model folder has no tokenizer.json; give token ids (…input_ids)");
        }
        return tokenizer;
    }

    private static double weight(Row row) {
        JsonNode weight = row.get("weight");
        if (weight.isMissingNode()) {
            return 1;
        }
        if (!weight.isNumber() || !(weight.asDouble() >= 0)) {
            throw row.bad("weight must be a number of at least 0");
        }
        return weight.asDouble();
    }

    private int[] ids(Row row, String name) {
        row.get(name);
        return ids(row.json(), name, row.where(), vocabulary);
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
