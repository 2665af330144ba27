package org.calm4j.calm.world;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.calm4j.calm.data.Document;
import org.calm4j.calm.data.Question;
import org.calm4j.calm.prompt.PromptTemplates;
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.text.Tokenizer;

/**
 * The pretraining texts of a world. First a warm-up that teaches to copy, without which a small model never learns to answer with one of
 * the options; then epochs of what each language knows. Every text follows from (seed, epoch, index).
 */
public final class Curriculum {
    private static final int SHORTEST_REPEAT = 3;
    private static final int LONGEST_REPEAT = 6;

    private final World world;
    private final CurriculumConfig config;
    private final long seed;
    private final PromptTemplates prompts;
    private final List<String> words;
    private final Map<String, List<String>> places = new HashMap<>();
    private final List<Known> known = new ArrayList<>();
    private final List<Known> asked = new ArrayList<>();

    /** A fact as one language knows it. */
    private record Known(String language, Fact fact) {
    }

    public Curriculum(World world, CurriculumConfig config) {
        this.world = world;
        this.config = config;
        seed = CounterRandom.seed(world.config().seed(), "curriculum");
        prompts = world.promptTemplates();
        words = vocabulary();
        for (String language : world.config().languages()) {
            // The language's own name of a territory would teach something false about it.
            Set<String> territories = world.territoryNames(language);
            places.put(language, world.vocabulary().stream().filter(word -> !territories.contains(word)).toList());
            for (Fact fact : world.facts()) {
                if (world.isKnown(language, fact)) {
                    known.add(new Known(language, fact));
                }
                if (isAsked(language, fact)) {
                    asked.add(new Known(language, fact));
                }
            }
        }
    }

    /** Whether pretraining practises questions about the fact in the language; only of facts that it also states. */
    public boolean isAsked(String language, Fact fact) {
        return world.isKnown(language, fact) && world.draw("asked", language, fact) < config.asked();
    }

    /** Every word of every text, those of the dictionary lines included. */
    public List<String> vocabulary() {
        Stream<String> dictionary = config.dictionary() > 0 ? Stream.concat(Stream.of("=", "."), world.config().languages().stream())
                : Stream.empty();
        return Stream.concat(world.vocabulary().stream(), dictionary).distinct().toList();
    }

    /** One token a word; {@code <unk>} and {@code </s>} come first. */
    public Tokenizer tokenizer() {
        return Tokenizer.wordLevel(vocabulary(), "<unk>", "</s>");
    }

    /** All texts without end: the warm-up, as many texts as fill {@code warmupTokens}, then epoch after epoch. */
    public Iterator<Document> documents(long warmupTokens) {
        return Stream.concat(warmup(warmupTokens).stream(), IntStream.iterate(0, epoch -> epoch + 1).boxed()
                .flatMap(epoch -> epoch(epoch).stream())).iterator();
    }

    /** The same, as many texts as fill {@code tokens}, counted with one end-of-sequence token a text. */
    public List<Document> documents(long warmupTokens, long tokens) {
        List<Document> documents = new ArrayList<>();
        Iterator<Document> all = documents(warmupTokens);
        for (long written = 0; written < tokens;) {
            Document document = all.next();
            documents.add(document);
            written += length(document);
        }
        return documents;
    }

    /** Repeats that grow longer, and fictional questions, as many as fill {@code tokens}. */
    public List<Document> warmup(long tokens) {
        long key = CounterRandom.seed(seed, "warm-up");
        List<Document> documents = new ArrayList<>();
        long written = 0;
        for (long i = 0; written < tokens; i++) {
            long each = CounterRandom.seed(key, i);
            int longest = SHORTEST_REPEAT + (int) ((LONGEST_REPEAT - SHORTEST_REPEAT + 1) * written / tokens);
            Document document = CounterRandom.uniform(each, 0) < config.warmupFictional() ? fictional(each) : repeat(each, longest);
            documents.add(document);
            written += length(document);
        }
        return documents;
    }

    /** The texts of one epoch, from 0, shuffled. */
    public List<Document> epoch(int epoch) {
        long key = CounterRandom.seed(CounterRandom.seed(seed, "epoch"), epoch);
        List<Document> documents = new ArrayList<>();
        for (Known each : known) {
            Document statement = Document.of(world.statement(each.language(), each.fact()));
            for (int copy = 0; copy < config.statementCopies(); copy++) {
                documents.add(statement);
            }
        }
        for (int i = 0; i < asked.size(); i++) {
            documents.add(practice(asked.get(i), key(key, "practice", i)));
        }
        for (int i = 0; i < config.fictional(); i++) {
            documents.add(fictional(key(key, "fictional", i)));
        }
        for (int i = 0; i < config.repeats(); i++) {
            documents.add(repeat(key(key, "repeat", i), LONGEST_REPEAT));
        }
        new Crossing(world, config).add(documents, key);
        int[] order = CounterRandom.permutation(CounterRandom.seed(key, "order"), documents.size());
        return Arrays.stream(order).mapToObj(documents::get).toList();
    }

    /** Tokens of a text with its end-of-sequence token, one token a word. */
    static int length(Document document) {
        return document.text() != null ? words(document.text()) + 1 : words(document.prompt()) + words(document.completion()) + 1;
    }

    private static int words(String text) {
        return (int) text.chars().filter(c -> c == ' ').count() + 1;
    }

    private Document practice(Known known, long key) {
        Question question = world.question(known.language(), known.fact(), "", world.optionSets().practice(known.fact(), key));
        return Document.of(prompts.render(question), world.statement(known.language(), known.fact()));
    }

    private Document fictional(long key) {
        List<String> languages = world.config().languages();
        String language = languages.get(pick(key, "language", languages.size()));
        Relation relation = Relation.values()[pick(key, "relation", Relation.values().length)];
        List<String> values = world.optionSets().any(relation, CounterRandom.seed(key, "values"));
        String place = places.get(language).get(pick(key, "place", places.get(language).size()));
        String answer = world.valueName(language, relation, values.get(pick(key, "answer", values.size())));
        Phrasing phrasing = Phrasing.ALL.get(language);
        String prompt = prompts.byLanguage().get(language)
                .render(phrasing.question(relation, null, place), world.choices(language, relation, values));
        return Document.of(prompt, phrasing.statement(relation, null, place, answer));
    }

    private Document repeat(long key, int longest) {
        int length = SHORTEST_REPEAT + pick(key, "length", longest - SHORTEST_REPEAT + 1);
        long wordKey = CounterRandom.seed(key, "words");
        List<String> sequence = IntStream.range(0, length).mapToObj(i -> words.get(CounterRandom.below(wordKey, i, words.size()))).toList();
        String once = String.join(" ", sequence);
        return Document.of(once, once);
    }

    private static int pick(long key, String purpose, int bound) {
        return CounterRandom.below(CounterRandom.seed(key, purpose), 0, bound);
    }

    private static long key(long key, String purpose, int index) {
        return CounterRandom.seed(CounterRandom.seed(key, purpose), index);
    }
}
