package org.calm4j.calm.data;

import java.util.AbstractList;
import java.util.List;

/** Questions of one or more files, each with the place where it stands, for messages. */
public final class Questions extends AbstractList<Question> {
    private final List<Question> all;
    private final List<String> places;

    /** @param places {@code file:line} of each */
    public Questions(List<Question> all, List<String> places) {
        this.all = List.copyOf(all);
        this.places = List.copyOf(places);
    }

    @Override
    public Question get(int index) {
        return all.get(index);
    }

    @Override
    public int size() {
        return all.size();
    }

    /** Where a question stands. */
    public String where(int index) {
        return places.get(index);
    }
}
