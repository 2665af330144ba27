package org.calm4j.calm.world;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.calm4j.engine.CalmException;
import org.junit.jupiter.api.Test;

class AtlasTest {
    private static final List<Fact> FACTS = Atlas.facts(96, 14);

    @Test
    void eachTerritoryHasOneFactForEachRelation() {
        assertThat(FACTS).hasSize(96 * 2).doesNotHaveDuplicates();
        assertThat(FACTS.stream().map(Fact::territory).distinct()).hasSize(96);
    }

    @Test
    void noValueIsMoreFrequentThanTheCap() {
        Map<String, Long> frequency =
                FACTS.stream().collect(Collectors.groupingBy(f -> f.relation() + f.value(), Collectors.counting()));
        assertThat(frequency.values()).allMatch(count -> count <= 14).contains(14L);
        assertThat(Atlas.facts(30, 2).stream()
                        .collect(Collectors.groupingBy(f -> f.relation() + f.value(), Collectors.counting()))
                        .values())
                .allMatch(count -> count <= 2);
    }

    @Test
    void aNameMeansOneThingInAllLanguages() {
        Map<String, String> meanings = new HashMap<>();
        for (String language : World.supportedLanguages()) {
            Names names = Names.in(language);
            for (Fact fact : FACTS) {
                String place = "territory " + fact.territory();
                String value = fact.relation() + " " + fact.value();
                assertThat(meanings.merge(names.territory(fact.territory()), place, (a, b) -> a))
                        .isEqualTo(place);
                assertThat(meanings.merge(names.value(fact.relation(), fact.value()), value, (a, b) -> a))
                        .isEqualTo(value);
            }
        }
        assertThat(meanings.keySet()).noneMatch(name -> name.contains(" ") || name.isBlank());
    }

    @Test
    void theFactsAreTrue() {
        assertThat(FACTS)
                .contains(
                        new Fact("FR", Relation.REGION, "155"),
                        new Fact("FR", Relation.LANGUAGE, "fr"),
                        new Fact("KE", Relation.REGION, "014"),
                        new Fact("KE", Relation.LANGUAGE, "sw"),
                        new Fact("NO", Relation.LANGUAGE, "no"),
                        new Fact("BR", Relation.LANGUAGE, "pt"),
                        new Fact("JP", Relation.REGION, "030"));
    }

    @Test
    void aWorldLargerThanCldrIsRefused() {
        assertThatThrownBy(() -> Atlas.facts(300, 14))
                .isInstanceOf(CalmException.class)
                .hasMessageContaining("too large");
    }
}
