package org.calm4j.calm.data;

import java.util.AbstractList;
import java.util.List;
import java.util.RandomAccess;

/** Lists one after the other, of which each is asked when one of its elements is. */
final class JoinedLines<R> extends AbstractList<R> implements RandomAccess {
    private final List<List<R>> parts;
    private final int size;

    JoinedLines(List<List<R>> parts) {
        this.parts = parts;
        size = parts.stream().mapToInt(List::size).reduce(0, Math::addExact);
    }

    @Override
    public R get(int index) {
        int at = index;
        for (List<R> part : parts) {
            if (at < part.size()) {
                return part.get(at);
            }
            at -= part.size();
        }
        throw new IndexOutOfBoundsException(index);
    }

    @Override
    public int size() {
        return size;
    }
}
