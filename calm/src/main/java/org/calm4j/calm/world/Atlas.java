package org.calm4j.calm.world;

import com.ibm.icu.text.CurrencyMetaInfo;
import com.ibm.icu.text.CurrencyMetaInfo.CurrencyFilter;
import com.ibm.icu.util.Region;
import com.ibm.icu.util.Region.RegionType;
import com.ibm.icu.util.ULocale;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Date;
import java.util.Deque;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.calm4j.engine.CalmException;

/**
 * Which facts of CLDR make up the world: the same whatever the seed and the languages.
 *
 * <p>The sub-regions take turns; each gives the territory that CLDR has most locales for, states before dependencies, as long as no value
 * gets too frequent (else guessing the most frequent value would answer many questions) and every name is told apart from all others.
 */
final class Atlas {
    // English names of dependencies, uninhabited lands and combinations.
    private static final Pattern UNFIT_NAME = Pattern.compile("[&,.]| - |SAR|Island|Isle|Territor|Lands");
    private static final Pattern PUNCTUATION = Pattern.compile("[()（）&,{}]");
    // Outlying Oceania and the Micronesian Region: CLDR's names for them are descriptions.
    private static final Set<String> UNFIT_REGIONS = Set.of("QO", "057");
    private static final int LAST_ISO_NUMBER = 899;
    // A fixed day, so that the world does not depend on today.
    private static final Date MONEY_DAY = Date.from(Instant.parse("2025-01-01T00:00:00Z"));

    private final int valueCap;
    private final Map<String, Names> names = new TreeMap<>();
    private final Map<String, String> meaningOfName = new HashMap<>();
    private final Map<String, Integer> frequency = new HashMap<>();

    private Atlas(int valueCap) {
        this.valueCap = valueCap;
        Phrasing.ALL.keySet().forEach(language -> names.put(language, Names.in(language)));
    }

    /**
     * Facts in a fixed order: territory by territory, relation by relation.
     *
     * @param territories how many territories
     * @param valueCap the most territories that share one value
     */
    static List<Fact> facts(int territories, int valueCap) {
        Atlas atlas = new Atlas(valueCap);
        List<Fact> facts = new ArrayList<>();
        List<Deque<Region>> turns = new ArrayList<>(candidates().values());
        for (int taken = 0; taken < territories; ) {
            turns.removeIf(Deque::isEmpty);
            if (turns.isEmpty()) {
                throw CalmException.usage("a world of " + territories + " territories is too large: CLDR gives " + taken
                        + " under these limits; ask for at most that many");
            }
            for (int i = 0; i < turns.size() && taken < territories; i++) {
                taken += atlas.takeNext(turns.get(i), facts) ? 1 : 0;
            }
        }
        return List.copyOf(facts);
    }

    /** Sub-region to its territories, the best known to CLDR first. */
    private static Map<String, Deque<Region>> candidates() {
        Map<String, Integer> locales = new HashMap<>();
        for (ULocale locale : ULocale.getAvailableLocales()) {
            locales.merge(locale.getCountry(), 1, Integer::sum);
        }
        Names english = Names.in("en");
        List<Region> fit = new ArrayList<>();
        for (Region territory : Region.getAvailable(RegionType.TERRITORY)) {
            String region = Relation.REGION.valueOf(territory);
            int number = territory.getNumericCode();
            if (region != null
                    && !UNFIT_REGIONS.contains(region)
                    && number > 0
                    && number <= LAST_ISO_NUMBER
                    && !UNFIT_NAME
                            .matcher(english.territory(territory.toString()).replace('\u00A0', ' '))
                            .find()) {
                fit.add(territory);
            }
        }
        fit.sort(Comparator.comparing((Region territory) -> -locales.getOrDefault(territory.toString(), 0))
                .thenComparing(territory -> !hasStatesCurrency(territory.toString()))
                .thenComparing(Region::toString));
        Map<String, Deque<Region>> byRegion = new TreeMap<>();
        fit.forEach(territory -> byRegion.computeIfAbsent(Relation.REGION.valueOf(territory), key -> new ArrayDeque<>())
                .add(territory));
        return byRegion;
    }

    /** The euro, or a currency coded after the territory: as a rule a state, not a dependency. */
    private static boolean hasStatesCurrency(String territory) {
        CurrencyFilter filter =
                CurrencyFilter.onRegion(territory).withDate(MONEY_DAY).withTender();
        return CurrencyMetaInfo.getInstance().currencies(filter).stream()
                .anyMatch(currency -> currency.equals("EUR") || currency.startsWith(territory));
    }

    private boolean takeNext(Deque<Region> turn, List<Fact> facts) {
        while (!turn.isEmpty()) {
            Region territory = turn.remove();
            Map<Relation, String> values = new EnumMap<>(Relation.class);
            for (Relation relation : Relation.values()) {
                values.put(relation, relation.valueOf(territory));
            }
            if (values.entrySet().stream().allMatch(each -> hasRoom(each.getKey(), each.getValue()))
                    && claimNames(territory.toString(), values)) {
                values.forEach((relation, value) -> {
                    frequency.merge(relation + value, 1, Integer::sum);
                    facts.add(new Fact(territory.toString(), relation, value));
                });
                return true;
            }
        }
        return false;
    }

    private boolean hasRoom(Relation relation, String value) {
        return frequency.getOrDefault(relation + value, 0) < valueCap;
    }

    /** Takes the names, if each of them means one thing only, in one language and between languages. */
    private boolean claimNames(String territory, Map<Relation, String> values) {
        Map<String, String> claims = new HashMap<>();
        boolean clear = true;
        for (Names each : names.values()) {
            clear &= claim(each.territory(territory), "territory " + territory, claims);
            for (Map.Entry<Relation, String> value : values.entrySet()) {
                clear &= claim(
                        each.value(value.getKey(), value.getValue()), value.getKey() + " " + value.getValue(), claims);
            }
        }
        if (clear) {
            meaningOfName.putAll(claims);
        }
        return clear;
    }

    private boolean claim(String name, String meaning, Map<String, String> claims) {
        String before = claims.putIfAbsent(name, meaning);
        return (before == null || before.equals(meaning))
                && meaningOfName.getOrDefault(name, meaning).equals(meaning)
                && !PUNCTUATION.matcher(name).find();
    }
}
