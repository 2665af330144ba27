package org.calm4j.engine.model;

import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.util.BitSet;

/**
 * The owners of the rows of a {@link KvCache}: a sequence takes pages of rows as it grows, and returns them when it ends.
 *
 * <p>A new sequence gets a reservation of as many consecutive pages as it may need, if there are that many; it holds as long as other pages
 * last. So rows are contiguous, in one segment of attention, if memory is ample, and otherwise in several.
 */
public final class CachePages {
    /** Rows of a page. */
    public static final int PAGE = 32;

    private final int pages;
    private final BitSet taken = new BitSet();
    private final BitSet promised = new BitSet();

    public CachePages(int pages) {
        this.pages = pages;
    }

    /** The number of pages for this many rows. */
    public static int pages(long rows) {
        return Math.toIntExact((rows + PAGE - 1) / PAGE);
    }

    /** Free pages. */
    public int free() {
        return pages - taken.cardinality();
    }

    /**
     * A sequence without rows yet.
     *
     * @param most the most rows that it may need
     */
    public Rows begin(int most) {
        int count = pages(most);
        BitSet busy = (BitSet) taken.clone();
        busy.or(promised);
        for (int first = busy.nextClearBit(0);
                first + count <= pages;
                first = busy.nextClearBit(busy.nextSetBit(first))) {
            int end = busy.nextSetBit(first);
            if (end < 0 || end - first >= count) {
                promised.set(first, first + count);
                return new Rows(first, first + count);
            }
        }
        return new Rows(0, 0);
    }

    /** The rows of one sequence, in its order. */
    public final class Rows {
        private final int promiseStart;
        private final int promiseEnd;
        /** For each run of contiguous rows: its first row, and the position in the sequence where it ends. */
        private final IntArrayList starts = new IntArrayList();

        private final IntArrayList ends = new IntArrayList();

        private Rows(int promiseStart, int promiseEnd) {
            this.promiseStart = promiseStart;
            this.promiseEnd = promiseEnd;
        }

        /** Takes pages until there are this many rows; returns false when none is left, keeping those it got. */
        public boolean grow(int rows) {
            while (size() < rows) {
                int page = next();
                if (page < 0) {
                    return false;
                }
                taken.set(page);
                if (!starts.isEmpty() && page == lastPage() + 1) {
                    ends.set(ends.size() - 1, size() + PAGE);
                } else {
                    ends.add(size() + PAGE);
                    starts.add(page * PAGE);
                }
            }
            return true;
        }

        /** The page after the last one, unless another sequence reserved it; else an unreserved one; else any. */
        private int next() {
            int behind = starts.isEmpty() ? promiseStart : lastPage() + 1;
            boolean own = behind >= promiseStart && behind < promiseEnd;
            if (behind < pages && !taken.get(behind) && (own || !promised.get(behind))) {
                return behind;
            }
            for (int page = taken.nextClearBit(0); page < pages; page = taken.nextClearBit(page + 1)) {
                if (!promised.get(page)) {
                    return page;
                }
            }
            // The end of the last reservation: its owner gets there last.
            return taken.previousClearBit(pages - 1);
        }

        private int lastPage() {
            int run = starts.size() - 1;
            int before = run == 0 ? 0 : ends.getInt(run - 1);
            return (starts.getInt(run) + size() - before) / PAGE - 1;
        }

        /** The number of its rows. */
        public int size() {
            return ends.isEmpty() ? 0 : ends.getInt(ends.size() - 1);
        }

        /** The number of runs of contiguous rows. */
        public int runs() {
            return starts.size();
        }

        /** The cache's row of a run's first position. */
        public int start(int run) {
            return starts.getInt(run);
        }

        /** The position in the sequence after a run's last row. */
        public int end(int run) {
            return ends.getInt(run);
        }

        /** The cache's row of a position in the sequence. */
        public int row(int position) {
            int run = starts.size() - 1;
            while (run > 0 && position < ends.getInt(run - 1)) {
                run--;
            }
            return starts.getInt(run) + position - (run == 0 ? 0 : ends.getInt(run - 1));
        }

        /** Returns all rows. The sequence must be started again. */
        public void free() {
            for (int run = 0; run < starts.size(); run++) {
                int first = starts.getInt(run) / PAGE;
                taken.clear(first, first + (ends.getInt(run) - (run == 0 ? 0 : ends.getInt(run - 1))) / PAGE);
            }
            starts.clear();
            ends.clear();
            promised.clear(promiseStart, promiseEnd);
        }
    }
}
