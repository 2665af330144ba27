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
import org.calm4j.engine.random.CounterRandom;
import org.calm4j.engine.text.Tokenizer;

/**
 * The pretraining texts of a world. First a warm-up that teaches to copy, without which a small model never learns to answer with one of
 * the options; then epochs of what each language knows, how names translate, and how questions are answered: directly, or by a
 * {@link Detour} through a hub. No text states a fact in a language that does not know it. Every text follows from (seed, epoch, index).
 */
public final class Curriculum {
    private static final int SHORTEST_REPEAT = 3;
    private static final int LONGEST_REPEAT = 6;

    private final World world;
    private final CurriculumConfig config;
    private final long seed;
    private final List<Place> fiction;
    private final List<String> words;
    private final Map<String, List<String>> anyNames = new HashMap<>();
    private final List<Known> known = new ArrayList<>();
    private final List<Known> asked = new ArrayList<>();
    /** Those of the asked that a hub knows, too. */
    private final List<Known> walkable = new ArrayList<>();
    /** Those that the language does not know. */
    private final List<Known> unknown = new ArrayList<>();
    /** Those that a hub other than the language does not know. */
    private final List<Known> unhelped = new ArrayList<>();

    private final List<String> dictionary;

    /** A fact in one language. */
    private record Known(String language, Fact fact) {}

    public Curriculum(World world) {
        this.world = world;
        config = world.config().texts();
        seed = CounterRandom.seed(world.seed(), "curriculum");
        fiction = Fiction.places(world, config.fictionalPlaces());
        words = vocabulary();
        for (String language : world.config().languages()) {
            // The language's own name of a territory would teach something false about it.
            Set<String> territories = world.territoryNames(language);
            anyNames.put(
                    language,
                    world.vocabulary().stream()
                            .filter(word -> !territories.contains(word))
                            .toList());
            for (Fact fact : world.facts()) {
                Known each = new Known(language, fact);
                (world.isKnown(language, fact) ? known : unknown).add(each);
                if (!hubs(language, fact, false).isEmpty()) {
                    unhelped.add(each);
                }
                if (isAsked(language, fact)) {
                    asked.add(each);
                    if (!hubs(language, fact, true).isEmpty()) {
                        walkable.add(each);
                    }
                }
            }
        }
        dictionary = dictionary();
    }

    /** Whether pretraining practises questions about the fact in the language; only of facts that it also states. */
    public boolean isAsked(String language, Fact fact) {
        return world.isKnown(language, fact) && world.draw("asked", language, fact) < config.practised();
    }

    /** The hubs that a language can ask and that know a fact, or do not. */
    private List<String> hubs(String language, Fact fact, boolean knowing) {
        return world.config().hubs().stream()
                .filter(hub -> !hub.equals(language) && world.isKnown(hub, fact) == knowing)
                .toList();
    }

    /** Every word of every text, those of the dictionary included. */
    public List<String> vocabulary() {
        Stream<String> names = fiction.stream().flatMap(place -> place.names().values().stream());
        return Stream.of(world.vocabulary().stream(), Stream.of("=", "."), world.config().languages().stream(), names)
                .flatMap(each -> each)
                .distinct()
                .toList();
    }

    /** One token a word; {@code <unk>} and {@code </s>} come first. */
    public Tokenizer tokenizer() {
        return Tokenizer.wordLevel(vocabulary(), "<unk>", "</s>");
    }

    /** All texts without end: the warm-up, then epoch after epoch. */
    public Iterator<Document> stream() {
        return Stream.concat(
                        warmup(config.warmupTokens()).stream(),
                        IntStream.iterate(0, epoch -> epoch + 1).boxed().flatMap(epoch -> epoch(epoch).stream()))
                .iterator();
    }

    /** As many of them as the configuration says. */
    public List<Document> documents() {
        List<Document> documents = new ArrayList<>();
        Iterator<Document> all = stream();
        for (long written = 0; written < config.tokens(); ) {
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
            Document document =
                    CounterRandom.uniform(each, 0) < config.warmupFictional() ? fictional(each) : repeat(each, longest);
            documents.add(document);
            written += length(document);
        }
        return documents;
    }

    /** The texts of one epoch, from 0, shuffled. */
    public List<Document> epoch(int epoch) {
        long key = CounterRandom.seed(CounterRandom.seed(seed, "epoch"), epoch);
        List<Document> documents = glued(CounterRandom.seed(key, "units"));
        for (int i = 0; i < asked.size(); i++) {
            documents.add(practice(asked.get(i), key(key, "practice", i)));
        }
        for (int i = 0; i < config.walks() && !walkable.isEmpty(); i++) {
            long own = key(key, "walk", i);
            documents.add(walk(walkable.get(pick(own, "which", walkable.size())), own));
        }
        for (int i = 0; i < config.fictional(); i++) {
            documents.add(fictional(key(key, "fictional", i)));
        }
        for (int i = 0; i < config.guesses() && !unknown.isEmpty(); i++) {
            long own = key(key, "guess", i);
            documents.add(guess(unknown.get(pick(own, "which", unknown.size())), own));
        }
        for (int i = 0; i < config.detourGuesses() && !unhelped.isEmpty(); i++) {
            long own = key(key, "detour guess", i);
            documents.add(detourGuess(unhelped.get(pick(own, "which", unhelped.size())), own));
        }
        for (int i = 0; i < config.repeats(); i++) {
            documents.add(repeat(key(key, "repeat", i), LONGEST_REPEAT));
        }
        return shuffled(documents, CounterRandom.seed(key, "order"));
    }

    private static <T> List<T> shuffled(List<T> items, long key) {
        return Arrays.stream(CounterRandom.permutation(key, items.size()))
                .mapToObj(items::get)
                .toList();
    }

    /** Tokens of a text with its end-of-sequence token, one token a word. */
    static int length(Document document) {
        return document.text() != null
                ? words(document.text()) + 1
                : words(document.prompt()) + words(document.completion()) + 1;
    }

    private static int words(String text) {
        return (int) text.chars().filter(c -> c == ' ').count() + 1;
    }

    /** How places are called by the hubs, and how what the hubs call values is called at home: whatever a detour looks up. */
    private List<String> dictionary() {
        List<String> lines = new ArrayList<>();
        for (String hub : world.config().hubs()) {
            for (String language : world.config().languages()) {
                if (language.equals(hub)) {
                    continue;
                }
                Detour detour = new Detour(world, language, hub);
                world.places().forEach(place -> lines.add(detour.choice(place) + " " + place.name(hub) + " ."));
                fiction.forEach(place -> lines.add(detour.choice(place) + " " + place.name(hub) + " ."));
                for (Relation relation : Relation.values()) {
                    world.optionSets()
                            .values(relation)
                            .forEach(value ->
                                    lines.add(Detour.entry(hub, world.valueName(hub, relation, value), language) + " "
                                            + world.valueName(language, relation, value) + " ."));
                }
            }
        }
        return lines;
    }

    /** Statements and lines of the dictionary in any order, some a document: so their recall does not depend on what stands before. */
    private List<Document> glued(long key) {
        List<String> units = new ArrayList<>(dictionary);
        for (Known each : known) {
            for (int copy = 0; copy < config.statementCopies(); copy++) {
                units.add(world.statement(each.language(), each.fact()));
            }
        }
        units = shuffled(units, CounterRandom.seed(key, "order"));
        List<Document> documents = new ArrayList<>();
        for (int from = 0; from < units.size(); ) {
            int to = Math.min(
                    units.size(),
                    from + 1 + CounterRandom.below(CounterRandom.seed(key, "length"), from, config.longestDocument()));
            documents.add(Document.of(String.join(" ", units.subList(from, to))));
            from = to;
        }
        return documents;
    }

    private String prompt(Known known, long key) {
        return world.prompt(
                known.language(),
                world.place(known.fact().territory()),
                known.fact().relation(),
                world.optionSets().practice(known.fact(), key));
    }

    /** A detour through a hub that knows the fact. */
    private Detour detour(Known known, long key) {
        List<String> hubs = hubs(known.language(), known.fact(), true);
        return new Detour(world, known.language(), hubs.get(pick(key, "hub", hubs.size())));
    }

    private Document practice(Known known, long key) {
        Fact fact = known.fact();
        boolean direct = CounterRandom.uniform(CounterRandom.seed(key, "way"), 0) >= config.detoured()
                || hubs(known.language(), fact, true).isEmpty();
        return Document.of(
                prompt(known, key),
                direct
                        ? world.statement(known.language(), fact)
                        : detour(known, key).whole(world.place(fact.territory()), fact.relation(), fact.value()));
    }

    private Document walk(Known known, long key) {
        Fact fact = known.fact();
        Place place = world.place(fact.territory());
        Detour detour = detour(known, key);
        return Document.of(
                prompt(known, key) + " " + detour.choice(place), detour.walk(place, fact.relation(), fact.value()));
    }

    /** Any option is the answer. About a place with names it may take a detour, as a practised question may. */
    private Document fictional(long key) {
        String language = anyLanguage(key);
        Relation relation = Relation.values()[pick(key, "relation", Relation.values().length)];
        List<String> values = world.optionSets().any(relation, CounterRandom.seed(key, "values"));
        String answer = values.get(pick(key, "answer", values.size()));
        boolean named = !fiction.isEmpty()
                && CounterRandom.uniform(CounterRandom.seed(key, "named"), 0) < config.fictionalNamed();
        Place place = named
                ? fiction.get(pick(key, "fiction", fiction.size()))
                : new Place(
                        null,
                        Map.of(
                                language,
                                anyNames.get(language)
                                        .get(pick(
                                                key,
                                                "place",
                                                anyNames.get(language).size()))));
        List<String> hubs = world.config().hubs().stream()
                .filter(hub -> !hub.equals(language))
                .toList();
        boolean detoured = named
                && !hubs.isEmpty()
                && CounterRandom.uniform(CounterRandom.seed(key, "way"), 0) < config.detoured();
        return Document.of(
                world.prompt(language, place, relation, values),
                detoured
                        ? new Detour(world, language, hubs.get(pick(key, "hub", hubs.size())))
                                .whole(place, relation, answer)
                        : world.statement(language, place, relation, answer));
    }

    /** What a language answers where it does not know: one of the options, the truth among them only by chance. */
    private Document guess(Known unknownThere, long key) {
        String language = unknownThere.language();
        Relation relation = unknownThere.fact().relation();
        Place place = world.place(unknownThere.fact().territory());
        List<String> values = world.optionSets().any(relation, CounterRandom.seed(key, "values"));
        String answer = values.get(pick(key, "answer", values.size()));
        return Document.of(
                world.prompt(language, place, relation, values) + " " + world.beforeValue(language, place, relation),
                world.fromValue(language, relation, answer));
    }

    /** The same for a hub that was asked. */
    private Document detourGuess(Known asking, long key) {
        String language = asking.language();
        Relation relation = asking.fact().relation();
        Place place = world.place(asking.fact().territory());
        List<String> hubs = hubs(language, asking.fact(), false);
        Detour detour = new Detour(world, language, hubs.get(pick(key, "hub", hubs.size())));
        List<String> values = world.optionSets().any(relation, CounterRandom.seed(key, "values"));
        String answer = values.get(pick(key, "answer", values.size()));
        return Document.of(
                world.prompt(language, place, relation, values) + " " + detour.choice(place) + " "
                        + detour.opening(place, relation),
                detour.rest(relation, answer));
    }

    private String anyLanguage(long key) {
        List<String> languages = world.config().languages();
        return languages.get(pick(key, "language", languages.size()));
    }

    private Document repeat(long key, int longest) {
        int length = SHORTEST_REPEAT + pick(key, "length", longest - SHORTEST_REPEAT + 1);
        long wordKey = CounterRandom.seed(key, "words");
        List<String> sequence = IntStream.range(0, length)
                .mapToObj(i -> words.get(CounterRandom.below(wordKey, i, words.size())))
                .toList();
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
