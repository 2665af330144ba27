package org.calm4j.calm.world;

/**
 * The path to an answer through another language: the place is named there, the fact stated as that language's own texts state it, and its
 * value named back. Such as {@code fr Japon = en Japan . Japan belongs to the Eastern Asia region . en Eastern Asia = fr Asie orientale .}
 * Every step is a look-up or a copy, and the last clause ends in the option.
 *
 * @param language that is asked
 * @param hub that it asks
 */
record Detour(World world, String language, String hub) {
    /** A line of the dictionary, without its end. */
    static String entry(String from, String name, String to) {
        return from + " " + name + " = " + to;
    }

    /** Whom to ask: {@code fr Japon = en}. */
    String choice(Place place) {
        return entry(language, place.name(language), hub);
    }

    /** What comes after the choice. */
    String walk(Place place, Relation relation, String value) {
        return opening(place, relation) + " " + rest(relation, value);
    }

    String whole(Place place, Relation relation, String value) {
        return choice(place) + " " + walk(place, relation, value);
    }

    /** From the place's name in the hub to where its statement names the value. */
    String opening(Place place, Relation relation) {
        return place.name(hub) + " . " + world.beforeValue(hub, place, relation);
    }

    /** From the value on. */
    String rest(Relation relation, String value) {
        return world.fromValue(hub, relation, value) + " " + entry(hub, world.valueName(hub, relation, value), language)
                + " " + world.valueName(language, relation, value) + " .";
    }
}
