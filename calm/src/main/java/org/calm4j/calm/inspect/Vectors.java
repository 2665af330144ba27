package org.calm4j.calm.inspect;

/** How alike two sets of vectors are, whose rows belong together. */
final class Vectors {
    private Vectors() {}

    /**
     * Linear CKA (Kornblith et al. 2019, section 3): {@code ⟨K, L⟩ / (‖K‖ ‖L‖)} with K and L the sets' centred Gram matrices; null where one
     * of them is 0.
     */
    static Double cka(double[][] x, double[][] y) {
        double[][] k = gram(x);
        double[][] l = gram(y);
        double norms = Math.sqrt(product(k, k) * product(l, l));
        return norms == 0 ? null : product(k, l) / norms;
    }

    static double meanCosine(double[][] x, double[][] y) {
        double sum = 0;
        for (int i = 0; i < x.length; i++) {
            sum += cosine(x[i], y[i]);
        }
        return sum / x.length;
    }

    /** The share of x's rows to which y's row of the same number is the nearest by cosine; of equals the first is. */
    static double retrieval(double[][] x, double[][] y) {
        int found = 0;
        for (int i = 0; i < x.length; i++) {
            int best = 0;
            for (int j = 1; j < y.length; j++) {
                if (cosine(x[i], y[j]) > cosine(x[i], y[best])) {
                    best = j;
                }
            }
            found += best == i ? 1 : 0;
        }
        return (double) found / x.length;
    }

    private static double cosine(double[] a, double[] b) {
        double norms = Math.sqrt(dot(a, a) * dot(b, b));
        return norms == 0 ? 0 : dot(a, b) / norms;
    }

    private static double[][] gram(double[][] x) {
        double[][] centred = new double[x.length][x[0].length];
        for (int c = 0; c < x[0].length; c++) {
            double mean = 0;
            for (double[] row : x) {
                mean += row[c] / x.length;
            }
            for (int i = 0; i < x.length; i++) {
                centred[i][c] = x[i][c] - mean;
            }
        }
        double[][] gram = new double[x.length][x.length];
        for (int i = 0; i < x.length; i++) {
            for (int j = 0; j < x.length; j++) {
                gram[i][j] = dot(centred[i], centred[j]);
            }
        }
        return gram;
    }

    private static double product(double[][] a, double[][] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += dot(a[i], b[i]);
        }
        return sum;
    }

    static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }
}
