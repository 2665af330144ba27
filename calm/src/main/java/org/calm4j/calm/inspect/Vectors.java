package org.calm4j.calm.inspect;

/** How alike two sets of vectors are, whose rows belong together. */
final class Vectors {
    private Vectors() {}

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

    static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }
}
