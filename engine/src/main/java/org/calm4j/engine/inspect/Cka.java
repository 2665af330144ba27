package org.calm4j.engine.inspect;

/** How alike two representations of the same things are. */
public final class Cka {
    private Cka() {}

    /**
     * Linear centred kernel alignment (Kornblith et al. 2019, section 3): {@code ⟨K, L⟩ / (‖K‖ ‖L‖)} with K and L the sets' centred Gram
     * matrices; null where one of them is 0.
     *
     * @param x vectors of any size, one for each thing
     * @param y of the same things in the same order
     */
    public static Double linear(double[][] x, double[][] y) {
        double[][] k = gram(x);
        double[][] l = gram(y);
        double norms = Math.sqrt(product(k, k) * product(l, l));
        return norms == 0 ? null : product(k, l) / norms;
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
            for (int j = 0; j <= i; j++) {
                gram[i][j] = dot(centred[i], centred[j]);
                gram[j][i] = gram[i][j];
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

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }
}
