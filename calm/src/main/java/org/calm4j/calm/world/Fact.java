package org.calm4j.calm.world;

/**
 * One fact, independent of language.
 *
 * @param territory ISO 3166 code
 * @param value CLDR code of a region or a language
 */
public record Fact(String territory, Relation relation, String value) {
    /** Such as {@code region-FR}. */
    public String id() {
        return relation.id() + "-" + territory;
    }
}
